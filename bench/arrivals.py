"""How fast a change arrives at two servers."""

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ipgate.v1 import admin_pb2 as admin

from bench.figures import Figure, latencies
from tests.harness.ranges import plain
from tests.harness.servers import Client, Server, serving

_CHANGES = 400


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory) / "a") as server:
        return arrivals(server, f"unix://{directory}/a/store/valkey.sock", Path(directory))


def arrivals(server: Server, url: str, directory: Path) -> list[Figure]:
    """Milliseconds from the acknowledgement of a change until two servers have answered by it."""
    with serving(directory / "b", "--redis-url", url) as other:
        clients = [server.client(), other.client()]
        workspace = clients[0].workspace()
        key = clients[0].key(workspace, "k").api_key.name
        allow_list = clients[0].allow_list(workspace, "l", ["10.0.0.1"]).name
        clients[0].link(allow_list, key)
        times = []

        def arrived(client: Client, ip: str, revision: str) -> bool:
            return bool(client.ask(ip, api_key=key, min_revision=revision).allowed)

        with ThreadPoolExecutor(2) as pool:
            for index in range(_CHANGES):
                ip = f"10.1.{index // 250}.{index % 250}"
                add = admin.AddRangesRequest(allow_list=allow_list, ranges=plain([ip]))
                revision = clients[index % 2].call("AddRanges", add).revision
                began = time.perf_counter()
                asked = [pool.submit(arrived, client, ip, revision) for client in clients]
                assert all(task.result() for task in asked)
                times.append((time.perf_counter() - began) * 1000)
        return latencies("change acknowledged -> 2 servers answer by it", times)
