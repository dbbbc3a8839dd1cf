"""Bounds the reads in flight at the store, and the reads that wait for that."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ipgate.domain.errors import Unavailable

MAX_WAITING = 1000
"""Waiting reads take about a quarter of a second; further ones fail instead of waiting longer."""


class ConcurrencyLimiter:
    """Admits `limit` users at a time, the others in the order of their arrival."""

    def __init__(self, limit: int) -> None:
        self._free = asyncio.Semaphore(limit)
        self._waiting = 0
        self.refused = 0

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[None]:
        """Hold a slot.

        Raises:
            Unavailable: MAX_WAITING users wait already.
        """
        if self._waiting >= MAX_WAITING:
            self.refused += 1
            raise Unavailable("too many policies are being loaded; try again", reason="OVERLOADED")
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()
