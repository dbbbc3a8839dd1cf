"""Shows the supervisor what a worker counts, and how it is."""

import asyncio
import os
import time
from pathlib import Path

from ipgate.admin.denials import Denials
from ipgate.app.worker_core import WorkerCore
from ipgate.engines.engine import Engine
from ipgate.metrics import families
from ipgate.metrics.counters import Counters, SharedMemory
from ipgate.store.connection import FAILURES

_INTERVAL = 0.1
_STORE_WITHIN = 5.0
"""Seconds; a worker hears from its store each second."""

_PROCESS_EVERY = 10
"""Intervals after which the figures of the process are read again."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


class WorkerMetrics:
    """Copies the counters to the memory of the worker, with what its parts say of themselves."""

    def __init__(
        self,
        counters: Counters,
        descriptor: int,
        core: WorkerCore,
        engine: Engine,
        denials: Denials,
    ) -> None:
        self._counters = counters
        self._memory = SharedMemory(descriptor)
        self._core = core
        self._engine = engine
        self._denials = denials
        self._runs = 0

    async def run(self) -> None:
        """Copy ten times a second."""
        while True:
            self.write()
            await asyncio.sleep(_INTERVAL)

    def write(self) -> None:
        """Copy now."""
        counters, core, engine = self._counters, self._core, self._engine
        freshness, cache, usage = core.freshness, core.cache, engine.usage()
        set_ = counters.set
        set_(families.CACHE_EVICTIONS, cache.evictions)
        set_(families.CACHE_BYTES, cache.size())
        set_(families.CACHE_KEYS, len(cache.keys))
        set_(families.STORE_ERRORS, FAILURES.count + core.follower.failures)
        set_(families.STORE_UP, freshness.oldest_age() <= _STORE_WITHIN)
        set_(families.CHANGE_LAG_SECONDS, min(freshness.oldest_age(), 1e9))
        set_(families.CHANGE_LAG_REVISIONS, core.follower.changes_behind())
        set_(families.HISTORY_RESETS, core.follower.resets)
        set_(families.SERVING, engine.health.is_serving())
        set_(families.CONNECTIONS, usage.connections)
        set_(families.CALLS, usage.calls)
        set_(families.STREAMS, usage.streams)
        for limit, refused in (
            ("connections", usage.refused_connections),
            ("calls", usage.refused_calls),
            ("streams", usage.refused_streams),
            ("loads", core.loader.refused),
            ("waits", core.waits.refused),
        ):
            set_(families.REFUSALS, refused, limit)
        set_(families.AUDIT_BACKLOG, self._denials.waiting())
        if not self._runs % _PROCESS_EVERY:
            set_(families.CPU_SECONDS, time.process_time())
            set_(families.MEMORY_BYTES, _resident())
            set_(families.OPEN_FILES, sum(1 for _ in Path("/proc/self/fd").iterdir()))
        self._runs += 1
        self._memory.write(counters)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
