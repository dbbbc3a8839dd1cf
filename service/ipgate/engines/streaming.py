"""Calls whose messages have an answer each."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from ipgate.rpc.call_info import CallInfo
from ipgate.rpc.pipeline import Method

MAX_CONCURRENT = 16
"""Messages of one call that may wait for the store at a time; the next ones are not read."""

Write = Callable[[bytes], Awaitable[None]]


async def serve_stream(
    method: Method, info: CallInfo, messages: AsyncIterator[bytes], write: Write
) -> None:
    """Answer all messages; those that are answered from memory overtake the others.

    Raises: Refusal, and what `write` raises when the caller is gone.
    """
    try:
        await _serve_stream(method, info, messages, write)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def _serve_stream(
    method: Method, info: CallInfo, messages: AsyncIterator[bytes], write: Write
) -> None:
    writing, slots = asyncio.Lock(), asyncio.Semaphore(MAX_CONCURRENT)

    async def send(answer: bytes) -> None:
        async with writing:
            await write(answer)

    async def finish(answer: Awaitable[bytes]) -> None:
        try:
            await send(await answer)
        finally:
            slots.release()

    async with asyncio.TaskGroup() as group:
        async for raw in messages:
            answer = method.start(info, raw)
            if isinstance(answer, bytes):
                await send(answer)
            else:
                await slots.acquire()
                group.create_task(finish(answer))
