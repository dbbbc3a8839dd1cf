"""grpc.aio with an empty handler: as one starts it, and scheduled as ipgate's workers are."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
from ipgate.app.worker_launch import batch_scheduling

from bench.contenders.contender import Ask, Contender, Running
from bench.contenders.empty_server import EMPTY
from bench.h2load import grpc_call
from bench.processes import free_address, launched

FLOOR = "grpc.aio, empty handler"
ALIKE = "grpc.aio, empty handler, scheduled like ipgate"


@contextmanager
def _one(name: str, directory: Path, *, alike: bool) -> Iterator[Running]:
    address = free_address()
    with ExitStack() as stack:
        with ExitStack() as starting:
            if alike:
                starting.enter_context(batch_scheduling())
            command = [sys.executable, "-m", "bench.contenders.empty_server", address]
            pid = stack.enter_context(launched(command, address, directory / "output"))
        ask = Ask(grpc_call(address, EMPTY, b"", directory), empty(address))
        yield Running(f"grpcio {grpc.__version__}", lambda: [pid], {name: ask})


def empty(address: str) -> Callable[[], None]:
    channel: Any = grpc.insecure_channel(address)

    def check() -> None:
        assert channel.unary_unary(EMPTY)(b"", timeout=5) == b""

    return check


PLAIN = Contender(FLOOR, (FLOOR,), lambda directory: _one(FLOOR, directory, alike=False))
SCHEDULED = Contender(ALIKE, (ALIKE,), lambda directory: _one(ALIKE, directory, alike=True))
