"""Creating and deleting a key takes several steps: a crash between two of them leaves nothing in the way."""

import hashlib
import secrets
from collections.abc import Iterator
from typing import Any, cast

import pytest
from ipgate.domain.errors import AlreadyExists
from ipgate.domain.resources import ApiKey
from ipgate.domain.writing import MAINTENANCE
from ipgate.store.api_keys import ApiKeyStore
from ipgate.store.credential_index import CredentialIndex
from ipgate.store.scripts import Scripts

from tests.harness.in_process import running_worker
from tests.harness.stores import StoreServer

pytestmark = pytest.mark.store


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store that the tests of this file share."""
    store = StoreServer(tmp_path_factory.mktemp("races")).start()
    yield store.url
    store.stop()


class Interrupted(Exception):
    """Stands for a crash between two steps."""


class Crashing:
    """Runs scripts, and crashes before the one named `before`."""

    def __init__(self, scripts: Scripts, before: str) -> None:
        self._scripts = scripts
        self._before = before

    async def change(self, script: str, *args: Any, **kwargs: Any) -> Any:
        if script == self._before:
            raise Interrupted
        return await self._scripts.change(script, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scripts, name)


async def created_and_deleted(keys: ApiKeyStore, api_key: ApiKey, sha256: str) -> None:
    await keys.create(api_key, sha256, MAINTENANCE, limit=10)
    await keys.delete(api_key.workspace, api_key.id, MAINTENANCE)


@pytest.mark.parametrize("step", ["key_activate", "key_forget"])
async def test_a_crash_between_two_steps_leaves_nothing_in_the_way(url: str, step: str) -> None:
    """After an interrupted creation or deletion the key is not there, in no form, and both its id
    and its credential can be used again."""

    async with running_worker(url) as p:
        secret = secrets.token_hex(16)
        sha256 = hashlib.sha256(secret.encode()).hexdigest()
        crashing = ApiKeyStore(cast(Scripts, Crashing(p.scripts, step)))
        with pytest.raises(Interrupted):
            await created_and_deleted(crashing, ApiKey(workspace=p.workspace, id="k"), sha256)
        await p.caught_up()
        assert await p.ask("8.8.8.8", secret=secret) == "KEY_UNKNOWN"
        assert await p.ask("8.8.8.8") == "KEY_UNKNOWN"
        await p.key("k", secret)
        await p.caught_up()
        assert await p.ask("8.8.8.8", secret=secret) == "UNRESTRICTED"
        with pytest.raises(AlreadyExists):
            await p.key("other", secret)


async def test_a_late_clean_up_spares_the_next_key(url: str) -> None:
    """A deletion that is held up before it removes the index entry does not remove the entry that
    a new key of the same id and credential has written since."""

    async with running_worker(url) as p:
        secret = secrets.token_hex(16)
        sha256 = hashlib.sha256(secret.encode()).hexdigest()
        await p.key("k", secret)
        entry = await p.scripts.store.get(f"ipgate:digest:{sha256}")
        await p.keys.delete(p.workspace, "k", MAINTENANCE)
        await p.key("k", secret)
        assert not await CredentialIndex(p.scripts).replace(sha256, str(entry), "")
        await p.caught_up()
        assert await p.ask("8.8.8.8", secret=secret) == "UNRESTRICTED"
