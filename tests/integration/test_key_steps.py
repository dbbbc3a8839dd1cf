"""Creating, rotating and deleting takes several steps: a crash between two of them leaves nothing in the way."""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import pytest
from ipgate.domain.errors import AlreadyExists, Conflict
from ipgate.domain.resources import ApiKey
from ipgate.domain.writing import MAINTENANCE, WriteResult
from ipgate.store import key_names
from ipgate.store.api_keys import ApiKeyStore
from ipgate.store.credential_index import CredentialIndex
from ipgate.store.credentials import CredentialStore
from ipgate.store.key_cleanup import KeyCleanup
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


async def interrupt() -> None:
    raise Interrupted


class Disturbed:
    """Runs scripts, and does something before the one named `before`: it crashes, if nothing else is given."""

    def __init__(
        self, scripts: Scripts, before: str, disturb: Callable[[], Awaitable[Any]] = interrupt
    ) -> None:
        self._scripts = scripts
        self._before = before
        self._disturb = disturb

    async def change(self, script: str, *args: Any, **kwargs: Any) -> Any:
        if script == self._before:
            await self._disturb()
        return await self._scripts.change(script, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scripts, name)


def sha256_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


async def created_and_deleted(keys: ApiKeyStore, api_key: ApiKey, sha256: str) -> None:
    await keys.create(api_key, sha256, MAINTENANCE, limit=10)
    await keys.delete(api_key.workspace, api_key.id, MAINTENANCE)


@pytest.mark.parametrize("step", ["key_activate", "key_forget"])
async def test_a_crash_between_two_steps_leaves_nothing_in_the_way(url: str, step: str) -> None:
    """After an interrupted creation or deletion the key is not there, in no form, and both its id
    and its credential can be used again."""

    async with running_worker(url) as p:
        secret = secrets.token_hex(16)
        sha256 = sha256_of(secret)
        crashing = ApiKeyStore(cast(Scripts, Disturbed(p.scripts, step)))
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


@pytest.mark.parametrize("step", ["key_prepare", "key_rotate"])
async def test_a_crash_during_a_rotation_leaves_the_credential(url: str, step: str) -> None:
    """The key has the credential that it had, its new one is unknown, and the next rotation is made."""

    async with running_worker(url) as p:
        secret, second, third = (secrets.token_hex(16) for _ in range(3))
        await p.key("k", secret)
        crashing = CredentialStore(cast(Scripts, Disturbed(p.scripts, step)))
        with pytest.raises(Interrupted):
            await crashing.rotate(p.workspace, "k", sha256_of(second), None, MAINTENANCE)
        await p.caught_up()
        assert await p.ask("8.8.8.8", secret=secret) == "UNRESTRICTED"
        assert await p.ask("8.8.8.8", secret=second) == "KEY_UNKNOWN"
        credentials = CredentialStore(p.scripts)
        await credentials.rotate(p.workspace, "k", sha256_of(third), None, MAINTENANCE)
        await p.caught_up()
        reasons = [await p.ask("8.8.8.8", secret=text) for text in (secret, second, third)]
        assert reasons == ["KEY_UNKNOWN", "KEY_UNKNOWN", "UNRESTRICTED"]


async def test_a_rotation_that_is_being_made_keeps_its_credential(url: str) -> None:
    """Nobody can register the credential before the key has it, and no clean-up takes its index entry."""

    async with running_worker(url) as p:
        secret = secrets.token_hex(16)
        await p.key("k")
        crashing = CredentialStore(cast(Scripts, Disturbed(p.scripts, "key_rotate")))
        with pytest.raises(Interrupted):
            await crashing.rotate(p.workspace, "k", sha256_of(secret), None, MAINTENANCE)
        with pytest.raises(AlreadyExists):
            await p.key("other", secret)
        entry = await p.scripts.store.get(f"ipgate:digest:{sha256_of(secret)}")
        with pytest.raises(AlreadyExists):
            await KeyCleanup(p.scripts).drop_entry(sha256_of(secret), str(entry))


async def test_a_rotation_that_takes_too_long_is_rejected(url: str) -> None:
    """After a minute its index entry may be gone, so the key keeps the credential that it has."""

    async with running_worker(url) as p:
        await p.key("k", first := secrets.token_hex(16))
        second = secrets.token_hex(16)
        name = key_names.of("key", p.workspace, "k")

        async def grow_old() -> None:
            await p.scripts.store.hset(name, "reserved_at", "1000")

        slow = CredentialStore(cast(Scripts, Disturbed(p.scripts, "key_rotate", grow_old)))
        with pytest.raises(Conflict):
            await slow.rotate(p.workspace, "k", sha256_of(second), None, MAINTENANCE)
        await p.caught_up()
        assert await p.ask("8.8.8.8", secret=first) == "UNRESTRICTED"
        assert await p.ask("8.8.8.8", secret=second) == "KEY_UNKNOWN"
        assert not await p.scripts.store.exists(key_names.digest(sha256_of(second)))


async def test_of_rotations_at_once_one_or_more_count(url: str) -> None:
    """Each is made or rejected; the key has the credential of one that was made, and no other leads to it."""

    async with running_worker(url) as p:
        await p.key("k", first := secrets.token_hex(16))
        credentials = CredentialStore(p.scripts)
        texts = [secrets.token_hex(16) for _ in range(6)]
        results = await asyncio.gather(
            *(
                credentials.rotate(p.workspace, "k", sha256_of(text), None, MAINTENANCE)
                for text in texts
            ),
            return_exceptions=True,
        )
        assert all(isinstance(result, WriteResult | Conflict) for result in results)
        reasons = {result.reason for result in results if isinstance(result, Conflict)}
        assert reasons <= {"ROTATE_RACE"}
        made = [
            text
            for text, result in zip(texts, results, strict=True)
            if isinstance(result, WriteResult)
        ]
        await p.caught_up()
        works = [
            text
            for text in (first, *texts)
            if await p.ask("8.8.8.8", secret=text) == "UNRESTRICTED"
        ]
        assert len(works) == 1
        assert works[0] in made
        entries = [
            text
            for text in (first, *texts)
            if await p.scripts.store.exists(f"ipgate:digest:{sha256_of(text)}")
        ]
        assert entries == works


async def test_a_late_clean_up_spares_the_next_key(url: str) -> None:
    """A deletion that is held up before it removes the index entry does not remove the entry that
    a new key of the same id and credential has written since."""

    async with running_worker(url) as p:
        secret = secrets.token_hex(16)
        sha256 = sha256_of(secret)
        await p.key("k", secret)
        entry = await p.scripts.store.get(f"ipgate:digest:{sha256}")
        await p.keys.delete(p.workspace, "k", MAINTENANCE)
        await p.key("k", secret)
        assert not await CredentialIndex(p.scripts).replace(sha256, str(entry), "")
        await p.caught_up()
        assert await p.ask("8.8.8.8", secret=secret) == "UNRESTRICTED"
