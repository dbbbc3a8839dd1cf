"""The load generator: h2load, on a core of its own.

Saturated, 4 connections hold 32 calls each in flight. At a fixed rate no connection makes 100 calls
a second: h2load's timer fires every 10 ms, so that a connection with a higher rate would send its calls
in bursts. The connections begin one after the other, for the same reason, and only what is called while
all of them are at it counts.
"""

import itertools
import re
import subprocess
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from pathlib import Path

from bench.figures import percentile
from bench.processes import LOAD_CORE, running_on

_SATURATED = ("-c", "4", "-m", "32")
_RATE_OF_ONE = 97
_FEWEST = 4
_PATIENCE = 120

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Paced:
    """What came out at a fixed rate: calls a second that were begun, and latencies in µs."""

    achieved: float
    p50: float
    p99: float


@dataclass(frozen=True)
class Call:
    """An HTTP/2 request that h2load makes again and again, and that has one answer: each must be as
    long as the first. An error of gRPC has the HTTP status 200 as well, but no message."""

    address: str
    path: str
    headers: tuple[str, ...]
    directory: Path
    """For the files of the load generator."""
    body: Path | None = None
    scheme: str = "http"

    def saturate(self, calls: int) -> float:
        """Makes so many calls as fast as they are answered; how many that were a second."""
        output = self._all(calls, *_SATURATED)
        match = re.search(r"finished in .*?, ([\d.]+) req/s", output)
        assert match, output
        return float(match[1])

    def pace(self, rate: int, seconds: float) -> Paced:
        """Makes `rate` calls a second, answered or not."""
        clients = max(_FEWEST, ceil(rate / _RATE_OF_ONE))
        period = max(1, round(1000 / rate))  # ms between two connections
        calls = max(1, round(rate * seconds / clients)) * clients
        log = self.directory / "log"
        log.unlink(missing_ok=True)
        self._all(
            calls,
            *("-c", str(clients), "-m", "32", "--rps", str(rate / clients), "-r", "1"),
            *("--rate-period", f"{period}ms", "--log-file", str(log)),
        )
        return read_log(log, ramp=clients * period * 1000)

    def status(self) -> int:
        """The HTTP status of one call."""
        log = self.directory / "log"
        log.unlink(missing_ok=True)
        self._run(1, "-c", "1", "--log-file", str(log))
        return int(log.read_text().split()[1])

    @cached_property
    def _answer(self) -> int:
        """Bytes of the message of an answer."""
        size = _data(self._run(1, "-c", "1"))
        assert size or self.body is None, "the first call got no message"
        return size

    def _all(self, calls: int, *options: str) -> str:
        expected = calls * self._answer
        output = self._run(calls, *options)
        assert f"{calls} succeeded, 0 failed" in output, output
        assert _data(output) == expected, f"not all were answered: {output}"
        return output

    def _run(self, calls: int, *options: str) -> str:
        command = ["h2load", "-n", str(calls), *options]
        for header in self.headers:
            command += ["-H", header]
        if self.body:
            command += ["-d", str(self.body)]
        with running_on(LOAD_CORE):
            done = subprocess.run(
                [*command, f"{self.scheme}://{self.address}{self.path}"],
                capture_output=True,
                text=True,
                check=True,
                timeout=_PATIENCE,
            )
        return done.stdout


def _data(output: str) -> int:
    """Bytes of messages that h2load says it got."""
    match = re.search(r"\((\d+)\) data$", output, re.MULTILINE)
    assert match, output
    return int(match[1])


def grpc_call(
    address: str, path: str, message: bytes, directory: Path, *headers: str, times: int = 1
) -> Call:
    """A call of gRPC that sends a message so many times and then no more."""
    body = directory / f"body{next(_numbers)}"
    body.write_bytes((b"\0" + len(message).to_bytes(4, "big") + message) * times)
    grpc = ("content-type: application/grpc", "te: trailers")
    return Call(address, path, (*grpc, *headers), directory, body)


def read_log(log: Path, *, ramp: int) -> Paced:
    """From h2load's log: begin in µs, HTTP status and duration in µs of each call. The connections
    begin and end within `ramp` µs."""
    calls = [tuple(map(int, line.split())) for line in log.read_text().splitlines()]
    assert all(status == 200 for _, status, _ in calls), "a call failed"
    begins = sorted(begin for begin, _, _ in calls)
    first, last = begins[0] + ramp, begins[-1] - ramp
    steady = [(begin, duration) for begin, _, duration in calls if first <= begin <= last]
    return summary(sorted(begin for begin, _ in steady), [duration for _, duration in steady])


def summary(begins: list[int], durations: list[int]) -> Paced:
    """Of at least two calls; all in µs."""
    achieved = (len(begins) - 1) / (begins[-1] - begins[0]) * 1e6
    return Paced(achieved, percentile(durations, 50), percentile(durations, 99))
