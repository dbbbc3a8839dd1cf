"""Questions of the tasks of an event loop, gathered: those of one turn of the loop share a batch."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from ipgate.v1.authorize_pb2 import AuthorizeRequest

from ipgate_client.questions import MAX_GATHERED, Result

Send = Callable[[Sequence[AuthorizeRequest]], Awaitable[list[Result]]]
"""Asks, and returns as many results. Raises nothing but a cancellation."""


class TaskBatches:
    """The first question of a turn has them all sent once the turn is over."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._gathered: list[tuple[AuthorizeRequest, asyncio.Future[Result]]] = []
        self._in_flight: set[asyncio.Task[None]] = set()

    async def ask(self, request: AuthorizeRequest) -> Result:
        """Return the result of a question."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._gathered.append((request, future))
        if len(self._gathered) == 1:
            loop.call_soon(self._flush)
        return await future

    def _flush(self) -> None:
        gathered, self._gathered = self._gathered, []
        for start in range(0, len(gathered), MAX_GATHERED):
            task = asyncio.ensure_future(self._answer(gathered[start : start + MAX_GATHERED]))
            # The loop keeps weak references only.
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)

    async def _answer(self, batch: list[tuple[AuthorizeRequest, "asyncio.Future[Result]"]]) -> None:
        try:
            results = await self._send([request for request, _ in batch])
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():  # its task may be gone
                    future.set_result(result)
        finally:
            for _, future in batch:
                future.cancel()
