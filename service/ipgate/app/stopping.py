"""The order to stop, and waits that end with it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from ipgate.store.connection import UnusableStore, cause

log = logging.getLogger(__name__)

T = TypeVar("T")

_MAX_RESTART_DELAY = 10.0
_STABLE_AFTER = 5.0
"""Seconds of running after which the next restart is not delayed."""


_CANCEL_INTERVAL = 0.5


class StopSignal:
    """Set once, when the server is to stop."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()

    async def wait(self) -> None:
        await self._event.wait()

    async def wait_unless_set(self, other: Awaitable[object]) -> None:
        """Wait for something else, or for the signal; what still runs then is cancelled."""
        tasks = [asyncio.ensure_future(other), asyncio.ensure_future(self._event.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                await _cancel(task)

    async def result_unless_set(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Return the result of `work`, None if the signal comes first."""
        task = asyncio.ensure_future(work)
        await self.wait_unless_set(task)
        return None if task.cancelled() else task.result()

    async def restart_with_backoff(self, run: Callable[[], Awaitable[None]]) -> None:
        """Run something again and again until the signal, with growing delays while it does not last."""
        loop = asyncio.get_running_loop()
        delay = 0.0
        while not self._event.is_set():
            began = loop.time()
            try:
                await run()
            except Exception as error:
                # Whatever it was, the next run may succeed; nothing may end the restarts.
                expected = isinstance(error, (UnusableStore, OSError))
                log.warning(
                    "part failed, restarting it error=%r", cause(error), exc_info=not expected
                )
            lasted = loop.time() - began
            delay = 0.0 if lasted > _STABLE_AFTER else min(max(delay * 2, 0.1), _MAX_RESTART_DELAY)
            await self.wait_unless_set(asyncio.sleep(delay))


async def _cancel(task: "asyncio.Future[Any]") -> None:
    """Cancel a task and wait for its end.

    asyncio.wait_for (Python 3.11), which redis-py calls, loses a cancellation that comes together with its
    result, so it is repeated.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_CANCEL_INTERVAL)
    if not task.cancelled():
        task.exception()  # otherwise asyncio would log it with a traceback
