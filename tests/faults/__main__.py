"""`make soak DURATION=10m`: load and faults for as long as asked, and what became of it."""

import random
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tests.faults.checker import Report
from tests.faults.history import History
from tests.faults.ordeal import MAX_STALENESS, Ordeal, ordeal

_UNITS = {"s": 1, "m": 60, "h": 3600}


def main(arguments: list[str]) -> int:
    """Arguments: the duration, as in 30s or 10m, and a seed if a run is to be made again."""
    duration = re.fullmatch(r"([0-9]+)([smh])", arguments[0])
    if not duration:
        print(f"DURATION={arguments[0]} is not a duration; use 30s, 10m or 2h", file=sys.stderr)
        return 2
    seconds = int(duration[1]) * _UNITS[duration[2]]
    seed = int(arguments[1]) if len(arguments) > 1 else random.randrange(10**6)
    print(f"seed {seed}, max-staleness {MAX_STALENESS:g} s, 2 servers of 2 workers")
    with tempfile.TemporaryDirectory() as directory, ordeal(Path(directory)) as run:
        report = _endured(run, seconds, seed)
        _print(run.history, report)
        memory = [_resident(pid) for server in run.servers for pid in server.workers()]
        print(f"memory of the workers  {min(memory)} to {max(memory)} MiB")
    return 1 if report.violations else 0


def _endured(run: Ordeal, seconds: int, seed: int) -> Report:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task("", total=seconds)
        began = time.monotonic()

        def tick() -> None:
            history = run.history
            progress.update(
                task,
                completed=time.monotonic() - began,
                description=f"{len(history.answers):,} answers, {history.changes():,} changes, "
                f"{len(history.faults)} faults",
            )

        return run.endure(seconds, seed, faults=True, tick=tick)


def _print(history: History, report: Report) -> None:
    refused = sum(history.refusals.values())
    kinds = Counter(kind for _, kind in history.faults)
    lines = {
        "answers checked": f"{len(history.answers):,}",
        "changes acknowledged": f"{report.acknowledged:,}, lost: {report.lost}",
        "uses of access tokens": f"{len(history.token_uses):,}",
        "calls refused": f"{refused:,}",
        "faults survived": f"{len(history.faults)} ({_listed(kinds)})",
        "recovery": _recovery(history),
        "longest staleness": f"{report.longest_staleness:.2f} s",
        "violations": str(len(report.violations)),
    }
    for name, value in lines.items():
        print(f"{name:<22} {value}")
    for violation in report.violations[:20]:
        print(f"  {violation}")


def _recovery(history: History) -> str:
    if not history.recoveries:
        return "none"
    median = statistics.median(seconds for seconds, _ in history.recoveries)
    longest, kind = max(history.recoveries)
    return f"median {median:.2f} s, longest {longest:.2f} s after {kind}"


def _listed(kinds: Counter[str]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))


def _resident(pid: int) -> int:
    """Memory of a process, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    match = re.search(r"VmRSS:\s+([0-9]+) kB", status)
    return int(match[1]) // 1024 if match else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
