"""Rotated credentials, in a worker whose clock the tests set."""

import hashlib
from collections.abc import Iterator

import pytest
from ipgate.admin.credentials import Credentials
from ipgate.domain.errors import AlreadyExists
from ipgate.domain.writing import MAINTENANCE
from ipgate.store.credentials import CredentialStore

from tests.harness.in_process import Worker, running_worker
from tests.harness.stores import StoreServer

pytestmark = pytest.mark.store

NOON = 1_800_000_000 * 10**9
HOUR = 3600 * 10**9


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store that the tests of this file share."""
    store = StoreServer(tmp_path_factory.mktemp("rotation")).start()
    yield store.url
    store.stop()


def credentials(p: Worker) -> Credentials:
    return Credentials(CredentialStore(p.scripts), p.clock)


async def rotate(p: Worker, overlap: int) -> str:
    """The new credential of the key `k`, when the worker knows of it."""
    _, credential = await credentials(p).rotate(p.workspace, "k", overlap, MAINTENANCE)
    await p.caught_up()
    return credential


async def revoke(p: Worker, *, current: bool) -> None:
    await credentials(p).revoke(p.workspace, "k", MAINTENANCE, current=current)
    await p.caught_up()


async def works(p: Worker, secret: str) -> bool:
    reason = await p.ask("8.8.8.8", secret=secret)
    assert reason in ("UNRESTRICTED", "KEY_UNKNOWN")
    return reason == "UNRESTRICTED"


@pytest.mark.parametrize("is_in_memory", [True, False])
async def test_a_previous_credential_ends_at_its_instant(url: str, is_in_memory: bool) -> None:
    """To the nanosecond, without a change, in memory already or not; the new one and the name go on."""
    async with running_worker(url) as p:
        p.clock.wall = NOON
        await p.key("k", f"first {is_in_memory}")
        assert await works(p, f"first {is_in_memory}")
        second = await rotate(p, HOUR)
        p.clock.wall = NOON + HOUR - 1
        if is_in_memory:
            assert await works(p, f"first {is_in_memory}")
            p.feed_gate.shut()
            reads = list(p.reader.reads)
        p.clock.wall = NOON + HOUR
        for _ in range(2):
            assert not await works(p, f"first {is_in_memory}")
        if is_in_memory:
            assert p.reader.reads == reads
        assert await works(p, second)
        assert await p.ask("8.8.8.8") == "UNRESTRICTED"


async def test_either_credential_can_be_revoked_at_once(url: str) -> None:
    """Also when both are in memory; the other one goes on, without an end."""
    async with running_worker(url) as p:
        p.clock.wall = NOON
        await p.key("k", "one")
        two = await rotate(p, HOUR)
        assert await works(p, "one")
        assert await works(p, two)
        await revoke(p, current=True)
        assert not await works(p, two)
        p.clock.wall = NOON + 2 * HOUR
        assert await works(p, "one")
        three = await rotate(p, HOUR)
        assert await works(p, "one")
        await revoke(p, current=False)
        assert not await works(p, "one")
        assert await works(p, three)
        four = await rotate(p, 0)
        assert [await works(p, secret) for secret in ("one", two, three, four)] == [
            False,
            False,
            False,
            True,
        ]


async def test_an_ended_credential_gives_way_to_the_next_rotation(url: str) -> None:
    """It needs no revocation, and leads nowhere afterwards."""
    async with running_worker(url) as p:
        p.clock.wall = NOON
        await p.key("k", "ended")
        two = await rotate(p, HOUR)
        p.clock.wall = NOON + HOUR
        three = await rotate(p, HOUR)
        assert [await works(p, secret) for secret in ("ended", two, three)] == [False, True, True]
        sha256 = hashlib.sha256(b"ended").hexdigest()
        assert await p.scripts.store.get(f"ipgate:digest:{sha256}") is None


async def test_a_credential_of_a_key_is_taken_until_the_key_loses_it(url: str) -> None:
    """No other key can register one that has ended, so an answer from memory is never for another key."""
    async with running_worker(url) as p:
        p.clock.wall = NOON
        await p.key("k", "taken")
        await rotate(p, HOUR)
        p.clock.wall = NOON + 2 * HOUR
        with pytest.raises(AlreadyExists):
            await p.key("other", "taken")
        await revoke(p, current=False)
        assert not await works(p, "taken")
        await p.key("other", "taken")
        await p.caught_up()
        assert await works(p, "taken")


async def test_a_deleted_key_loses_both_credentials(url: str) -> None:
    """And both can be registered again."""
    async with running_worker(url) as p:
        p.clock.wall = NOON
        await p.key("k", "both")
        second = await rotate(p, HOUR)
        assert await works(p, "both")
        assert await works(p, second)
        await p.keys.delete(p.workspace, "k", MAINTENANCE)
        await p.caught_up()
        assert not await works(p, "both")
        assert not await works(p, second)
        await p.key("k", "both")
        await p.key("other", second)
        await p.caught_up()
        assert await works(p, "both")
        assert await works(p, second)
