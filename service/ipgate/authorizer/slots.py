"""How many reads may be under way at a time, and how many may wait for that."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ipgate.domain.errors import Unavailable

MOST_WAITING = 1000
"""Reads that wait take about a quarter of a second; more are better refused than kept waiting."""


class Slots:
    """`count` users at a time, the others in the order in which they came."""

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)
        self._waiting = 0

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Holds a slot. Raises Unavailable at once if too many wait for one."""
        if self._waiting >= MOST_WAITING:
            raise Unavailable("too much is being loaded; try again", reason="OVERLOADED")
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()
