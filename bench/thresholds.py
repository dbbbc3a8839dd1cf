"""Whether what bench/thresholds.json demands holds: `most` must, `aim` is what is aimed at."""

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.results import HALF, Results

FILE = Path(__file__).parent / "thresholds.json"
_CPU = "CPU"
_MEMORY = "memory"
OURS = "ipgate"
"""How the names of our own rows begin."""


@dataclass(frozen=True, slots=True)
class Verdict:
    what: str
    most: float | None
    aim: float | None
    unit: str
    measured: float | None
    """None if it was not measured; `missing` says what there was not."""
    missing: str = ""

    @property
    def broken(self) -> bool:
        """Whether it does not hold; what is only aimed at breaks nothing."""
        return self.most is not None and self.measured is not None and self.measured > self.most

    @property
    def ours_is_missing(self) -> bool:
        """Whether ipgate was not measured in what must hold."""
        return self.most is not None and self.missing.startswith(OURS)

    def __str__(self) -> str:
        if self.measured is None:
            return f"not measured: {self.missing}"
        if self.broken:
            return "MISSED"
        short = self.aim is not None and self.measured > self.aim
        return "above the aim" if short else "holds"


def verdicts(results: Results) -> list[Verdict]:
    return [judge(bound, results) for bound in json.loads(FILE.read_text())]


def compared() -> set[str]:
    """The rows whose CPU is compared."""
    bounds = json.loads(FILE.read_text())
    return {name for bound in bounds if bound.get("of") == _CPU for name in bound["ratio"]}


def judge(threshold: dict[str, Any], results: Results) -> Verdict:
    """A threshold has `most`, `aim` or both, and a `ratio` of two rows (for memory: of two contenders), or it
    names a `figure`, or two `figures` for their ratio. A ratio of latencies is one `at` a rate, and one of CPU
    may be; it is of saturation else."""
    what, most, aim = threshold["what"], threshold.get("most"), threshold.get("aim")
    if "figure" in threshold:
        name = threshold["figure"]
        for figure in results.figures:
            if figure.what == name:
                return Verdict(what, most, aim, figure.unit, figure.measured)
        return Verdict(what, most, aim, threshold["unit"], None, name)
    if "figures" in threshold:
        measured = {figure.what: figure.measured for figure in results.figures}
        missing = [name for name in threshold["figures"] if name not in measured]
        if missing:
            return Verdict(what, most, aim, "x", None, missing[0])
        over, under = (measured[name] for name in threshold["figures"])
        return Verdict(what, most, aim, "x", over / under)
    if threshold["of"] == _MEMORY:
        held = {server.name: server.memory for server in results.servers if server.memory}
        missing = [name for name in threshold["ratio"] if name not in held]
        if missing:
            return Verdict(what, most, aim, "x", None, missing[0])
        over, under = (held[name] for name in threshold["ratio"])
        return Verdict(what, most, aim, "x", over / under)
    values = []
    for name in threshold["ratio"]:
        rounds = _rounds(results, name, threshold["of"], threshold.get("at", HALF))
        if not rounds:
            return Verdict(what, most, aim, "x", None, name)
        values.append(rounds)
    return Verdict(what, most, aim, "x", ratio(*values))


def ratio(over: list[float], under: list[float]) -> float:
    """The median of the rounds' ratios, since both sides of a round met the same machine."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def _rounds(results: Results, name: str, of: str, rate: str) -> list[float]:
    row = results.row(name)
    if row is None:
        return []
    if of == _CPU and rate == HALF:
        return row.cpu
    if of == _CPU:
        return row.paced[rate].cpu if rate in row.paced else []
    return row.paced[rate].p99 if rate in row.paced and row.paced[rate].kept() else []
