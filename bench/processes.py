"""Where processes run, and what they have used: cores, CPU time, memory."""

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = _CORES[0]
LOAD_CORE = _CORES[-1]
"""The same as the server's if this machine has no other."""

_PATIENCE = 30.0


class Missing(Exception):
    """A contender cannot be measured here; the message says why."""


@contextmanager
def running_on(core: int) -> Iterator[None]:
    """What this thread does inside runs on that core, and so does every process started inside."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def launched(command: list[str], address: str, log: Path) -> Iterator[int]:
    """A server on the server's core, once `address` takes connections; its process id. Raises
    Missing if it ends before."""
    with log.open("wb") as output, running_on(SERVER_CORE):
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _takes_connections(address):
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace").strip().splitlines()
                raise Missing(
                    f"{Path(command[0]).name} did not start: {said[-1] if said else 'no word'}"
                )
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    pids = [pid]
    with suppress(OSError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                pids += tree(int(child))
    return pids


def cpu(pids: Iterable[int]) -> float:
    """Seconds of CPU that these processes have used."""
    # The kernel's id of the clock of a process: exact, where /proc counts in ticks of 10 ms.
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


def memory(pids: Iterable[int]) -> float:
    """MB that these processes hold; what several share counts for each."""
    kilobytes = 0
    for pid in pids:
        match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        assert match
        kilobytes += int(match[1])
    return kilobytes / 1024


def _takes_connections(address: str) -> bool:
    host, _, port = address.partition(":")
    with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        return True
    return False
