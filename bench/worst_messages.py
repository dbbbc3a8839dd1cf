"""How long the worst request of each method holds the event loop, beyond what decoding it takes.

`make bench ARGS=messages`. Each method gets requests that are as large as it takes them, full of what
costs most: empty entries, unknown fields, bad values, values that are all different. The loop is asked
all the while how late it is.
"""

import asyncio
import gc
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError, Message
from ipgate.app.admin_servicers import admin_servicers
from ipgate.authorizer.revision_waits import RevisionWaits
from ipgate.authorizer.worker_lease import WorkerLease
from ipgate.domain.forwarded import NO_PROXIES
from ipgate.domain.key_source import DEFAULT, KeySources
from ipgate.domain.resources import Caller, Role
from ipgate.rpc.access import RULES
from ipgate.rpc.authorize import AuthorizeServicer
from ipgate.rpc.decisions import Decisions
from ipgate.rpc.ext_authz import ExtAuthzServicer
from ipgate.rpc.gateway import GatewayRules
from ipgate.rpc.pipeline import (
    UNCOUNTED_BYTES,
    CallAborted,
    Method,
    RequestSizes,
    all_methods,
)
from ipgate.rpc.revisions import RevisionServicer
from ipgate.store.worker_registry import WorkerRegistry
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from bench.figures import Figure
from tests.harness.in_process import Root, Worker, running_worker
from tests.harness.ranges import plain
from tests.harness.stores import StoreServer

_SIZES = RequestSizes()
_ROUNDS = 3
_RANGES = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(100_000)]


class _Root:
    """Knows everybody as root."""

    caller_of_all = Caller("<root>", Role.ROOT)

    def try_authenticate(self, _authorization: str) -> Caller:
        return self.caller_of_all

    async def authenticate(self, _authorization: str) -> Caller:
        return self.caller_of_all


class _Call(Root):
    def time_remaining(self) -> float | None:
        return 0.5


def measure(_count: int = 0) -> list[Figure]:
    """One figure for each method: the longest hold of its worst request, in ms."""
    with tempfile.TemporaryDirectory() as directory:
        store = StoreServer(Path(directory) / "s").start()
        try:
            return asyncio.run(_measure(store.url))
        finally:
            store.stop()


async def _measure(url: str) -> list[Figure]:
    figures = []
    async with running_worker(url) as worker:
        await worker.allow_list("l", "192.0.2.1")
        await worker.allow_list("big", *_RANGES)
        await worker.key("k")
        await asyncio.gather(*(worker.key(f"k{n}") for n in range(1000)))
        await worker.link("big", *(f"k{n}" for n in range(1000)))
        for path, method in _methods(worker).items():
            name = path.rpartition("/")[2]
            worst = 0.0
            for raw in list(_requests(worker.workspace, method)):
                worst = max(worst, await _least_hold(method, raw))
            figures.append(Figure(f"loop held by the worst {name}", worst, "ms"))
    longest = max(figure.measured for figure in figures)
    return [*figures, Figure("loop held by the worst request of any method", longest, "ms")]


def _methods(worker: Worker) -> dict[str, Any]:
    lease = WorkerLease(WorkerRegistry(worker.scripts), worker.follower, worker.clock, worker="w")
    worker.follower.freshness.lease(float("inf"))
    authenticator: Any = _Root()
    decisions = Decisions(worker.authorizer)
    return all_methods(
        [
            *admin_servicers(worker.lists.quotas, worker.scripts, worker.clock),
            RevisionServicer(lease, RevisionWaits()),
        ],
        [AuthorizeServicer(decisions)],
        [ExtAuthzServicer(decisions, GatewayRules(KeySources(DEFAULT), NO_PROXIES))],
        authenticator,
        _SIZES,
    )


def _requests(workspace: str, method: Method) -> Iterator[bytes]:
    """Requests as large as the method takes them."""
    max_bytes, max_fields = _SIZES.of(RULES[method.name].size)
    for entry in (b"\x0a\x00", b"\x12\x00", b"\x1a\x00", b"\x7a\x00", b"\x7b\x7c"):
        yield entry * (max_bytes // len(entry))
        yield entry * min(max_fields, max_bytes // len(entry))
    yield b"\x0a" + bytes(
        [0x80 | max_bytes & 0x7F, 0x80 | max_bytes >> 7 & 0x7F, max_bytes >> 14 & 0x7F]
    )
    parent = f"workspaces/{workspace}"
    texts = _RANGES
    bad = [f"x{n}" for n in range(100_000)]
    long = "x" * (max_bytes - 200)
    allow_list = f"{parent}/allowLists/l"
    messages: dict[str, Sequence[Message]] = {
        "CreateAllowList": [
            admin.CreateAllowListRequest(parent=parent, allow_list={"display_name": "n", "description": "d", "ranges": plain(ranges)})
            for ranges in (texts, bad)
        ] + [admin.CreateAllowListRequest(parent=parent, allow_list={"display_name": long, "description": long[: 100]})],
        "UpdateAllowList": [
            admin.UpdateAllowListRequest(allow_list={"name": allow_list, "ranges": plain(ranges)}) for ranges in (texts, bad)
        ],
        "AddRanges": [admin.AddRangesRequest(allow_list=allow_list, ranges=plain(ranges)) for ranges in (texts, bad)],
        "RemoveRanges": [admin.RemoveRangesRequest(allow_list=allow_list, ranges=ranges) for ranges in (bad, texts)],
        "GetAllowList": [admin.GetAllowListRequest(name=f"{parent}/allowLists/big")],
        "ListApiKeys": [admin.ListApiKeysRequest(parent=parent, page_size=1000)],
        "ListLinkedApiKeys": [admin.ListLinkedApiKeysRequest(allow_list=f"{parent}/allowLists/big", page_size=1000)],
        "LinkApiKeys": [admin.LinkApiKeysRequest(allow_list=allow_list, api_keys=[f"{parent}/apiKeys/k{n}" for n in range(1000)])],
        "BatchAuthorize": [
            authorize.BatchAuthorizeRequest(requests=[{"key": f"k{n}", "ip": "192.0.2.1"} for n in range(1000)]),
            authorize.BatchAuthorizeRequest(requests=[{"api_key": "x" * 900, "ip": "y"} for n in range(1000)]),
        ],
        "Authorize": [authorize.AuthorizeRequest(key="k", ip="y" * (max_bytes - 100))],
    }  # fmt: skip
    for request in messages.get(method.name.rpartition("/")[2], ()):
        yield request.SerializeToString()


async def _least_hold(method: Method, raw: bytes) -> float:
    """The hold of the loop by a request less its decoding, in ms: the least of some rounds."""
    decoding = _decoding(method, raw)
    holds = [await _hold(method, raw) for _ in range(_ROUNDS)]
    return max(0.0, min(holds) - decoding)


def _decoding(method: Method, raw: bytes) -> float:
    _, max_fields = _SIZES.of(RULES[method.name].size)
    if len(raw) // 2 > max_fields and len(raw) > UNCOUNTED_BYTES:
        return 0.0  # it is rejected before
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        try:
            method.decode(raw)
        except DecodeError:
            return 0.0
        best = min(best, time.perf_counter() - began)
    return best * 1000


async def _hold(method: Method, raw: bytes) -> float:
    """The longest time between two turns of the loop while a request is answered, in ms."""
    max_duration, last = 0.0, time.perf_counter()

    async def watch() -> None:
        nonlocal max_duration, last
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            max_duration, last = max(max_duration, now - last), now

    # What the benchmark itself holds would make each collection of garbage longer than in a worker.
    gc.collect()
    gc.freeze()
    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    max_duration, last = 0.0, time.perf_counter()
    with suppress(CallAborted):
        answer = (
            method.answer_upload(_Call(), [raw])
            if method.max_upload
            else method.start(_Call(), raw)
        )
        if not isinstance(answer, bytes):
            await answer
    await asyncio.sleep(0)
    watching.cancel()
    return max_duration * 1000
