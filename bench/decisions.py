"""The decision alone, the memory of a range, and compiling, in this process."""

import asyncio
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from ipgate import cooperative
from ipgate.domain.addresses import format_range, parse_address, parse_range
from ipgate.domain.decision import decide
from ipgate.domain.intervals import Intervals, compile_list

from bench.figures import Figure
from bench.ranges import SEED, packed

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
    lists: tuple[_Compiled, ...]
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
        intervals = asyncio.run(
            cooperative.run(compile_list("workspaces/w/allowLists/l", packed(size)))
        )
        cost[size] = decision(intervals)
        figures.append(Figure(f"decision, {size:,} ranges", cost[size], "µs"))
        if size == _SIZES[-1]:
            held = intervals.size() / size
            figures.append(Figure(f"memory held, {size:,} ranges", held, "bytes a range"))
    ratio = cost[_SIZES[-1]] / cost[_SIZES[0]]
    figures.append(Figure("decision, 100,000 ranges : 10 ranges", ratio, "x"))
    return figures + compiling(packed(_SIZES[-1]))


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
