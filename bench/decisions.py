"""The decision alone, the memory of a range, and compiling, in this process."""

import asyncio
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ipgate import cooperative
from ipgate.domain.addresses import IPV6, PREFIX_BITS, format_range, parse_address, parse_range
from ipgate.domain.decision import decide
from ipgate.domain.intervals import Intervals, compile_list
from ipgate.domain.validity import Validity

from bench.figures import Figure
from bench.ranges import SEED, packed, packed_ipv6

_SIZES = (10, 1_000, 100_000)
_CALLS = 20_000
_ROUNDS = 15


@dataclass
class _Compiled:
    intervals: Intervals


@dataclass
class _Key:
    disabled: bool
    expire_time: int | None
    lists: _Compiled | tuple[_Compiled, ...]
    report_only: bool = False


@dataclass
class _Workspace:
    require_allow_list: bool = False
    default: None = None
    default_report_only: bool = False


CALIBRATION = "calibration: 1,000,000 steps of a loop"


def calibration() -> Figure:
    """How fast this machine runs Python now: bounds of time are ratios to it."""

    def run() -> None:
        total = 0
        for number in range(1_000_000):
            total += number & 7

    return Figure(CALIBRATION, _microseconds(run) / 1000, "ms")


def measure() -> list[Figure]:
    figures = [calibration()]
    cost: dict[int, float] = {}
    for size in _SIZES:
        intervals = _compiled(packed(size))
        cost[size] = decision(intervals)
        figures.append(Figure(f"decision, {size:,} ranges", cost[size], "µs"))
        if size == _SIZES[-1]:
            held = intervals.size() / size
            figures.append(Figure(f"memory held, {size:,} ranges", held, "bytes a range"))
    ratio = cost[_SIZES[-1]] / cost[_SIZES[0]]
    figures.append(Figure("decision, 100,000 ranges : 10 ranges", ratio, "x"))
    return figures + ipv6() + dated() + compiling(packed(_SIZES[-1]))


def ipv6() -> list[Figure]:
    """The decision over ranges of IPv6 beside that over as many of IPv4, in turn, without the parsing."""
    size = _SIZES[-1]
    source = random.Random(SEED + 1)  # with that of the ranges it would draw them
    runs: list[Callable[[], None]] = []
    for ranges, bits, flag in ((packed(size), 32, 0), (packed_ipv6(size), 128, IPV6)):
        intervals = _compiled(ranges)
        addresses = [source.choice(ranges) >> PREFIX_BITS for _ in range(_CALLS // 2)]
        addresses += [flag | source.getrandbits(bits) for _ in range(_CALLS // 2)]
        source.shuffle(addresses)
        runs.append(partial(_decide_all, intervals, addresses))
    times: list[list[float]] = [[], []]
    for _ in range(_ROUNDS):
        for run, taken in zip(runs, times, strict=True):
            began = time.perf_counter()
            run()
            taken.append(time.perf_counter() - began)
    return [
        Figure("decision, 100,000 IPv6 ranges : IPv4 ranges", min(times[1]) / min(times[0]), "x"),
        Figure("memory held, 100,000 IPv6 ranges", intervals.size() / size, "bytes a range"),
    ]


def dated() -> list[Figure]:
    """A list of ranges that all end at different times."""
    ranges = packed(_SIZES[-1])
    valid = {range_: Validity(0, index + 1) for index, range_ in enumerate(ranges)}
    pauses = []
    for _ in range(5):
        last, longest = time.perf_counter(), 0.0
        for _step in compile_list("l", ranges, valid):
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
        pauses.append(longest * 1000)
    intervals = _compiled(ranges, valid)
    addresses = [range_ >> PREFIX_BITS for range_ in ranges[:_CALLS]]
    cost = _microseconds(partial(_decide_all, intervals, addresses)) / len(addresses)
    return [
        Figure("decision, 100,000 dated ranges", cost, "µs"),
        Figure(
            "memory held, 100,000 dated ranges", intervals.size() / len(ranges), "bytes a range"
        ),
        Figure("longest step of compiling 100,000 dated ranges", statistics.median(pauses), "ms"),
    ]


def _compiled(ranges: list[int], valid: dict[int, Validity] | None = None) -> Intervals:
    steps = compile_list("workspaces/w/allowLists/l", ranges, valid)
    return asyncio.run(cooperative.run(steps))


def _decide_all(intervals: Intervals, addresses: list[int]) -> None:
    key, workspace = _Key(False, None, _Compiled(intervals)), _Workspace()
    for address in addresses:
        decide(key, workspace, address, time.time_ns)


def decision(intervals: Intervals) -> float:
    """µs to parse an address and decide, half of the addresses being in the list."""
    source = random.Random(SEED)
    inside = source.choices(intervals.starts, k=_CALLS // 2)
    outside = [source.randrange(2**32) for _ in range(_CALLS // 2)]
    texts = [
        ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))
        for value in inside + outside
    ]
    source.shuffle(texts)
    key, workspace = _Key(False, None, (_Compiled(intervals),)), _Workspace()

    def run() -> None:
        for text in texts:
            decide(key, workspace, parse_address(text), time.time_ns)

    return _microseconds(run) / _CALLS


def compiling(packed: list[int]) -> list[Figure]:
    """Milliseconds to parse and compile 100,000 ranges, and the longest step in between."""
    totals, pauses = [], []
    texts = [format_range(packed_range) for packed_range in packed]
    for _ in range(5):
        began = last = time.perf_counter()
        parsed: list[int] = []
        max_duration = 0.0
        for first in range(0, len(texts), 2000):
            parsed += map(parse_range, texts[first : first + 2000])
            now = time.perf_counter()
            max_duration, last = max(max_duration, now - last), now
        for _step in compile_list("l", parsed):
            now = time.perf_counter()
            max_duration, last = max(max_duration, now - last), now
        totals.append((time.perf_counter() - began) * 1000)
        pauses.append(max_duration * 1000)
    return [
        Figure("parsing and compiling 100,000 ranges", min(totals), "ms"),
        Figure("longest step of it", statistics.median(pauses), "ms"),
    ]


def _microseconds(run: Callable[[], None]) -> float:
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times) * 1e6  # what else the machine does can only add to it
