"""A TCP proxy that can be cut: it accepts connections, and passes nothing on."""

import asyncio
import threading
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path


class Proxy:
    """Runs in a thread of its own. `port`: where it listens on loopback.

    `target`: a Unix socket, or a port on loopback. `source`: the address that it calls that port from.
    """

    def __init__(self, target: Path | int, source: str = "127.0.0.1") -> None:
        self._target = target
        self._source = source
        self._taking: set[asyncio.Task[None]] = set()
        self._started: Future[int] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        self.port = self._started.result(timeout=10)

    def cut(self) -> None:
        self._loop.call_soon_threadsafe(self._open.clear)

    def heal(self) -> None:
        self._loop.call_soon_threadsafe(self._open.set)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._open, self._stopping = asyncio.Event(), asyncio.Event()
        self._open.set()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._started.set_result(server.sockets[0].getsockname()[1])
        async with server:
            await self._stopping.wait()
            # The connections end with this task's loop.
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0.01)  # for the closed connections to be torn down

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        outgoing = self._taken(reader)
        try:
            await self._open.wait()
            there, back = await self._connect()
        except (OSError, asyncio.CancelledError):
            writer.close()
            return
        await asyncio.gather(self._pass(outgoing, back), self._pass(self._taken(there), writer))

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(self._target)
        source = (self._source, 0)
        return await asyncio.open_connection("127.0.0.1", self._target, local_addr=source)

    def _taken(self, source: asyncio.StreamReader) -> "asyncio.Queue[bytes]":
        """What comes from a side, b"" at its end. It is read immediately, so that it arrives later even if
        the side that sent it is gone by then, as packets do."""
        arrived: asyncio.Queue[bytes] = asyncio.Queue()

        async def take() -> None:
            with suppress(OSError):
                while data := await source.read(1 << 16):
                    arrived.put_nowait(data)
            arrived.put_nowait(b"")

        self._taking.add(task := asyncio.create_task(take()))
        task.add_done_callback(self._taking.discard)
        return arrived

    async def _pass(self, arrived: "asyncio.Queue[bytes]", sink: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                while data := await arrived.get():
                    await self._open.wait()
                    sink.write(data)
                    await sink.drain()
        finally:
            sink.close()
            with suppress(OSError):
                await sink.wait_closed()
