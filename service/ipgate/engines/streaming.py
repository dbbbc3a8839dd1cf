"""Calls of many messages: each has an answer, or in an upload all of them together."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from ipgate.domain.errors import LimitExceeded
from ipgate.rpc.call_info import CallInfo
from ipgate.rpc.pipeline import CallAborted, Method
from ipgate.rpc.status import to_status

MAX_PARTS = 2000
"""Messages of an upload."""

MAX_CONCURRENT = 16
"""Messages of one call that may wait for the store at a time; the next ones are not read."""


class Upload:
    """The encoded messages of an upload, of at most so many bytes together."""

    def __init__(self, most: int) -> None:
        self.parts: list[bytes] = []
        self._most = self._left = most

    def add(self, raw: bytes) -> None:
        """Add a message.

        Raises: CallAborted for too many.
        """
        self._left -= len(raw)
        if self._left < 0 or len(self.parts) == MAX_PARTS:
            text = (
                f"the call has more than {MAX_PARTS:,} messages, or more than {self._most:,} bytes in them; send less, in "
                "larger messages"
            )
            raise CallAborted(to_status(LimitExceeded(text)))
        self.parts.append(raw)


Write = Callable[[bytes], Awaitable[None]]


async def serve_stream(
    method: Method, info: CallInfo, messages: AsyncIterator[bytes], write: Write
) -> None:
    """Answer all messages; those that are answered from memory overtake the others.

    Raises: Refusal, and what `write` raises when the caller is gone.
    """
    if method.max_upload:
        upload = Upload(method.max_upload)
        async for raw in messages:
            upload.add(raw)
        await write(await method.answer_upload(info, upload.parts))
        return
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
