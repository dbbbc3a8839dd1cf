"""WaitForRevision, and the registry of live workers behind it."""

import asyncio
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import pytest
from ipgate.authorizer.revision_waits import MAX_PER_TOKEN, MAX_PER_WORKSPACE, RevisionWaits
from ipgate.authorizer.worker_lease import WorkerLease
from ipgate.domain.changes import Position
from ipgate.domain.errors import LimitExceeded, Unavailable
from ipgate.domain.resources import Caller, Role
from ipgate.domain.revision import parse_revision
from ipgate.domain.shards import SHARDS, shard_of
from ipgate.domain.writing import MAINTENANCE
from ipgate.store import key_names
from ipgate.store.worker_registry import WorkerRegistry
from ipgate.v1 import admin_pb2 as admin

from tests.harness.in_process import running_worker
from tests.harness.servers import Client, RpcFailed, Server, serving
from tests.harness.stores import StoreServer
from tests.harness.waiting import eventually

pytestmark = pytest.mark.store

STALENESS = 2.0
LEASE = STALENESS + 2


def in_force(client: Client, revision: str, *, timeout: float = 20) -> int:
    request = admin.WaitForRevisionRequest(revision=revision)
    return int(client.call("WaitForRevision", request, timeout=timeout).worker_count)


def counts(client: Client, revision: str) -> int:
    """As `in_force`, 0 if it is not everywhere within a second."""
    try:
        return in_force(client, revision, timeout=2.5)
    except RpcFailed as failed:
        assert (failed.code, failed.reason) == ("UNAVAILABLE", "REVISION_NOT_REACHED")
        return 0


def change(client: Client, workspace: str) -> str:
    update = admin.UpdateWorkspaceRequest(workspace={"name": workspace, "display_name": "x"})
    update.update_mask.paths.append("display_name")
    return str(client.call("UpdateWorkspace", update).revision)


def test_after_the_wait_no_worker_answers_by_less(tmp_path: Path) -> None:
    """All workers of both servers are counted, and each answers by the change without being told its
    revision."""
    with serving(tmp_path / "a", "--workers", "2") as server:
        url = f"unix://{tmp_path}/a/store/valkey.sock"
        with serving(tmp_path / "b", "--redis-url", url, "--workers", "2") as other:
            clients = [target.client() for target in (server, other) for _ in range(6)]
            workspace = clients[0].workspace()
            key = clients[0].key(workspace, "k").api_key.name
            name = clients[0].allow_list(workspace, "l", ["192.0.2.1"]).name
            for client in clients:
                assert client.ask("8.8.8.8", api_key=key).allowed
            for index, writer in enumerate(clients):
                linking = writer.unlink if index % 2 else writer.link
                assert in_force(writer, linking(name, key)) == 4
                for client in clients:
                    assert client.ask("8.8.8.8", api_key=key).allowed == bool(index % 2)


def test_workers_that_end_are_not_waited_for(tmp_path: Path) -> None:
    """A killed worker is deregistered by its supervisor, and so is a server that stops."""
    with serving(tmp_path / "a", "--workers", "2") as server:
        url = f"unix://{tmp_path}/a/store/valkey.sock"
        client = server.client()
        workspace = client.workspace()
        with serving(tmp_path / "b", "--redis-url", url) as other:
            eventually(lambda: counts(client, change(client, workspace)) == 3, "all are counted")
            (worker,) = other.workers()
            os.kill(worker, signal.SIGKILL)
            eventually(lambda: other.workers() not in ([], [worker]), "it is replaced")
            eventually(
                lambda: counts(client, change(client, workspace)) == 3, "again", within=LEASE * 3
            )
        assert in_force(client, change(client, workspace)) == 2


def _frozen(server: Server) -> int:
    (worker,) = server.workers()
    os.kill(worker, signal.SIGSTOP)
    return worker


def test_a_frozen_worker_is_waited_for_while_it_may_answer(tmp_path: Path) -> None:
    """Until its lease runs out a revision is not in force; then it is, and the worker, thawed, does
    not answer from what it had. One that stays frozen is killed and replaced."""
    options = ("--max-staleness", str(STALENESS))
    with serving(tmp_path / "a", *options) as server:
        url = f"unix://{tmp_path}/a/store/valkey.sock"
        with serving(tmp_path / "b", "--redis-url", url, *options) as other:
            client, elsewhere = server.client(), other.client()
            workspace = client.workspace()
            key = client.key(workspace, "k").api_key.name
            assert elsewhere.ask("8.8.8.8", api_key=key).allowed
            worker = _frozen(other)
            disable = admin.UpdateApiKeyRequest(api_key={"name": key, "disabled": True})
            revision = client.call("UpdateApiKey", disable).revision
            with pytest.raises(RpcFailed, match="1 of 2 workers"):
                in_force(client, revision, timeout=2.5)
            eventually(lambda: counts(client, revision) == 1, "the lease runs out")
            os.kill(worker, signal.SIGCONT)

            def answered() -> bool:
                try:
                    assert not elsewhere.ask("8.8.8.8", api_key=key).allowed
                except RpcFailed as failed:
                    assert failed.code == "UNAVAILABLE"
                    return False
                return True

            eventually(answered, "the thawed worker answers")
            eventually(partial(_counted, client, revision, 2), "it is counted again")
            worker = _frozen(other)
            eventually(lambda: other.workers() not in ([], [worker]), "it is replaced", within=60)


def _counted(client: Client, revision: str, count: int) -> bool:
    return counts(client, revision) == count


def test_a_revision_that_is_none_is_refused(client: Client) -> None:
    """The violation names the field."""
    for text in ("", "x", "r1.0.0"):
        with pytest.raises(RpcFailed) as failed:
            in_force(client, text)
        assert list(failed.value.fields) == ["revision"]


def made_up(revision: str, *, epoch: str = "", ahead: int = 0) -> str:
    """A revision that nobody was given."""
    real = parse_revision("x", revision)
    return replace(
        real, epoch=epoch or real.epoch, sequence=real.sequence + ahead, change_id="0" * 16
    ).token()


@pytest.mark.parametrize("fields", [{"epoch": "f" * 16}, {"ahead": 100_000}])
def test_a_revision_of_another_store_is_not_waited_for(
    client: Client, workspace: str, fields: dict[str, Any]
) -> None:
    """A fresh look at the store settles it, for WaitForRevision and for `min_revision` alike."""
    foreign = made_up(change(client, workspace), **fields)
    key = client.key(workspace, "k").api_key.name
    for wait in (
        lambda: in_force(client, foreign),
        lambda: client.ask("192.0.2.1", api_key=key, min_revision=foreign),
    ):
        with pytest.raises(RpcFailed, match="does not have the revision") as failed:
            wait()
        assert (failed.value.code, failed.value.reason) == ("UNAVAILABLE", "REVISION_NOT_REACHED")


def test_waits_for_made_up_revisions_leave_room_for_others(client: Client, workspace: str) -> None:
    """A token holds a bounded number of waits; its other calls, and waits of other tokens, go on."""
    revision = made_up(change(client, workspace), ahead=500)
    viewer = Client(client.address, client.access_token("WORKSPACE_VIEWER", workspace).token)
    request = admin.WaitForRevisionRequest(revision=revision)

    def wait(_: int) -> str:
        try:
            viewer.call("WaitForRevision", request, timeout=5)
        except RpcFailed as failed:
            return failed.code
        return "OK"

    count = MAX_PER_TOKEN + 10
    with ThreadPoolExecutor(count) as pool:
        waiting = [pool.submit(wait, index) for index in range(count)]
        eventually(
            lambda: sum(future.done() for future in waiting) >= 10, "the excess fails immediately"
        )
        assert viewer.call("GetWorkspace", admin.GetWorkspaceRequest(name=workspace))
        assert in_force(client, change(client, workspace))
        results = [future.result() for future in waiting]
    assert results.count("RESOURCE_EXHAUSTED") == 10
    assert "OK" not in results


def test_a_wait_that_ended_makes_room() -> None:
    """What is counted is given back, whatever ends the wait, and root has no workspace to fill."""
    waits = RevisionWaits()
    caller = Caller("t", Role.AUTHORIZER, "w")
    with ExitStack() as stack:
        for _ in range(MAX_PER_TOKEN):
            stack.enter_context(waits.waiting(caller))
        with pytest.raises(LimitExceeded), waits.waiting(caller):
            pass
        with waits.waiting(Caller("other", Role.AUTHORIZER, "w")):
            pass
        for number in range(MAX_PER_WORKSPACE - MAX_PER_TOKEN):
            another = Caller(f"t{number // 10}", Role.AUTHORIZER, "w")
            stack.enter_context(waits.waiting(another))
        with (
            pytest.raises(LimitExceeded, match="workspace"),
            waits.waiting(Caller("new", Role.AUTHORIZER, "w")),
        ):
            pass
        with waits.waiting(Caller("new", Role.AUTHORIZER, "elsewhere")):
            pass
    with waits.waiting(caller):
        pass


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
