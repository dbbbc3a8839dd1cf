"""What the supervisor shows of the server on the operations port: metrics and probes."""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from prometheus_client import ProcessCollector

from ipgate.app.operations import OperationsServer
from ipgate.app.server_metrics import ServerMetrics
from ipgate.app.stopping import StopSignal
from ipgate.app.store_start import connection
from ipgate.metrics.counters import SharedMemory, create_memory
from ipgate.metrics.exposition import Workers
from ipgate.metrics.families import SERVING
from ipgate.settings import Settings
from ipgate.store.connection import memory_of
from ipgate.store.topology import FAULTS

HANGS_AFTER = 20.0
"""Seconds without a sign of life."""

_MEMORY_INTERVAL = 15.0
"""Seconds between looks at the memory of the store."""


class Observed:
    """`server`: what the supervisor knows. Without an operations port nothing is shown, and workers count nothing."""

    def __init__(self, settings: Settings, stopping: StopSignal) -> None:
        self.server = ServerMetrics(settings.engine)
        self._settings = settings
        self._stopping = stopping
        self._workers = Workers()
        self._turned = time.monotonic()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve the operations port.

        Raises: BadSetting.
        """
        if not self._settings.ops_listen:
            yield
            return
        process = ProcessCollector(namespace="ipgate_supervisor", registry=None)
        collectors = (self.server, self._workers, process)
        port = OperationsServer(
            self._settings.operations(), collectors, self._is_live, self._is_ready
        )
        turning = asyncio.create_task(self._turn())
        port.start()
        try:
            yield
        finally:
            turning.cancel()
            port.stop()

    @contextmanager
    def counting(self) -> Iterator[int]:
        """Show what a worker counts in the memory with this descriptor, -1 for none."""
        if not self._settings.ops_listen:
            yield -1
            return
        descriptor = create_memory()
        memory = SharedMemory(descriptor)
        self._workers.add(memory)
        try:
            yield descriptor
        finally:
            self._workers.remove(memory)
            os.close(descriptor)

    async def watch_store(self, url: str) -> None:
        """Look at the memory of the store, again and again until the server stops."""
        if not self._settings.ops_listen:
            return
        store = connection(url, self._settings)
        try:
            while not self._stopping.is_set():
                with suppress(*FAULTS, KeyError, ValueError):
                    self.server.store_used, self.server.store_limit = await memory_of(store)
                await self._stopping.wait_unless_set(asyncio.sleep(_MEMORY_INTERVAL))
        finally:
            await store.aclose()

    async def _turn(self) -> None:
        """Show each second that the event loop turns."""
        while True:
            self._turned = time.monotonic()
            await asyncio.sleep(1)

    def _is_live(self) -> str:
        """Return what is wrong with the process, which a restart would end."""
        age = time.monotonic() - self._turned
        return f"the supervisor has not turned for {age:.0f} s" if age > HANGS_AFTER else ""

    def _is_ready(self) -> str:
        """Return why no question can be answered."""
        if self._stopping.is_set():
            return "the server is stopping"
        if not self._workers.any_serves(SERVING, within=HANGS_AFTER):
            return "no worker can answer: they start, or the store has not answered for too long"
        return ""
