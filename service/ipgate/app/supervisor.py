"""The supervisor: the process behind `ipgate serve`.

It keeps the embedded store and the workers running, and stops all in order. It serves nothing
itself, so that there is little in it that could fail.
"""

import asyncio
import logging
import secrets
import signal
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from tempfile import TemporaryDirectory

from redis import exceptions as redis_errors

from ipgate.app.launch import launched
from ipgate.app.root_token import root_digest
from ipgate.app.worker import READY, Orders
from ipgate.clock import Clock
from ipgate.domain.errors import Unavailable
from ipgate.engines import envoy_config
from ipgate.settings import BadSetting, Settings
from ipgate.store.connection import UnusableStore, cause, check_server, connect
from ipgate.store.embedded import EmbeddedStore
from ipgate.store.scripts import Scripts
from ipgate.store.workers import WorkerRegister

log = logging.getLogger(__name__)

_SLOWEST_RESTART = 10.0
_STEADY_AFTER = 5.0
_STORE_PATIENCE = 5.0
SILENCE = 20
"""Seconds without a sign of life after which a worker is killed; it gives one each second."""

_NOT_YET = (
    redis_errors.ConnectionError,
    redis_errors.TimeoutError,
    redis_errors.RedisClusterException,
    OSError,
)


class Supervisor:
    """`announce` is called when all workers serve, with the address and where the token is."""

    def __init__(self, settings: Settings, announce: Callable[[str, str], None]) -> None:
        self._settings = settings
        self._announce = announce
        self._stopping = asyncio.Event()
        self._serving = False
        self._broken = False
        self._store = None if settings.redis_url else EmbeddedStore(settings.data_dir / "store")

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT. Raises BadSetting or UnusableStore if it cannot start."""
        self._settings.check()
        if self._settings.engine == "envoy":
            envoy_config.check_installed()
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._stopping.set)
        digest, origin = root_digest(self._settings.data_dir / "root-token")
        with _reserved(self._settings) as port_holder:
            port = port_holder.getsockname()[1]
            tasks: list[asyncio.Task[None]] = []
            try:
                if self._store is not None:
                    await self._store.start()
                    tasks.append(asyncio.create_task(self._keep_store()))
                url = self._store.url if self._store else self._settings.redis_url
                await self._prepare(url)
                orders = Orders(self._settings, url, port, digest.hex(), worker="", directory="")
                ready = [asyncio.Event() for _ in range(self._settings.worker_count())]
                tasks += [asyncio.create_task(self._keep_worker(orders, each)) for each in ready]
                await self._first_of(asyncio.gather(*(each.wait() for each in ready)))
                if not self._stopping.is_set():
                    self._serving = True
                    host = self._settings.listen.rpartition(":")[0]
                    self._announce(f"{host}:{port}", origin)
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

    async def _prepare(self, url: str) -> None:
        """Checks and sets up the store, waiting a little for one that is not up yet."""
        deadline = asyncio.get_running_loop().time() + _STORE_PATIENCE
        redis = connect(url, connections=1)
        try:
            while True:
                try:
                    await check_server(redis, allow_eviction=self._settings.allow_eviction)
                    await Scripts(redis, Clock()).initialize()
                    return
                except redis_errors.ResponseError as fault:
                    text = f"the store refuses what ipgate needs: {cause(fault)}"
                    raise UnusableStore(text) from fault
                except UnusableStore as fault:
                    late = asyncio.get_running_loop().time() > deadline
                    if late or not isinstance(fault.__cause__, _NOT_YET):
                        raise
                    await self._first_of(asyncio.sleep(0.2))
                    if self._stopping.is_set():
                        return
        finally:
            await redis.aclose()

    async def _keep_store(self) -> None:
        assert self._store is not None

        async def once() -> None:
            assert self._store is not None
            if self._store.ended():
                await self._store.start()
            code = await self._store.wait()
            if not self._stopping.is_set():
                log.error("the embedded store ended with code %d; it is started again", code)

        await self._again_and_again(once)

    async def _keep_worker(self, orders: Orders, ready: asyncio.Event) -> None:
        async def once() -> None:
            if self._stopping.is_set():
                return
            with TemporaryDirectory(prefix="ipgate-", ignore_cleanup_errors=True) as directory:
                await self._watch_over(replace(orders, directory=directory), ready)

        await self._again_and_again(once)

    async def _watch_over(self, orders: Orders, ready: asyncio.Event) -> None:
        """One worker, from its start to its end."""
        process = await launched(orders)
        assert process.stdin is not None
        assert process.stdout is not None
        name = f"{process.pid}-{secrets.token_hex(8)}"
        try:
            process.stdin.write(f"{replace(orders, worker=name).to_json()}\n".encode())
            if await process.stdout.readline() == READY:
                ready.set()
            elif not self._serving and not self._stopping.is_set():
                # It would not start the next time either.
                self._broken = True
                self._stopping.set()
            await self._first_of(_end_or_silence(process, process.stdout))
            if not self._stopping.is_set():
                log.error("worker %d ended with code %s", process.pid, process.returncode)
        finally:
            await self._end(process)
            if process.returncode:
                await _strike_out(orders.store_url, name)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """Ends a worker: gracefully, and by force if that takes too long."""
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(
                    self._settings.drain_delay + self._settings.shutdown_grace + 5
                ):
                    await process.wait()
            except TimeoutError:
                log.warning("worker %d does not stop; it is killed", process.pid)
                process.kill()
                await process.wait()

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
    log.error("worker %d hangs; it is killed", process.pid)
    process.kill()
    await process.wait()


async def _strike_out(url: str, worker: str) -> None:
    """Takes a worker that was killed out of the register, so that nobody waits for its lease."""
    store = connect(url, connections=1)
    try:
        await WorkerRegister(store).leave(worker)
    except Unavailable:
        log.warning("worker %s counts as live until its lease runs out", worker)
    finally:
        await store.aclose()


def _reserved(settings: Settings) -> socket.socket:
    """A socket that holds the port without listening, so that all workers get the same one and
    nobody else does. Raises BadSetting."""
    try:
        family, *_, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family) as probe:
            # Fails if anybody has the port, which a socket that shares it would not.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            address = probe.getsockname()
        holder = socket.socket(family)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(address)
        return holder
    except OSError as fault:
        raise BadSetting(f"--listen {settings.listen}: {fault.strerror}; choose another") from fault


def serve(settings: Settings, announce: Callable[[str, str], None]) -> None:
    """Runs the supervisor until it is told to stop. Raises BadSetting or UnusableStore."""
    asyncio.run(Supervisor(settings, announce).run())
