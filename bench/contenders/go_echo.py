"""A server on grpc-go with an empty handler, built from bench/go_echo."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.contenders.contender import Ask, Contender, Running
from bench.contenders.empty_server import EMPTY
from bench.contenders.grpc_aio import empty
from bench.h2load import grpc_call
from bench.install import GO_SOURCE, go_program
from bench.processes import free_address, launched

NAME = "Go grpc-go, empty handler"


@contextmanager
def start(directory: Path) -> Iterator[Running]:
    program, address = go_program(), free_address()
    library = re.search(r"google.golang.org/grpc (v\S+)", (GO_SOURCE / "go.mod").read_text())
    assert library
    go = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True)
    with launched([str(program), address], address, directory / "output") as pid:
        ask = Ask(grpc_call(address, EMPTY, b"", directory), empty(address))
        version = f"grpc-go {library[1]}, {go.stdout.strip()}"
        yield Running(version, lambda: [pid], {NAME: ask})


CONTENDER = Contender(NAME, (NAME,), start)
