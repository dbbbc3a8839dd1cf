"""Calls of a running server: CPU per call against the floor, and how fast a change arrives."""

import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from ipgate.app.worker import Orders
from ipgate.settings import Settings
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from bench.table import Figure
from bench.worker import EMPTY
from tests.harness.servers import ROOT_TOKEN, Client, Server, serving

AUTHORIZE = "/ipgate.v1.AuthorizeService/Authorize"
BATCH = "/ipgate.v1.AuthorizeService/BatchAuthorize"
_CALLS = 20_000
_BATCH = 100
_ROUNDS = 7
_CHANGES = 400
_TICK = os.sysconf("SC_CLK_TCK")


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory) / "a") as server:
        url = f"unix://{directory}/a/store/valkey.sock"
        figures = arrivals(server, url, Path(directory))
        with bench_worker(url, directory) as (pid, address):
            return figures + against_the_floor(pid, address, Path(directory))


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
                add = admin.AddRangesRequest(allow_list=allow_list, ranges=[ip])
                revision = clients[index % 2].call("AddRanges", add).revision
                began = time.perf_counter()
                asked = [pool.submit(arrived, client, ip, revision) for client in clients]
                assert all(each.result() for each in asked)
                times.append((time.perf_counter() - began) * 1000)
        p99 = statistics.quantiles(times, n=100)[98]
        return [
            Figure(
                "change acknowledged -> 2 servers answer by it, median",
                statistics.median(times),
                "ms",
            ),
            Figure("change acknowledged -> 2 servers answer by it, p99", p99, "ms", 10),
        ]


@contextmanager
def bench_worker(url: str, directory: str) -> Iterator[tuple[int, str]]:
    """A worker with the floor in it; its process id and address."""
    port = 50911
    settings = Settings(listen=f"127.0.0.1:{port}", data_dir=Path(directory), log_level="ERROR")
    orders = Orders(
        settings, url, port, hashlib.sha256(ROOT_TOKEN.encode()).hexdigest(), "bench", ""
    )
    command = [sys.executable, "-m", "bench.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{orders.to_json()}\n".encode())
        process.stdin.flush()
        assert process.stdout.readline()
        try:
            yield process.pid, f"127.0.0.1:{port}"
        finally:
            process.terminate()


def against_the_floor(pid: int, address: str, directory: Path) -> list[Figure]:
    """CPU per call of Authorize on a hit and of an empty handler, in turn, in one process."""
    client = Client(address)
    workspace = client.workspace()
    made = client.key(workspace, "k")
    allow_list = client.allow_list(workspace, "l", ["10.0.0.0/9", "192.0.2.1"]).name
    client.link(allow_list, made.api_key.name)
    token = client.access_token("AUTHORIZER", workspace).token
    question = authorize.AuthorizeRequest(key=made.credential, ip="10.1.2.3")
    assert client.as_(token).call("Authorize", question).allowed
    batch = authorize.BatchAuthorizeRequest(requests=[question] * _BATCH)
    floor, hits, ratios, batches = [], [], [], []
    for _ in range(_ROUNDS):
        floor.append(cpu(pid, address, EMPTY, b"", token, directory))
        hits.append(cpu(pid, address, AUTHORIZE, question.SerializeToString(), token, directory))
        ratios.append(hits[-1] / floor[-1])
        body = batch.SerializeToString()
        batches.append(cpu(pid, address, BATCH, body, token, directory, calls=_CALLS // _BATCH))
    assert client.as_(token).call("Authorize", question).allowed
    return [
        Figure("empty handler, CPU per call", statistics.median(floor), "µs"),
        Figure("Authorize on a hit, CPU per call", statistics.median(hits), "µs"),
        Figure("Authorize on a hit : empty handler", statistics.median(ratios), "x", 1.15),
        Figure(
            f"BatchAuthorize of {_BATCH}, CPU per decision",
            statistics.median(batches) / _BATCH,
            "µs",
        ),
    ]


def cpu(
    pid: int,
    address: str,
    path: str,
    message: bytes,
    token: str,
    directory: Path,
    *,
    calls: int = _CALLS,
) -> float:
    """µs of CPU that the server spends on a call, under load from 4 connections x 32 streams."""
    body = directory / "body"
    body.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
    before = spent(pid)
    done = subprocess.run(
        [
            "h2load",
            *("-n", str(calls), "-c", "4", "-m", "32", "-d", str(body)),
            *("-H", "content-type: application/grpc", "-H", "te: trailers"),
            *("-H", f"authorization: Bearer {token}", f"http://{address}{path}"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{calls} succeeded, 0 failed" in done.stdout, done.stdout
    return (spent(pid) - before) / calls * 1e6


def spent(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK
