"""A flood of credentials that nobody has: what it costs, and what it does to a key that is known.

`make bench ARGS=flood`, or `ARGS='flood 200000'` for another number than 1,000,000.
"""

import multiprocessing
import secrets
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import redis
from ipgate.v1 import authorize_pb2 as authorize

from bench.figures import Figure, latencies
from bench.processes import memory
from tests.harness.servers import Client, RpcFailed, Server, serving

_BATCH = 1000
_SINGLE = 10
"""One of so many credentials is asked for in a call of its own."""
_CALLERS = 4
_QUIET = 2000


def measure(count: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory)) as server:
        store = redis.Redis(unix_socket_path=f"{directory}/store/valkey.sock")
        (worker,) = server.workers()
        client = server.client()
        workspace = client.workspace()
        credential = client.key(workspace, "k").credential
        token = client.access_token("AUTHORIZER", workspace).token
        flood(
            server.address, token, 40_000
        )  # what is remembered of unknown keys is full from here on
        quiet = [ask(client, token, credential) for _ in range(_QUIET)]
        before, commands, began = memory([worker]), processed(store), time.perf_counter()
        under, refused = beside(server, token, credential, count)
        lasted = time.perf_counter() - began
        return [
            Figure("unknown credentials asked for", count, ""),
            Figure("of them answered a second", count / lasted, "/s"),
            Figure("refused as UNAVAILABLE", refused, ""),
            Figure("worker's memory before", before, "MB"),
            Figure("worker's memory grew by", memory([worker]) - before, "MB"),
            Figure("commands at the store", (processed(store) - commands) / lasted, "/s"),
            *latencies("known key, no flood", quiet),
            *latencies("known key, under the flood", under),
        ]


def beside(server: Server, token: str, credential: str, count: int) -> tuple[list[float], int]:
    """Milliseconds of each question about a known key while the flood runs, and how many of the
    flood's questions failed."""
    client, times = server.client(), list[float]()
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        flooding = pool.submit(flood, server.address, token, count)
        while not flooding.done():
            times.append(ask(client, token, credential))
            time.sleep(0.005)
        return times, flooding.result()


def ask(client: Client, token: str, credential: str) -> float:
    began = time.perf_counter()
    assert client.as_(token).ask("192.0.2.1", key=credential).allowed
    return (time.perf_counter() - began) * 1000


def flood(address: str, token: str, count: int) -> int:
    """Asks for `count` made-up credentials from several connections; how many failed."""
    with ThreadPoolExecutor(_CALLERS) as pool:
        batches = pool.map(lambda _: batch(Client(address, token)), range(count // _BATCH))
        return sum(batches)


def batch(client: Client) -> int:
    """One portion of the flood: most of it in a BatchAuthorize, the rest in calls of their own."""
    questions = [
        authorize.AuthorizeRequest(key=secrets.token_hex(16), ip="192.0.2.1") for _ in range(_BATCH)
    ]
    alone = _BATCH // _SINGLE
    refused = 0
    for question in questions[:alone]:
        try:
            client.call("Authorize", question)
        except RpcFailed:
            refused += 1
    try:
        request = authorize.BatchAuthorizeRequest(requests=questions[alone:])
        results = client.call("BatchAuthorize", request).results
        refused += sum(result.WhichOneof("result") == "error" for result in results)
    except RpcFailed:
        refused += _BATCH - alone
    client.channel.close()
    return refused


def processed(store: "redis.Redis") -> int:
    return int(store.info("stats")["total_commands_processed"])
