"""The supervisor: the process behind `ipgate serve`.

It keeps the embedded store and the workers running, and stops all in order. It serves nothing
itself, so that there is little in it that could fail.
"""

import asyncio
import json
import logging
import os
import secrets
import signal
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from ipgate import processes
from ipgate.app import cores
from ipgate.app.host import raise_file_limit, reserved
from ipgate.app.launch import launched
from ipgate.app.orders import Orders
from ipgate.app.private_files import check_private
from ipgate.app.root_token import FILE_VARIABLE, given_root
from ipgate.app.store_start import connection, prepare
from ipgate.app.worker import READY
from ipgate.clock import Clock
from ipgate.domain.errors import Unavailable
from ipgate.engines.tls import TlsFiles
from ipgate.engines.tls import read as read_tls
from ipgate.settings import BadSetting, Settings
from ipgate.store.connection import UnusableStore, cause
from ipgate.store.embedded import EmbeddedStore
from ipgate.store.scripts import Scripts
from ipgate.store.worker_registry import WorkerRegistry

log = logging.getLogger(__name__)

T = TypeVar("T")

_SLOWEST_RESTART = 10.0
_STEADY_AFTER = 5.0
_SOCKET_POLL = 1.0
_FILE_POLL = 1.0
_DEREGISTER_TIMEOUT = 2.0
SILENCE = 20
"""Seconds without a sign of life after which a worker is killed; it gives one each second."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What a server that serves is reached by. `token`: where the root token is. `reason`: what decides the
    number of workers."""

    address: str
    token: str
    workers: int
    reason: str


def worker_count(settings: Settings) -> tuple[int, str]:
    """How many workers, and what decides it."""
    return (settings.workers, "as set") if settings.workers else cores.usable()


class Supervisor:
    """`announce` is called when all workers serve."""

    def __init__(self, settings: Settings, announce: Callable[[Serving], None]) -> None:
        self._settings = settings
        self._announce = announce
        self._stopping = asyncio.Event()
        self._ready: list[asyncio.Event] = []
        self._root = b""
        self._tls: TlsFiles | None = None
        self._workers: set[asyncio.subprocess.Process] = set()
        self._broken = False
        self._store = None if settings.redis_url else EmbeddedStore(settings.data_dir / "store")

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT. Raises BadSetting or UnusableStore if it cannot start."""
        self._settings.check()
        self._tls = read_tls(self._settings)
        raise_file_limit(self._settings.max_connections)
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._stopping.set)
        # Files are read again every second; the signal that asks other servers for it must not end this one.
        loop.add_signal_handler(signal.SIGHUP, lambda: None)
        given = given_root()
        if self._settings.data_dir.exists():
            check_private(self._settings.data_dir)
        count, reason = worker_count(self._settings)
        with reserved(self._settings, count) as place:
            tasks: list[asyncio.Task[None]] = []
            try:
                if self._store is not None:
                    await self._unless_stopping(self._store.start())
                    tasks.append(asyncio.create_task(self._keep_store()))
                url = self._store.url if self._store else self._settings.redis_url
                prepared = await self._unless_stopping(prepare(url, self._settings, given))
                if prepared is None:
                    return
                self._root, origin = prepared
                tasks.append(asyncio.create_task(self._watch_root_file()))
                tasks.append(asyncio.create_task(self._watch_tls_files()))
                orders = Orders(self._settings, url, place, "", worker="")
                self._ready = [asyncio.Event() for _ in range(count)]
                tasks += [
                    asyncio.create_task(self._keep_worker(orders, ready)) for ready in self._ready
                ]
                await self._first_of(asyncio.gather(*(ready.wait() for ready in self._ready)))
                if not self._stopping.is_set():
                    host = self._settings.listen.rpartition(":")[0]
                    address = self._settings.listen if place.path else f"{host}:{place.port}"
                    self._announce(Serving(address, origin, count, reason))
                await self._stopping.wait()
                log.info("stopping")
                if self._broken:
                    raise UnusableStore("a worker could not start; its log is above")
            finally:
                self._stopping.set()
                # Workers first: they may need the store to the last.
                await asyncio.gather(*tasks[1:] if self._store else tasks)
                if self._store is not None:
                    await self._store.stop()
                    await asyncio.gather(*tasks)

    async def _watch_root_file(self) -> None:
        def read() -> bytes | None:
            given = given_root()
            return given and given[0]

        def take(digest: bytes) -> dict[str, Any]:
            self._root = digest
            return {"root_sha256": digest.hex()}

        if os.environ.get(FILE_VARIABLE):
            await self._watch("root token", read, self._root, take)

    async def _watch_tls_files(self) -> None:
        def take(files: TlsFiles) -> dict[str, Any]:
            self._tls = files
            return {"tls": asdict(files)}

        if self._tls is not None:
            await self._watch("TLS files", lambda: read_tls(self._settings), self._tls, take)

    async def _watch(
        self,
        what: str,
        read: Callable[[], T | None],
        present: T,
        take: Callable[[T], dict[str, Any]],
    ) -> None:
        """Reads files again and again, and passes what `take` makes of another content to the workers.
        `read` raises BadSetting for a content that does not work; the former one stays in force then."""
        failing = False
        while not self._stopping.is_set():
            await self._first_of(asyncio.sleep(_FILE_POLL))
            try:
                found = read()
            except BadSetting as error:
                if not failing:
                    log.warning("%s not read again, the former stays in force: %s", what, error)
                failing = True
                continue
            failing = False
            if found is not None and found != present:
                present = found
                order = json.dumps(take(found))
                log.info("%s changed", what)
                for process in self._workers:
                    _send(process, order)

    async def _keep_store(self) -> None:
        assert self._store is not None

        async def once() -> None:
            assert self._store is not None
            if self._store.ended():
                await self._store.start()
            ended = asyncio.ensure_future(self._store.wait())
            while not ended.done() and not self._stopping.is_set():
                await asyncio.wait([ended], timeout=_SOCKET_POLL)
                if not ended.done() and not self._store.has_socket():
                    # New connections fail while the open ones hide it.
                    log.error("the socket of the embedded store is gone, restarting the store")
                    await self._store.stop()
            code = await ended
            if not self._stopping.is_set():
                log.error("the embedded store ended, restarting it exit_code=%d", code)
                for line in await self._store.last_words():
                    log.error("embedded store: %s", line)

        await self._again_and_again(once)

    async def _keep_worker(self, orders: Orders, ready: asyncio.Event) -> None:
        async def once() -> None:
            if self._stopping.is_set():
                return
            await self._watch_over(orders, ready)

        await self._again_and_again(once)

    async def _watch_over(self, orders: Orders, ready: asyncio.Event) -> None:
        """One worker, from its start to its end."""
        process = await launched(orders.place)
        assert process.stdin is not None
        assert process.stdout is not None
        name = f"{process.pid}-{secrets.token_hex(8)}"
        try:
            complete = replace(orders, worker=name, root_sha256=self._root.hex(), tls=self._tls)
            process.stdin.write(f"{complete.to_json()}\n".encode())
            self._workers.add(process)
            first = asyncio.ensure_future(process.stdout.readline())
            await self._first_of(first)
            if not first.cancelled() and first.result() == READY:
                ready.set()
            elif not self._stopping.is_set() and not any(other.is_set() for other in self._ready):
                # It would not start the next time either.
                self._broken = True
                self._stopping.set()
            await self._first_of(_end_or_silence(process, process.stdout))
            if not self._stopping.is_set():
                log.error("worker ended pid=%d exit_code=%s", process.pid, process.returncode)
        finally:
            self._workers.discard(process)
            await self._end(process)
            if process.returncode:
                await self._deregister(orders.store_url, name)

    async def _deregister(self, url: str, worker: str) -> None:
        """Takes a worker that was killed out of the register, so that nobody waits for its lease."""
        store = connection(url, self._settings)
        try:
            async with asyncio.timeout(_DEREGISTER_TIMEOUT):
                await WorkerRegistry(Scripts(store, Clock())).remove(worker)
        except (Unavailable, TimeoutError):
            log.warning("killed worker counts as live until its lease ends worker=%s", worker)
        finally:
            await store.aclose()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """Ends a worker: gracefully, and by force if that takes too long."""
        within = self._settings.drain_delay + self._settings.shutdown_grace + 5
        if not await processes.end(process, within=within):
            log.warning("worker did not stop, killed it pid=%d", process.pid)

    async def _again_and_again(self, once: Callable[[], Awaitable[None]]) -> None:
        """Runs `once` until stopping, at once after it lasted, slower and slower if it does not."""
        loop = asyncio.get_running_loop()
        delay = 0.0
        while not self._stopping.is_set():
            began = loop.time()
            try:
                await once()
            except Exception as fault:
                # Whatever it was, the next one may do better; nothing may end the keeping.
                expected = isinstance(fault, (UnusableStore, OSError))
                log.warning("%s", cause(fault), exc_info=not expected)
            lasted = loop.time() - began
            delay = 0.0 if lasted > _STEADY_AFTER else min(max(delay * 2, 0.1), _SLOWEST_RESTART)
            await self._first_of(asyncio.sleep(delay))

    async def _unless_stopping(self, waiting: Coroutine[Any, Any, T]) -> T | None:
        """The result of something, None if stopping comes first."""
        task = asyncio.ensure_future(waiting)
        await self._first_of(task)
        return None if task.cancelled() else task.result()

    async def _first_of(self, waiting: Awaitable[object]) -> None:
        """Waits for something, or until stopping."""
        tasks = [asyncio.ensure_future(waiting), asyncio.ensure_future(self._stopping.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            # Else what was cancelled would be told in the log, with a traceback.
            await asyncio.gather(*tasks, return_exceptions=True)


async def _end_or_silence(process: asyncio.subprocess.Process, signs: asyncio.StreamReader) -> None:
    """Waits until a worker ends; kills it when it gave no sign of life for too long."""
    # Counted in short waits: this process may have been stopped itself for a while.
    silent = 0
    while silent < SILENCE:
        try:
            # Not wait_for: it loses a cancellation that comes together with a sign (Python 3.11).
            async with asyncio.timeout(1):
                sign = await signs.readline()
            if not sign:
                await process.wait()
                return
            silent = 0
        except TimeoutError:
            silent += 1
    log.error("worker hangs, killing it pid=%d", process.pid)
    await processes.kill(process)


def _send(process: asyncio.subprocess.Process, order: str) -> None:
    assert process.stdin is not None
    with suppress(OSError):  # it is ending
        process.stdin.write(f"{order}\n".encode())


def serve(settings: Settings, announce: Callable[[Serving], None]) -> None:
    """Runs the supervisor until it is told to stop. Raises BadSetting or UnusableStore."""
    asyncio.run(Supervisor(settings, announce).run())
