"""Calls whose messages have an answer each."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from ipgate.rpc.call_info import CallInfo
from ipgate.rpc.pipeline import Method

MAX_CONCURRENT = 16
"""Messages of one call that may wait for the store at a time; the next ones are not read."""

Write = Callable[[bytes], Awaitable[None]]


async def converse(
    method: Method, info: CallInfo, messages: AsyncIterator[bytes], write: Write
) -> None:
    """Answers all messages; those that are answered from memory overtake the others. Raises Refusal, and
    what `write` raises when the caller is gone."""
    try:
        await _converse(method, info, messages, write)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def _converse(
    method: Method, info: CallInfo, messages: AsyncIterator[bytes], write: Write
) -> None:
    writing, places = asyncio.Lock(), asyncio.Semaphore(MAX_CONCURRENT)

    async def tell(answer: bytes) -> None:
        async with writing:
            await write(answer)

    async def finish(answer: Awaitable[bytes]) -> None:
        try:
            await tell(await answer)
        finally:
            places.release()

    async with asyncio.TaskGroup() as group:
        async for raw in messages:
            answer = method.start(info, raw)
            if isinstance(answer, bytes):
                await tell(answer)
            else:
                await places.acquire()
                group.create_task(finish(answer))
