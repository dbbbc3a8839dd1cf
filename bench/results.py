"""What a run measured, and its file."""

import json
import os
import platform
import re
import statistics
import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.processes import LOAD_CORE, SERVER_CORE

LATEST = Path(__file__).parent / "results" / "latest.json"
MAX_EVENLY = 20_000
"""Calls a second up to which the load generator keeps an even pace."""

HALF = "half"
"""The name of the rate that is half of what a contender does when saturated, or MAX_EVENLY if that is
less."""

_KEPT = 0.02


@dataclass(slots=True)
class AtRate:
    """Rounds at one rate: calls a second that were begun, latencies in µs, CPU of a call in µs."""

    rate: int
    achieved: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def kept(self) -> bool:
        """Whether the load generator kept the pace; if not, the latencies say nothing."""
        return abs(statistics.median(self.achieved) / self.rate - 1) <= _KEPT


@dataclass(slots=True)
class Row:
    """One question. A value of `cpu` (µs) and `rps` for each round, by request, of which a batch has
    many; `paced` by the rate as text, or HALF."""

    name: str
    server: str
    cpu: list[float] = field(default_factory=list)
    rps: list[float] = field(default_factory=list)
    paced: dict[str, AtRate] = field(default_factory=dict)


@dataclass(slots=True)
class Server:
    """A contender: either `missing` says why it was not measured, or it has a version and MB."""

    name: str
    version: str = ""
    memory: float = 0
    missing: str = ""


@dataclass(slots=True)
class Results:
    machine: dict[str, str]
    servers: list[Server]
    rows: list[Row]
    figures: list[Figure]

    def row(self, name: str) -> Row | None:
        """None if it was not measured."""
        return next((row for row in self.rows if row.name == name and row.cpu), None)

    def save(self) -> None:
        LATEST.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")


def load(text: str) -> Results:
    values: dict[str, Any] = json.loads(text)
    rows = [Row(**row) for row in values["rows"]]
    for row in rows:
        row.paced = {name: AtRate(**rate) for name, rate in row.paced.items()}  # type: ignore[arg-type]
    servers = [Server(**server) for server in values["servers"]]
    figures = [Figure(**figure) for figure in values["figures"]]
    return Results(values["machine"], servers, rows, figures)


def this_machine() -> dict[str, str]:
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    h2load = subprocess.run(["h2load", "--version"], capture_output=True, text=True, check=True)
    apart = f"server on core {SERVER_CORE}, load on core {LOAD_CORE}"
    together = "server and load share the only core, so that they slow each other down"
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": model[1] if model else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "pinned": apart if SERVER_CORE != LOAD_CORE else together,
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "load generator": h2load.stdout.strip(),
        "load average before": f"{os.getloadavg()[0]:.2f}",
    }
