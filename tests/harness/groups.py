"""Several stores that act as one, on loopback: a primary with a replica under a sentinel, and a
Redis Cluster."""

import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import redis

from tests.harness.stores import KIND, StoreServer, binary
from tests.harness.waiting import eventually

DOWN_AFTER = 500
"""Milliseconds without an answer after which a server counts as down."""

SLOTS = 16384


def free_ports(count: int) -> list[int]:
    """TCP ports that nobody uses."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def freeze(store: StoreServer) -> None:
    assert store.process is not None
    store.process.send_signal(signal.SIGSTOP)


def thaw(store: StoreServer) -> None:
    assert store.process is not None
    store.process.send_signal(signal.SIGCONT)


class SentinelGroup:
    """A primary, a replica, and a sentinel that watches them."""

    def __init__(self, directory: Path) -> None:
        first, second, self._port = free_ports(3)
        self._directory = directory
        self.primary = StoreServer(directory / "p", port=first)
        self.replica = StoreServer(
            directory / "r", "--replicaof", "127.0.0.1", str(first), port=second
        )
        self._sentinel: subprocess.Popen[bytes] | None = None
        self.url = f"redis+sentinel://127.0.0.1:{self._port}/ipgate"

    def start(self) -> "SentinelGroup":
        self.primary.start()
        self.replica.start()
        with self.replica.client() as client:
            eventually(lambda: _info(client)["master_link_status"] == "up", "the replica follows")
        config = self._directory / "sentinel.conf"
        config.write_text(
            f"port {self._port}\ndir {self._directory}\nlogfile {self._directory}/sentinel.log\n"
            f"sentinel monitor ipgate 127.0.0.1 {self.primary.port} 1\n"
            f"sentinel down-after-milliseconds ipgate {DOWN_AFTER}\n"
            "sentinel failover-timeout ipgate 3000\n"
        )
        command = [binary(KIND), str(config), "--sentinel"]
        self._sentinel = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with redis.Redis(port=self._port, decode_responses=True) as client:
            eventually(lambda: _knows_replica(client), "the sentinel knows the replica")
        return self

    def promoted(self) -> bool:
        """Whether the replica is the primary now."""
        with self.replica.client() as client:
            return bool(_info(client)["role"] == "master")

    def stop(self) -> None:
        if self._sentinel is not None:
            self._sentinel.terminate()
            self._sentinel.wait()
        for store in (self.primary, self.replica):
            thaw(store)
            store.stop()


class Cluster:
    """Primaries that share the slots evenly, each with so many replicas."""

    def __init__(self, directory: Path, *, primaries: int = 3, replicas: int = 0) -> None:
        count = primaries * (1 + replicas)
        ports = free_ports(2 * count)
        self.nodes = [
            StoreServer(
                directory / str(index),
                *("--cluster-enabled", "yes", "--cluster-node-timeout", "1000"),
                *("--cluster-port", str(ports[count + index])),
                *("--cluster-replica-validity-factor", "0"),
                port=ports[index],
            )
            for index in range(count)
        ]
        self._bus = dict(zip(ports[:count], ports[count:], strict=True))
        self.primaries = self.nodes[:primaries]
        self.url = "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def start(self) -> "Cluster":
        for node in self.nodes:
            node.start()
        share = -(-SLOTS // len(self.primaries))
        for index, node in enumerate(self.primaries):
            last = min(share * (index + 1), SLOTS) - 1
            self.ask(node, "CLUSTER ADDSLOTSRANGE", share * index, last)
        for node in self.nodes[1:]:
            self.ask(self.nodes[0], "CLUSTER MEET", "127.0.0.1", node.port, self._bus[node.port])
        for node in self.nodes:
            eventually(partial(self._knows_all, node), "the nodes know each other")
        for index, node in enumerate(self.nodes[len(self.primaries) :]):
            primary = self.primaries[index % len(self.primaries)]
            self.ask(node, "CLUSTER REPLICATE", self.id(primary))
        for node in self.nodes:
            eventually(partial(self.is_up, node), "the cluster is up")
        return self

    def ask(self, node: StoreServer, command: str, *args: Any) -> Any:
        with node.client() as client:
            return client.execute_command(command, *args)

    def id(self, node: StoreServer) -> str:
        return str(self.ask(node, "CLUSTER MYID"))

    def is_up(self, node: StoreServer) -> bool:
        state = self.ask(node, "CLUSTER INFO")
        slots = self.ask(node, "CLUSTER SLOTS")
        covered = sum(last - first + 1 for first, last, *_ in slots)
        return bool(state["cluster_state"] == "ok" and covered == SLOTS)

    def owner(self, key: str) -> StoreServer:
        """The primary that has a key's slot."""
        alive = next(node for node in self.nodes if node.is_running())
        slot = self.ask(alive, "CLUSTER KEYSLOT", key)
        for first, last, primary, *_ in self.ask(alive, "CLUSTER SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == primary[1])
        raise AssertionError("no node has the slot")

    def move(
        self,
        key: str,
        target: StoreServer,
        *,
        first: Sequence[str] = (),
        midway: Callable[[], None] = lambda: None,
    ) -> None:
        """Moves a key's slot to another primary, key by key, as resharding does; calls `midway` when
        the keys `first` have moved."""
        source = self.owner(key)
        slot = self.ask(source, "CLUSTER KEYSLOT", key)
        self.ask(target, "CLUSTER SETSLOT", slot, "IMPORTING", self.id(source))
        self.ask(source, "CLUSTER SETSLOT", slot, "MIGRATING", self.id(target))
        if first:
            self.ask(source, "MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *first)
        midway()
        while names := self.ask(source, "CLUSTER GETKEYSINSLOT", slot, 3):
            self.ask(source, "MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *names)
        for node in (target, source, *self.primaries):
            self.ask(node, "CLUSTER SETSLOT", slot, "NODE", self.id(target))

    def _knows_all(self, node: StoreServer) -> bool:
        known = self.ask(node, "CLUSTER NODES")
        linked = [node for node in known.values() if node["connected"] or "myself" in node["flags"]]
        return len(linked) == len(self.nodes)

    def stop(self) -> None:
        for node in self.nodes:
            thaw(node)
            node.stop()


def _info(client: redis.Redis) -> dict[str, Any]:
    state: dict[str, Any] = client.info("replication")
    return state


def _knows_replica(client: redis.Redis) -> bool:
    replicas: Any = client.sentinel_slaves("ipgate")
    return bool(replicas)
