"""The worker that `bench scale` measures, and callers beside it."""

import hashlib
import json
import multiprocessing
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import grpc
from ipgate.app.worker_config import WorkerConfig
from ipgate.app.worker_launch import batch_scheduling
from ipgate.engines.listen_address import ListenAddress
from ipgate.settings import Settings
from rich.progress import Progress

from bench.figures import Figure
from bench.processes import memory
from bench.scale_worker import READ, Seen
from tests.harness.servers import ROOT_TOKEN

_PORT = 50912
_CACHE = 4 << 30

T = TypeVar("T")


class Worker:
    """The worker that is measured, on the store of the server, which makes the changes."""

    def __init__(self, root: Path, progress: Progress) -> None:
        url = f"unix://{root}/s/store/valkey.sock"
        self.address = f"127.0.0.1:{_PORT}"
        settings = Settings(
            listen=self.address, data_dir=root, log_level="ERROR", cache_bytes=_CACHE
        )
        digest = hashlib.sha256(ROOT_TOKEN.encode()).hexdigest()
        self._config = WorkerConfig(settings, url, ListenAddress(_PORT), digest, "bench").to_json()
        self.progress = progress
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "bench.scale_worker"]
        with batch_scheduling():  # as the supervisor starts its workers
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{self._config}\n".encode())
        process.stdin.flush()
        assert process.stdout.readline()
        self.seen()  # what came before it served
        return process

    def restart(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    def memory(self) -> float:
        return memory([self.process.pid]) * 2**20

    def seen(self) -> Seen:
        """What its probe saw since this was asked last."""
        with grpc.insecure_channel(self.address) as channel:
            read: Any = channel.unary_unary(READ)
            return Seen(**json.loads(read(b"", timeout=10)))


def of_the_loop(when: str, *seen: Seen) -> list[Figure]:
    return [
        Figure(f"{when}: event loop held, longest", max(sample.held for sample in seen), "ms"),
        Figure(f"{when}: event loop late, longest", max(sample.late for sample in seen), "ms"),
        Figure(f"{when}: garbage collection, longest", max(sample.gc for sample in seen), "ms"),
    ]


@contextmanager
def caller(function: Callable[..., T], *args: Any) -> Iterator[Callable[[], T]]:
    """Runs a caller in a process of its own; gives the way to wait for its result."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield pool.submit(function, *args).result
