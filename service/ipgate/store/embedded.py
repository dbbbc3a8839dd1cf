"""The embedded store: a real Valkey or Redis server as a child process, on a Unix socket."""

import asyncio
import fcntl
import os
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path

from redis.exceptions import RedisError

from ipgate import processes
from ipgate.store.connection import UnusableStore, connect
from ipgate.store.store_binary import find_store_binary

_LONGEST_SOCKET_PATH = 100
_START_TIMEOUT = 60.0
_LOCK_TIMEOUT = 5.0
_STOP_TIMEOUT = 20.0
_LAST_WORDS = 8


class EmbeddedStore:
    """One server under `directory`; only one ipgate at a time may use it.

    Every acknowledged write is on disk. The server ends with this process, however that ends.
    """

    def __init__(self, directory: Path, binary: str = "") -> None:
        """`binary`: the server program, "" for the one that `find_store_binary` finds."""
        self._directory = directory.resolve()
        self._configured_binary = binary
        self._socket = self._directory / "valkey.sock"
        self._lock = -1
        self._process: asyncio.subprocess.Process | None = None
        self._last_words: deque[str] = deque(maxlen=_LAST_WORDS)
        self._logging: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    async def start(self) -> None:
        """Start the server and wait until it answers.

        Raises: UnusableStore.
        """
        if len(str(self._socket)) > _LONGEST_SOCKET_PATH:
            text = f"the path {self._socket} is too long for a socket; choose a shorter --data-dir"
            raise UnusableStore(text)
        try:
            for directory in (self._directory.parent, self._directory):
                directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise UnusableStore(f"--data-dir cannot be used: {error}") from error
        if self._lock < 0:
            self._lock = await self._locked()
        binary = await find_store_binary(self._configured_binary)
        binary.check_data(self._directory)
        self._socket.unlink(missing_ok=True)
        self._process = await asyncio.create_subprocess_exec(
            binary.path,
            *("--port", "0"),
            *("--unixsocket", str(self._socket), "--unixsocketperm", "700"),
            *("--dir", str(self._directory), "--appendonly", "yes"),
            *("--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            # The child shares the lock, so that the data stay locked until it has ended.
            pass_fds=(self._lock,),
            preexec_fn=processes.end_with_parent if sys.platform == "linux" else None,
        )
        assert self._process.stdout is not None
        self._logging = asyncio.create_task(self._keep_log(self._process.stdout))
        await self._answers()
        binary.record(self._directory)

    async def _keep_log(self, lines: asyncio.StreamReader) -> None:
        """Write the server's log to a file, and remember its end: the disk may be full."""
        with suppress(ValueError):  # a line longer than any that the server writes
            while line := await lines.readline():
                self._last_words.append(line.decode(errors="replace").strip())
                with suppress(OSError), (self._directory / "valkey.log").open("ab") as log:
                    log.write(line)
        while await lines.read(1 << 16):
            pass  # the server must not wait for somebody to read

    def has_socket(self) -> bool:
        """Return whether the socket is there under its name, so that somebody can connect."""
        return self._socket.is_socket()

    async def last_words(self) -> list[str]:
        """Return the end of the log of a server that has ended."""
        if self._logging is not None:
            await self._logging
        return list(self._last_words)

    def ended(self) -> bool:
        """Return whether the server was started and has ended."""
        return self._process is not None and self._process.returncode is not None

    async def wait(self) -> int:
        """Wait until the server ends, and return its exit code."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> None:
        """End the server; it writes out what it has first."""
        if self._process is not None:
            # By force, too: every acknowledged write is on disk already.
            await processes.end(self._process, within=_STOP_TIMEOUT)

    async def _locked(self) -> int:
        fd = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = asyncio.get_running_loop().time() + _LOCK_TIMEOUT
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return fd
            except BlockingIOError:
                if asyncio.get_running_loop().time() > deadline:
                    text = f"another ipgate uses {self._directory}; stop it, or choose a --data-dir"
                    raise UnusableStore(text) from None
                await asyncio.sleep(0.05)

    async def _answers(self) -> None:
        """Wait until the server has loaded its data."""
        assert self._process is not None
        deadline = asyncio.get_running_loop().time() + _START_TIMEOUT
        redis = connect(self.url, connections=1)
        try:
            while self._process.returncode is None:
                try:
                    await redis.ping()
                    return
                except (RedisError, OSError):
                    if asyncio.get_running_loop().time() > deadline:
                        break
                    await asyncio.sleep(0.01)
        finally:
            await redis.aclose()
        await self.stop()
        words = "; ".join(await self.last_words()) or "it said nothing"
        raise UnusableStore(f"the embedded store does not start: {words}")
