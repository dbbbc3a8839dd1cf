"""Whether what bench/thresholds.json demands holds."""

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.results import HALF, Results

FILE = Path(__file__).parent / "thresholds.json"
_CPU = "CPU"


@dataclass(frozen=True, slots=True)
class Verdict:
    what: str
    most: float
    unit: str
    measured: float | None
    """None if it was not measured; `missing` says what there was not."""
    missing: str = ""

    @property
    def broken(self) -> bool:
        return self.measured is not None and self.measured > self.most

    def __str__(self) -> str:
        if self.measured is None:
            return f"not measured: {self.missing}"
        return "MISSED" if self.broken else "holds"


def verdicts(results: Results) -> list[Verdict]:
    return [judge(each, results) for each in json.loads(FILE.read_text())]


def judge(threshold: dict[str, Any], results: Results) -> Verdict:
    """A threshold has `most`, and either a `ratio` of two rows, or names a `figure`."""
    what, most = threshold["what"], threshold["most"]
    if "figure" in threshold:
        name = threshold["figure"]
        for each in results.figures:
            if each.what == name:
                return Verdict(what, most, each.unit, each.measured)
        return Verdict(what, most, threshold["unit"], None, name)
    values = []
    for name in threshold["ratio"]:
        rounds = _rounds(results, name, threshold["of"])
        if not rounds:
            return Verdict(what, most, "x", None, name)
        values.append(rounds)
    return Verdict(what, most, "x", ratio(*values))


def ratio(over: list[float], under: list[float]) -> float:
    """The median of the rounds' ratios, since both sides of a round met the same machine."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def _rounds(results: Results, name: str, of: str) -> list[float]:
    row = results.row(name)
    if row is None:
        return []
    if of == _CPU:
        return row.cpu
    return row.paced[HALF].p99 if HALF in row.paced and row.paced[HALF].kept() else []
