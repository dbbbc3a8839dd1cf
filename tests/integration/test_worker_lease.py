"""The row of a worker in the registry, and what holds while it has none."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from math import inf
from pathlib import Path

import pytest
from ipgate.authorizer.worker_lease import WorkerLease
from ipgate.domain.changes import Position
from ipgate.domain.errors import Unavailable
from ipgate.domain.revision import parse_revision
from ipgate.domain.shards import SHARDS, shard_of
from ipgate.domain.writing import MAINTENANCE
from ipgate.store import key_names
from ipgate.store.worker_registry import WorkerRegistry

from tests.harness.in_process import running_worker
from tests.harness.stores import StoreServer

pytestmark = pytest.mark.store


async def test_a_worker_that_may_answer_of_any_shard_keeps_its_row(tmp_path: Path) -> None:
    """Be it that one shard is out of reach, or that a renewal failed in a way nobody thought of."""
    store = StoreServer(tmp_path / "s").start()

    try:
        async with running_worker(store.url) as p:
            registry = Failing(p.scripts)
            lease = WorkerLease(registry, p.follower, p.clock, worker="w")
            p.feed_gate.shut()
            await p.feed_gate.reached.wait()
            p.follower.freshness.progress[3].refresh(-inf, max_staleness=30, leased_until=inf)
            renewing = asyncio.create_task(lease.run())
            async with asyncio.timeout(20):
                while "w" not in await registry.live():
                    await asyncio.sleep(0.01)
            assert registry.failures == 0
            renewing.cancel()
            p.feed_gate.open()
    finally:
        store.stop()


class Failing(WorkerRegistry):
    """Fails once, by a fault that is none of the store's."""

    failures = 1

    async def renew(self, worker: str, applied: Sequence[Position], lease: float) -> None:
        if self.failures:
            self.failures -= 1
            raise ValueError("unheard of")
        await super().renew(worker, applied, lease)


async def test_a_wait_ends_even_if_its_cancellation_is_lost(tmp_path: Path) -> None:
    """As it is by a library that takes it for the end of its own waiting."""
    store = StoreServer(tmp_path / "s").start()

    try:
        async with running_worker(store.url) as p:
            registry = Deaf(p.scripts)
            lease = WorkerLease(registry, p.follower, p.clock, worker="w")
            await p.allow_list("l", "192.0.2.1")
            await p.key("k")
            revision = parse_revision("r", await p.link("l", "k"))
            waiting = asyncio.create_task(lease.wait_until_applied_everywhere(revision, 0.5))
            await asyncio.wait([waiting], timeout=20)
            assert waiting.done()
            assert isinstance(waiting.exception(), Unavailable)
    finally:
        store.stop()


class Deaf(WorkerRegistry):
    """Loses every cancellation."""

    async def live(self) -> dict[str, list[Position]]:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(2)
        return await super().live()


async def test_a_worker_that_gains_a_lease_has_applied_what_was_in_force_without_it(
    tmp_path: Path,
) -> None:
    """WaitForRevision did not wait for it, so it answers from memory only once it looked at the store."""
    store = StoreServer(tmp_path / "s").start()

    try:
        async with running_worker(store.url) as p:
            await p.key("k")
            await p.allow_list("l", "192.0.2.1")
            await p.caught_up()
            assert await p.ask("8.8.8.8") == "UNRESTRICTED"
            lease = WorkerLease(WorkerRegistry(p.scripts), p.follower, p.clock, worker="w")
            p.feed_gate.shut()
            await p.feed_gate.reached.wait()
            await p.link("l", "k")
            renewing = asyncio.create_task(lease.renew())
            registry = WorkerRegistry(p.scripts)
            async with asyncio.timeout(20):
                while "w" not in await registry.live():
                    await asyncio.sleep(0.01)
            asking = asyncio.create_task(p.ask("8.8.8.8"))
            done, _ = await asyncio.wait([asking, renewing], timeout=0.3)
            assert not done, "neither is done before the change is applied"
            p.feed_gate.open()
            await renewing
            assert await asking == "NOT_IN_LINKED_LISTS"
            assert p.follower.freshness.is_leased()
    finally:
        store.stop()


async def test_a_lost_revision_is_in_force_nowhere(tmp_path: Path) -> None:
    """A change that a failover loses while it is waited for does not become another one's number."""
    store = StoreServer(tmp_path / "s").start()

    try:
        async with running_worker(store.url) as p:
            await p.key("k")
            await p.allow_list("l", "192.0.2.1")
            await p.caught_up()
            registry = WorkerRegistry(p.scripts)
            lease = WorkerLease(registry, p.follower, p.clock, worker="w")
            await lease.renew()
            behind = [p.follower.freshness.progress[shard].position for shard in range(SHARDS)]
            await registry.renew("behind", behind, 30)
            with store.client() as direct:
                shard = shard_of(p.workspace)
                meta, changes = key_names.meta(shard), key_names.changes(shard)
                before = direct.hgetall(meta)
                lost = parse_revision("r", await p.link("l", "k"))
                waiting = asyncio.create_task(lease.wait_until_applied_everywhere(lost, 8))
                async with asyncio.timeout(20):
                    while not p.follower.includes(lost):
                        await asyncio.sleep(0.01)
                direct.hset(meta, mapping=before)
                direct.delete(changes)
            await p.workspaces.update(p.workspace, {"display_name": "other"}, MAINTENANCE)
            await p.caught_up()
            renewing = asyncio.create_task(lease.run())
            await registry.remove("behind")
            with pytest.raises(Unavailable, match="lost it"):
                await waiting
            renewing.cancel()
    finally:
        store.stop()
