"""What is measured one by one, beside the rows of the field."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    what: str
    measured: float
    unit: str


def number(value: float) -> str:
    """With three digits that count, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that `percent` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * percent // 100) - 1)]


def latencies(what: str, *rounds: list[float]) -> list[Figure]:
    """Of times in ms: median and p99, each the median of the rounds', and the longest of all."""
    medians = [statistics.median(times) for times in rounds]
    p99 = [percentile(times, 99) for times in rounds]
    return [
        Figure(f"{what}, median", statistics.median(medians), "ms"),
        Figure(f"{what}, p99", statistics.median(p99), "ms"),
        Figure(f"{what}, longest", max(map(max, rounds)), "ms"),
    ]
