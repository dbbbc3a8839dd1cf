"""Redis Sentinel and Redis Cluster: a primary that is lost, a slot that is moved."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from ipgate.domain.shards import shard_of
from ipgate.store.key_names import changes, meta, shard_prefix
from ipgate.v1 import admin_pb2 as admin

from tests.harness.groups import Cluster, SentinelGroup, freeze, thaw
from tests.harness.ranges import cidrs, plain
from tests.harness.servers import Client, RpcFailed, serving
from tests.harness.waiting import eventually

pytestmark = pytest.mark.store


@pytest.fixture
def group(tmp_path: Path) -> Iterator[SentinelGroup]:
    group = SentinelGroup(tmp_path / "g")
    try:
        yield group.start()
    finally:
        group.stop()


def works(client: Client, workspace: str, allow_list: str, ip: str) -> bool:
    """Whether a change can be made now."""
    try:
        client.call(
            "AddRanges",
            admin.AddRangesRequest(allow_list=allow_list, ranges=plain([ip])),
            timeout=5,
        )
    except RpcFailed as failed:
        assert failed.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED"), failed
        return False
    return True


class Load:
    """Adds addresses to a list, one after the other, and asks about a key all the time."""

    def __init__(self, client: Client, workspace: str) -> None:
        self._client = client
        self.workspace = workspace
        self.list = client.allow_list(workspace, "l", ["10.255.0.0"]).name
        self.key = client.key(workspace, "k").api_key.name
        client.link(self.list, self.key)
        client.ask("10.255.0.0", api_key=self.key)
        self.acknowledged: list[str] = []
        self.wrong: list[str] = []
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=target) for target in (self._write, self._read)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _write(self) -> None:
        index = 0
        while not self._stop.is_set():
            ip = f"10.0.{index // 256}.{index % 256}"
            index += 1
            if works(self._client, self.workspace, self.list, ip):
                self.acknowledged.append(ip)

    def _read(self) -> None:
        while not self._stop.is_set():
            try:
                inside = self._client.ask("10.255.0.0", api_key=self.key, timeout=5)
                outside = self._client.ask("192.0.2.1", api_key=self.key, timeout=5)
            except RpcFailed as failed:
                if failed.code not in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
                    self.wrong.append(str(failed))
            else:
                if not inside.allowed or outside.allowed:
                    self.wrong.append(f"{inside} {outside}")

    def has_made(self, count: int) -> bool:
        return len(self.acknowledged) >= count

    def answers(self) -> bool:
        try:
            return bool(self._client.ask("10.255.0.0", api_key=self.key, timeout=5).allowed)
        except RpcFailed:
            return False

    def check(self) -> None:
        """Every acknowledged change is there, and no answer was wrong."""
        allow_list = self._client.call("GetAllowList", admin.GetAllowListRequest(name=self.list))
        assert not set(self.acknowledged) - set(cidrs(allow_list))
        assert not self.wrong


def test_a_lost_primary_costs_no_acknowledged_change(group: SentinelGroup, tmp_path: Path) -> None:
    """With --min-replicas-ack 1 all that was acknowledged is there after the sentinel's failover,
    and answers are right all along."""
    with serving(tmp_path / "a", "--redis-url", group.url, "--min-replicas-ack", "1") as server:
        client = server.client()
        load = Load(client, client.workspace())
        with load.running():
            eventually(lambda: len(load.acknowledged) > 50, "changes are made")
            group.primary.kill()
            eventually(group.promoted, "the replica is promoted")
        eventually(load.answers, "answers go on")
    # The new primary has no replica, so it acknowledges nothing until an operator says so.
    with serving(tmp_path / "b", "--redis-url", group.url) as server:
        load._client = server.client()
        load.check()


def test_a_promoted_replica_without_the_last_changes_is_noticed(
    group: SentinelGroup, tmp_path: Path
) -> None:
    """What the lost primary alone had stops to decide, and its revision is answered by no longer."""
    with serving(tmp_path / "a", "--redis-url", group.url) as server:
        client = server.client()
        workspace = client.workspace(require_allow_list=True)
        allow_list = client.allow_list(workspace, "l", ["10.0.0.0/8"]).name
        key = client.key(workspace, "k")
        revision = key.api_key.revision
        with group.primary.client() as primary:
            eventually(lambda: primary.execute_command("WAIT", 1, 1000) >= 1, "the replica has it")
            freeze(group.replica)
            # What is on its way would reach the replica still.
            primary.execute_command("CLIENT KILL", "TYPE", "replica")
        lost = client.link(allow_list, key.api_key.name)
        assert client.ask("10.0.0.1", key=key.credential, min_revision=lost).allowed
        group.primary.kill()
        thaw(group.replica)
        eventually(group.promoted, "the replica is promoted")

        def denied() -> bool:
            try:
                return not client.ask("10.0.0.1", key=key.credential, timeout=5).allowed
            except RpcFailed as failed:
                assert failed.code == "UNAVAILABLE"
                return False

        eventually(denied, "the lost link decides no more")
        with pytest.raises(RpcFailed, match="UNAVAILABLE"):
            client.ask("10.0.0.1", key=key.credential, min_revision=lost, timeout=2)
        assert not client.ask("10.0.0.1", key=key.credential, min_revision=revision).allowed
        # Another change takes the number of the lost one, and is not taken for it.
        eventually(lambda: works(client, workspace, allow_list, "10.9.9.9"), "changes are made")
        with pytest.raises(RpcFailed, match="UNAVAILABLE"):
            client.ask("10.0.0.1", key=key.credential, min_revision=lost, timeout=2)


def test_a_change_that_no_replica_confirms_is_not_acknowledged(
    group: SentinelGroup, tmp_path: Path
) -> None:
    """With --min-replicas-ack 1 and a replica that hangs, a change fails; with it back, it works."""
    with serving(tmp_path / "a", "--redis-url", group.url, "--min-replicas-ack", "1") as server:
        client = server.client()
        workspace = client.workspace()
        freeze(group.replica)
        with pytest.raises(RpcFailed) as failed:
            client.allow_list(workspace, "l", ["10.0.0.1"])
        assert (failed.value.code, failed.value.reason) == ("UNAVAILABLE", "NOT_REPLICATED")
        thaw(group.replica)
        eventually(
            lambda: works(client, workspace, f"{workspace}/allowLists/l", "10.0.0.2"),
            "the replica confirms again",
        )


@contextmanager
def cluster(directory: Path, *, replicas: int) -> Iterator[Cluster]:
    cluster = Cluster(directory, replicas=replicas)
    try:
        yield cluster.start()
    finally:
        cluster.stop()


def test_a_slot_moves_under_load(tmp_path: Path) -> None:
    """While a shard is moved from node to node key by key, no answer is wrong, no change is made by
    half, and none that was acknowledged is lost; afterwards all works as before."""
    with (
        cluster(tmp_path / "c", replicas=0) as nodes,
        serving(tmp_path / "a", "--redis-url", nodes.url) as server,
        serving(tmp_path / "b", "--redis-url", nodes.url) as other,
    ):
        client = server.client()
        load = Load(client, client.workspace())
        shard = shard_of(load.workspace.removeprefix("workspaces/"))
        for index in range(20):
            client.key(load.workspace, f"k{index}")
        with load.running():
            for _ in range(3):
                acknowledged = len(load.acknowledged)
                eventually(partial(load.has_made, acknowledged + 20), "changes are made")
                owner = nodes.owner(meta(shard))
                target = next(node for node in nodes.primaries if node is not owner)
                nodes.move(meta(shard), target)
            acknowledged = len(load.acknowledged)
            eventually(partial(load.has_made, acknowledged + 20), "changes are made again")
        load.check()
        last = client.call(
            "AddRanges", admin.AddRangesRequest(allow_list=load.list, ranges=plain(["10.8.8.8"]))
        ).revision
        answer = other.client().ask("10.8.8.8", api_key=load.key, min_revision=last)
        assert answer.allowed
        waited = admin.WaitForRevisionRequest(revision=last)
        assert client.call("WaitForRevision", waited, timeout=60).worker_count == 2


def test_half_a_shard_decides_nothing(tmp_path: Path) -> None:
    """When a key has moved and its links have not, it is not taken for one that is linked to nothing,
    and a list does not get ranges where its others are not."""
    with (
        cluster(tmp_path / "c", replicas=0) as nodes,
        serving(tmp_path / "a", "--redis-url", nodes.url) as server,
        serving(tmp_path / "b", "--redis-url", nodes.url) as other,
    ):
        client, fresh = server.client(), other.client()
        workspace = client.workspace()
        allow_list = client.allow_list(workspace, "l", ["10.0.0.0/8"]).name
        key = client.key(workspace, "k").api_key.name
        client.link(allow_list, key)
        shard = shard_of(workspace.removeprefix("workspaces/"))
        owner = f"{shard_prefix(shard)}ws:{workspace.removeprefix('workspaces/')}"

        def midway() -> None:
            for ip in ("192.0.2.1", "10.0.0.1"):
                with pytest.raises(RpcFailed, match="UNAVAILABLE"):
                    fresh.ask(ip, api_key=key)
            assert not works(client, workspace, allow_list, "192.0.2.1")

        target = next(node for node in nodes.primaries if node is not nodes.owner(meta(shard)))
        first = [meta(shard), changes(shard), owner, f"{owner}:key:k", f"{owner}:list:l"]
        nodes.move(meta(shard), target, first=first, midway=midway)
        eventually(partial(works, client, workspace, allow_list, "10.9.9.9"), "changes are made")
        assert not fresh.ask("192.0.2.1", api_key=key).allowed
        assert fresh.ask("10.0.0.1", api_key=key).allowed


def confirmed_workspace(client: Client) -> str:
    """A workspace that the replicas have, which have just begun to follow."""
    names: list[str] = []

    def created() -> bool:
        try:
            names.append(client.workspace())
        except RpcFailed as failed:
            assert failed.code == "UNAVAILABLE"
        return bool(names)

    eventually(created, "a replica confirms a change")
    return names[0]


def test_a_lost_primary_of_a_cluster_is_replaced(tmp_path: Path) -> None:
    """With --min-replicas-ack 1 all that was acknowledged is there after the cluster's failover."""
    with (
        cluster(tmp_path / "c", replicas=1) as nodes,
        serving(tmp_path / "a", "--redis-url", nodes.url, "--min-replicas-ack", "1") as server,
    ):
        client = server.client()
        load = Load(client, confirmed_workspace(client))
        shard = shard_of(load.workspace.removeprefix("workspaces/"))
        lost = nodes.owner(meta(shard))
        with load.running():
            eventually(lambda: len(load.acknowledged) > 50, "changes are made")
            lost.kill()
            eventually(lambda: nodes.owner(meta(shard)) is not lost, "a replica is promoted")
        eventually(load.answers, "answers go on")
        eventually(lambda: _reads(client, load), "reads work again")
        load.check()


def _reads(client: Client, load: Load) -> bool:
    try:
        client.call("GetAllowList", admin.GetAllowListRequest(name=load.list), timeout=5)
    except RpcFailed:
        return False
    return True
