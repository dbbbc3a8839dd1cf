"""The supervisor: the process behind `ipgate serve`.

It keeps the embedded store and the workers running, and stops everything in order. It serves nothing itself,
so that little in it can fail.
"""

import asyncio
import json
import logging
import os
import secrets
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from ipgate import processes
from ipgate.app import cores
from ipgate.app.console_process import keep_console
from ipgate.app.file_watch import watch
from ipgate.app.host import raise_file_limit, reserve_check_port, reserve_port
from ipgate.app.observed import Observed
from ipgate.app.private_files import check_private
from ipgate.app.root_token import FILE_VARIABLE, given_root
from ipgate.app.stopping import StopSignal
from ipgate.app.store_start import connection, prepare
from ipgate.app.worker_config import READY, WorkerConfig
from ipgate.app.worker_launch import launch, wait_for_exit_or_hang
from ipgate.clock import Clock
from ipgate.domain.errors import Unavailable
from ipgate.engines.tls import TlsFiles, expiry
from ipgate.engines.tls import read as read_tls
from ipgate.settings import Settings
from ipgate.settings_check import check
from ipgate.store.connection import UnusableStore
from ipgate.store.embedded import EmbeddedStore
from ipgate.store.scripts import Scripts
from ipgate.store.worker_registry import WorkerRegistry

log = logging.getLogger(__name__)

_SOCKET_POLL = 1.0
_DEREGISTER_TIMEOUT = 2.0


@dataclass(frozen=True, slots=True)
class Serving:
    """How a running server is reached.

    `token`: where the root token is. `reason`: what decided the number of workers.
    """

    address: str
    token: str
    workers: int
    reason: str


def worker_count(settings: Settings) -> tuple[int, str]:
    """Return the number of workers, and what decided it."""
    return (settings.workers, "as set") if settings.workers else cores.usable()


class Supervisor:
    """`announce` is called when all workers serve."""

    def __init__(self, settings: Settings, announce: Callable[[Serving], None]) -> None:
        self._settings = settings
        self._announce = announce
        self._stopping = StopSignal()
        self._ready: list[asyncio.Event] = []
        self._root = b""
        self._tls: TlsFiles | None = None
        self._workers: set[asyncio.subprocess.Process] = set()
        self._observed = Observed(settings, self._stopping)
        self._broken = False
        self._store = (
            None
            if settings.redis_url
            else EmbeddedStore(settings.data_dir / "store", settings.store_binary)
        )

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises: BadSetting or UnusableStore if it cannot start.
        """
        check(self._settings)
        self._tls = read_tls(self._settings)
        raise_file_limit(
            self._settings.max_connections, forward_auth=bool(self._settings.check_listen)
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        # Files are read again every second; the signal that asks other servers for it must not end this one.
        loop.add_signal_handler(signal.SIGHUP, lambda: None)
        root = given_root()
        if self._settings.data_dir.exists():
            check_private(self._settings.data_dir)
        count, reason = worker_count(self._settings)
        with (
            reserve_port(self._settings, count) as listen_address,
            reserve_check_port(self._settings),
            self._observed.serving(),
        ):
            tasks: list[asyncio.Task[None]] = []
            try:
                if self._store is not None:
                    await self._stopping.result_unless_set(self._store.start())
                    tasks.append(asyncio.create_task(self._keep_store()))
                url = self._store.url if self._store else self._settings.redis_url
                prepared = await self._stopping.result_unless_set(
                    prepare(url, self._settings, root)
                )
                if prepared is None:
                    return
                self._root, origin = prepared
                tasks.append(asyncio.create_task(self._watch_root_file()))
                tasks.append(asyncio.create_task(self._watch_tls_files()))
                tasks.append(asyncio.create_task(self._observed.watch_store(url)))
                config = WorkerConfig(self._settings, url, listen_address, "", worker="")
                self._ready = [asyncio.Event() for _ in range(count)]
                tasks += [
                    asyncio.create_task(self._supervise(config, ready)) for ready in self._ready
                ]
                all_ready = asyncio.gather(*(ready.wait() for ready in self._ready))
                await self._stopping.wait_unless_set(all_ready)
                if not self._stopping.is_set():
                    host = self._settings.listen.rpartition(":")[0]
                    address = (
                        self._settings.listen
                        if listen_address.path
                        else f"{host}:{listen_address.port}"
                    )
                    self._announce(Serving(address, origin, count, reason))
                    if self._settings.console:
                        console = keep_console(
                            address, self._settings.console_listen, self._stopping
                        )
                        tasks.append(asyncio.create_task(console))
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
            root = given_root()
            return root and root[0]

        def replace_root(digest: bytes) -> None:
            self._root = digest
            self._update_workers({"root_sha256": digest.hex()})

        if os.environ.get(FILE_VARIABLE):
            await watch("root token", read, self._root, replace_root, self._stopping)

    async def _watch_tls_files(self) -> None:
        def replace_tls(files: TlsFiles) -> None:
            self._tls = files
            self._observed.server.tls_expiry = expiry(files)
            self._update_workers({"tls": asdict(files)})

        if self._tls is not None:
            self._observed.server.tls_expiry = expiry(self._tls)
            await watch(
                "TLS files",
                lambda: read_tls(self._settings),
                self._tls,
                replace_tls,
                self._stopping,
            )

    def _update_workers(self, update: dict[str, Any]) -> None:
        for process in self._workers:
            _send(process, json.dumps(update))

    async def _keep_store(self) -> None:
        """Keep the embedded store running."""
        store = self._store
        assert store is not None

        async def run() -> None:
            if store.ended():
                self._observed.server.store_restarts += 1
                await store.start()
            ended = asyncio.ensure_future(store.wait())
            while not ended.done() and not self._stopping.is_set():
                await asyncio.wait([ended], timeout=_SOCKET_POLL)
                if not ended.done() and not store.has_socket():
                    # Connections that are open hide that new ones fail.
                    log.error("the socket of the embedded store is gone, restarting the store")
                    await store.stop()
            code = await ended
            if not self._stopping.is_set():
                log.error("the embedded store ended, restarting it exit_code=%d", code)
                for line in await store.last_words():
                    log.error("embedded store said line=%r", line)

        await self._stopping.restart_with_backoff(run)

    async def _supervise(self, config: WorkerConfig, ready: asyncio.Event) -> None:
        """Keep one worker running."""

        async def run() -> None:
            if not self._stopping.is_set():
                await self._run_worker(config, ready)

        await self._stopping.restart_with_backoff(run)

    async def _run_worker(self, config: WorkerConfig, ready: asyncio.Event) -> None:
        """Run one worker process from its start to its end."""
        with self._observed.counting() as descriptor:
            await self._run_counted(config, ready, descriptor)

    async def _run_counted(
        self, config: WorkerConfig, ready: asyncio.Event, descriptor: int
    ) -> None:
        process = await launch(config.listen_address, descriptor)
        assert process.stdin is not None
        assert process.stdout is not None
        name = f"{process.pid}-{secrets.token_hex(8)}"
        try:
            complete = replace(
                config,
                worker=name,
                root_sha256=self._root.hex(),
                tls=self._tls,
                metrics=descriptor,
            )
            _send(process, complete.to_json())
            self._workers.add(process)
            self._observed.server.workers = len(self._workers)
            first_line = asyncio.ensure_future(process.stdout.readline())
            await self._stopping.wait_unless_set(first_line)
            if not first_line.cancelled() and first_line.result() == READY:
                ready.set()
            elif not self._stopping.is_set() and not any(other.is_set() for other in self._ready):
                # It would not start the next time either.
                self._broken = True
                self._stopping.set()
            await self._stopping.wait_unless_set(wait_for_exit_or_hang(process, process.stdout))
            if not self._stopping.is_set():
                self._observed.server.worker_restarts += 1
                log.error("worker ended pid=%d exit_code=%s", process.pid, process.returncode)
        finally:
            self._workers.discard(process)
            self._observed.server.workers = len(self._workers)
            await self._end(process)
            if process.returncode:
                await self._deregister(config.store_url, name)

    async def _deregister(self, url: str, worker: str) -> None:
        """Remove a worker that was killed from the registry, so that nobody waits for its lease to end."""
        store = connection(url, self._settings)
        try:
            async with asyncio.timeout(_DEREGISTER_TIMEOUT):
                await WorkerRegistry(Scripts(store, Clock())).remove(worker)
        except (Unavailable, TimeoutError):
            log.warning("killed worker counts as live until its lease ends worker=%s", worker)
        finally:
            await store.aclose()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """End a worker gracefully, or by force if that takes too long."""
        within = self._settings.drain_delay + self._settings.shutdown_grace + 5
        if not await processes.end(process, within=within):
            log.warning("worker did not stop, killed it pid=%d", process.pid)


def _send(process: asyncio.subprocess.Process, line: str) -> None:
    assert process.stdin is not None
    with suppress(OSError):  # it is ending
        process.stdin.write(f"{line}\n".encode())


def serve(settings: Settings, announce: Callable[[Serving], None]) -> None:
    """Run the supervisor until SIGTERM or SIGINT.

    Raises: BadSetting or UnusableStore.
    """
    asyncio.run(Supervisor(settings, announce).run())
