"""Servers are replaced one after the other under load, as Kubernetes does, and no call fails."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import pytest

from tests.harness.operations import Operations, operated
from tests.harness.servers import Client, RpcFailed
from tests.harness.stores import StoreServer

pytestmark = pytest.mark.engine

SPREAD = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": ""},
}
"""What docs/operations.md tells clients to set."""


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


@contextmanager
def asking(client: Client, key: str) -> Iterator[tuple[list[str], list[float]]]:
    """Calls without a pause from four threads: the failures, and when calls were answered."""
    failures: list[str] = []
    answered: list[float] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                assert client.ask("192.0.2.1", api_key=key).allowed
                answered.append(time.monotonic())
            except (RpcFailed, AssertionError) as error:
                failures.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield failures, answered
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_no_call_fails_while_servers_are_replaced(tmp_path: Path) -> None:
    """A server that stops says so, drains, and is ready again before the next one stops."""
    first, second, *operations = free_ports(4)
    store = StoreServer(tmp_path / "store").start()

    def server(number: int, port: int) -> Operations:
        options = (
            "--redis-url", store.url, "--listen", f"127.0.0.1:{port}", "--workers", "1",
            "--drain-delay", "1", "--shutdown-grace", "5",
        )  # fmt: skip
        return running.enter_context(operated(tmp_path / str(number), operations[number], *options))

    with ExitStack() as running:
        running.callback(store.stop)
        servers = [server(0, first), server(1, second)]
        channel = grpc.insecure_channel(
            f"ipv4:127.0.0.1:{first},127.0.0.1:{second}",
            (("grpc.service_config", json.dumps(SPREAD)),),
        )
        client = Client("", channel=channel)
        key = client.key(client.workspace(), "k").api_key.name
        with asking(client, key) as (failures, answered):
            for number, port in enumerate((first, second)):
                while len(answered) < 200:
                    time.sleep(0.02)
                servers[number].server.stop()
                servers[number] = server(number, port)
                servers[number].wait_for("ipgate_workers_serving", is_so=bool)
                # The new one has to take a share before the next one goes.
                hits = ("UNRESTRICTED", "true", "false")
                servers[number].wait_for("ipgate_decisions_total", *hits, is_so=lambda n: n > 50)
                answered.clear()
        assert not failures
