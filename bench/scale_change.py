"""What changes of a list with very many ranges and keys cost, and what they do to decisions."""

import statistics
import time

from ipgate.v1 import admin_pb2 as admin

from bench.figures import Figure, latencies
from bench.scale_callers import paced
from bench.scale_data import BIG, DataSet
from bench.scale_server import Worker, caller, of_the_loop
from bench.scale_worker import Seen
from tests.harness.ranges import plain
from tests.harness.servers import ROOT_TOKEN, Client

_PROBED, _RATE, _ROUNDS = 1500, 800, 7


def changing(worker: Worker, data: DataSet, client: Client) -> list[Figure]:
    """The same questions at rest and while the big list changes, in turn, since other processes may
    take the cores at any time."""
    of_list = [index % data.linked for index in range(_PROBED)]
    others = [data.linked + index % (data.keys - data.linked) for index in range(_PROBED)]
    rest: dict[str, list[list[float]]] = {"keys of it": [], "other keys": []}
    changed: dict[str, list[list[float]]] = {"keys of it": [], "other keys": []}
    seen, times = list[Seen](), list[float]()
    for _ in range(_ROUNDS):
        for groups, change in ((rest, False), (changed, True)):
            worker.seen()
            with caller(paced, worker.address, ROOT_TOKEN, [of_list, others], _RATE) as result:
                if change:
                    times += changes(client, data, seconds=2 * _PROBED / _RATE)
                answers = result()
            for group, answer in zip(groups.values(), answers, strict=True):
                assert not answer.wrong
                assert not answer.errors, answer.errors
                group.append(answer.latencies())
            if change:
                seen.append(worker.seen())
    what = f"one change of {data.ranges:,} ranges, {data.linked:,} keys"
    return [
        Figure(f"{what}, median", statistics.median(times), "ms"),
        *of_the_loop("under changes", *seen),
        *(
            figure
            for whose in rest
            for when, rounds in (("at rest", rest[whose]), ("under changes", changed[whose]))
            for figure in latencies(f"{when}, {whose}", *rounds)
        ),
    ]


def changes(client: Client, data: DataSet, *, seconds: float) -> list[float]:
    """Adds a range and removes it, all the while; the calls' ms."""
    name, times = f"workspaces/{BIG}/allowLists/l", []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for method, request in (
            ("AddRanges", admin.AddRangesRequest(allow_list=name, ranges=plain(["172.16.0.0/24"]))),
            ("RemoveRanges", admin.RemoveRangesRequest(allow_list=name, ranges=["172.16.0.0/24"])),
        ):
            began = time.perf_counter()
            client.call(method, request)
            times.append((time.perf_counter() - began) * 1000)
            time.sleep(0.2)
    return times
