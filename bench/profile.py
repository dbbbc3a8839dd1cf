"""Where the time of a call goes: `python -m bench.profile`, with perf (Debian: linux-perf).

Samples the worker of each engine while it is saturated, and shows which thread had the core, and in which
library it was.
"""

import platform
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.contenders import ipgate
from bench.contenders.contender import Ask, Contender
from bench.processes import cpu

_SECONDS, _MARGIN = 5, 2
_SAMPLES = 999
"""A second."""
_LEAST = 1.0
"""Percent that a library must have to be shown."""


def main() -> int:
    if shutil.which("perf") is None:
        print("perf is not installed; install it (Debian: apt-get install linux-perf)")
        return 2
    print(
        f"Python {platform.python_version()}, CPU of the worker for a call, by thread and library"
    )
    for engine in (ipgate.GRPCIO_ENGINE, ipgate.HTTP2_ENGINE):
        table = Table(title=engine.name, box=None)
        table.add_column("THREAD")
        table.add_column("LIBRARY")
        table.add_column("PERCENT", justify="right")
        table.add_column("MICROSECONDS", justify="right")
        for thread, library, percent, spent in profile(engine):
            table.add_row(escape(thread), escape(library), f"{percent:.1f}", f"{spent:.1f}")
        Console().print(table)
    return 0


def profile(engine: Contender) -> list[tuple[str, str, float, float]]:
    """The shares of threads and libraries in a worker that answers Authorize on a hit: percent, and
    µs of a call, sampling included."""
    with tempfile.TemporaryDirectory() as directory, engine.start(Path(directory)) as running:
        ask: Ask = running.asks[engine.name]
        ask.load.saturate(1000)
        calls = round(ask.load.saturate(10_000) * (_SECONDS + _MARGIN))
        # The worker is the last that was started, the busiest of all.
        worker = running.pids()[-1]
        data, before = Path(directory) / "perf", cpu([worker])
        with ThreadPoolExecutor(1) as pool:
            load = pool.submit(ask.load.saturate, calls)
            _perf("record", "-F", str(_SAMPLES), "-p", str(worker), "-o", str(data), "--",
                  "sleep", str(_SECONDS))  # fmt: skip
            load.result()
        spent = (cpu([worker]) - before) / calls * 1e6
        ask.check()
        report = _perf("report", "-i", str(data), "--sort", "comm,dso")
    files = []
    for line in report.splitlines():
        percent, _, both = line.strip().partition("%")
        if both and not line.startswith("#") and float(percent) >= _LEAST:
            thread, library = both.rsplit(maxsplit=1)
            share = float(percent)
            files.append((thread.strip(), library, share, share / 100 * spent))
    return files


def _perf(*arguments: str) -> str:
    done = subprocess.run(["perf", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
