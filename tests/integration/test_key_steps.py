"""Creating and deleting a key takes several steps: a crash between two of them leaves nothing in the way."""

import hashlib
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from ipgate.domain.errors import AlreadyExists
from ipgate.domain.resources import ApiKey
from ipgate.domain.writing import MAINTENANCE, WriteOptions
from ipgate.store.api_keys import ApiKeyStore

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


class CrashingKeys(ApiKeyStore):
    """Crashes before the step `before`."""

    before = ""

    async def _change(
        self,
        script: str,
        workspace: str,
        key: str,
        options: WriteOptions = MAINTENANCE,
        **args: Any,
    ) -> Any:
        if script == CrashingKeys.before:
            raise Interrupted
        return await super()._change(script, workspace, key, options, **args)


@pytest.mark.parametrize("step", ["key_activate", "key_forget"])
async def test_a_crash_between_two_steps_leaves_nothing_in_the_way(url: str, step: str) -> None:
    """After an interrupted creation or deletion the key is not there, in no form, and both its id
    and its credential can be used again."""

    async with running_worker(url) as p:
        secret = secrets.token_hex(16)
        sha256 = hashlib.sha256(secret.encode()).hexdigest()
        crashing = CrashingKeys(p.scripts)
        api_key = ApiKey(workspace=p.workspace, id="k")
        CrashingKeys.before = step
        try:
            await crashing.create(api_key, sha256, MAINTENANCE, limit=10)
            await crashing.delete(p.workspace, "k", MAINTENANCE)
        except Interrupted:
            CrashingKeys.before = ""
        assert not CrashingKeys.before, "it was interrupted"
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
        assert not await p.keys._replace(sha256, str(entry), "")
        await p.caught_up()
        assert await p.ask("8.8.8.8", secret=secret) == "UNRESTRICTED"
