"""Calls of the methods of ipgate: one message and one answer, or a conversation."""

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from ipgate.domain.errors import LimitExceeded
from ipgate.engines.http2.call import MESSAGE_WINDOW, Call
from ipgate.engines.http2.codec import Headers
from ipgate.engines.http2.framing import PREFIX
from ipgate.engines.messages import READ_TIMEOUT, read_timed_out, stream_timed_out
from ipgate.engines.streaming import MAX_CONCURRENT, Upload
from ipgate.rpc.pipeline import CallAborted, Method
from ipgate.rpc.status import to_status

if TYPE_CHECKING:
    from ipgate.engines.http2.connection import Connection

TAKEN_TOGETHER = 4
"""Messages of an upload that are taken without a pause: each may have to be decompressed."""

MAX_QUEUED = 64 << 10
"""Bytes of answers that wait for the caller of a conversation; beyond, no more questions are read."""


class MethodCall(Call):
    """A call of a method of ipgate.

    Its caller must be admitted before its messages are decompressed, because they may inflate.
    """

    __slots__ = ("_is_admitted", "method")

    def __init__(
        self,
        method: Method,
        connection: "Connection",
        stream: int,
        headers: Headers,
        values: list[bytes],
    ) -> None:
        super().__init__(connection, stream, headers, values)
        self.method = method
        self._is_admitted = False

    def admit(self) -> None:
        """Go on when the caller is known to be permitted, or fail."""
        if self._is_admitted or self.method.is_admitted(self):
            self._go_on()
        else:
            self.spawn(self._admit_later())

    async def _admit_later(self) -> None:
        await self.method.admit(self)
        self._go_on()

    def _go_on(self) -> None:
        self._is_admitted = True
        self.read()

    def _count(self, code: int) -> None:
        self.method.ended(code)

    @abstractmethod
    def read(self) -> None:
        """Parse the messages that have arrived."""


class Unary(MethodCall):
    """A call of a unary method."""

    __slots__ = ("_is_started",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._is_started = False

    def on_data(self, data: bytes, *, ended: bool) -> None:
        self.ended = ended
        # Most messages come whole, in one frame that ends the call's request.
        if (
            ended
            and self._frames is None
            and data[:1] == b"\0"
            and len(data) - PREFIX == int.from_bytes(data[1:PREFIX], "big")
        ):
            self._unread = len(data)
            self._start(data[PREFIX:])
            return
        self.collect(data, self.method.max_bytes)
        if self._is_admitted or self.method.is_admitted(self):
            self._go_on()

    def begin(self) -> None:
        if not self._is_started:
            self.end_in(READ_TIMEOUT, read_timed_out(READ_TIMEOUT))
            self.admit()

    def _go_on(self) -> None:
        if not self._is_admitted and self.method.max_bytes > MESSAGE_WINDOW and not self.ended:
            self.connection.codec.widen(self.stream, MESSAGE_WINDOW)
        super()._go_on()

    def read(self) -> None:
        try:
            raw = self.collect(b"", self.method.max_bytes).take_only(ended=self.ended)
        except CallAborted as aborted:
            self.fail(aborted.status)
            return
        if raw is not None:
            self.stop_timer()
            self._start(raw)
        else:
            self.grant_window()

    def _start(self, raw: bytes) -> None:
        self._is_started = True
        try:
            answer = self.method.start(self, raw)
        except CallAborted as aborted:
            self.fail(aborted.status)
            return
        if isinstance(answer, bytes):
            self.answer(answer)
        else:
            self.spawn(self._answer_later(answer))
            self.end_at_deadline()

    async def _answer_later(self, answer: Awaitable[bytes]) -> None:
        self.answer(await answer)


class StreamCall(MethodCall):
    """A call of a method whose messages have an answer each."""

    __slots__ = ("_in_flight", "_is_counted")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._in_flight = 0
        self._is_counted = False

    def _close(self) -> bool:
        if not super()._close():
            return False
        if self._is_counted:
            self.connection.server.close_stream(self.method)
        self.connection.stalled.discard(self)
        return True

    def begin(self) -> None:
        if not self.connection.server.open_stream(self.method):
            most = self.method.max_open
            error = LimitExceeded(f"{most} such streams are open; try again later")
            self.fail(to_status(error))
            return
        self._is_counted = True
        if self.method.max_duration is None:
            self.end_at_deadline()
        else:
            self.end_in(self.method.max_duration, stream_timed_out(self.method.max_duration))
        self.admit()

    def on_data(self, data: bytes, *, ended: bool) -> None:
        self.ended = ended
        self.collect(data, self.method.max_bytes)
        if self._is_admitted:
            self.read()

    def read(self) -> None:
        """Answer what has come, as far as there is room for answers."""
        frames = self._frames
        try:
            while frames is not None and self._in_flight < MAX_CONCURRENT:
                if self.connection.codec.queued(self.stream) > MAX_QUEUED:
                    self.connection.stalled.add(self)
                    return
                raw = frames.take()
                if raw is None:
                    self.grant_window()
                    break
                answer = self.method.start(self, raw)
                if isinstance(answer, bytes):
                    self.send(answer)
                else:
                    self._in_flight += 1
                    self.spawn(self._answer_later(answer))
            else:
                if frames is not None:
                    return  # the answers in flight go on with it
            if self.ended and not self._in_flight:
                if frames is not None:
                    frames.end()
                self.finish()
        except CallAborted as aborted:
            self.fail(aborted.status)

    async def _answer_later(self, answer: Awaitable[bytes]) -> None:
        message = await answer
        self._in_flight -= 1
        self.send(message)
        self.read()


class UploadCall(StreamCall):
    """A call of a method that has one answer to all of its messages."""

    __slots__ = ("_is_reading", "_upload")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._upload = Upload(self.method.max_upload)
        self._is_reading = False

    def read(self) -> None:
        """Take what has come, not all in one go; the last message is followed by the answer."""
        if not self._is_reading:
            self._read_some()

    async def _read_on(self) -> None:
        await asyncio.sleep(0)
        self._read_some()

    def _read_some(self) -> None:
        frames = self._frames
        self._is_reading = True
        try:
            for _ in range(TAKEN_TOGETHER):
                raw = None if frames is None else frames.take()
                if raw is None:
                    break
                self._upload.add(raw)
            else:
                self.spawn(self._read_on())
                return
            # Nothing comes after the end, so it is not read again.
            self._is_reading = self.ended
            if not self.ended:
                self.grant_window()
                return
            if frames is not None:
                frames.end()
        except CallAborted as aborted:
            self.fail(aborted.status)
            return
        self.stop_timer()
        self.end_at_deadline()
        self.spawn(self._answer_upload())

    async def _answer_upload(self) -> None:
        self.answer(await self.method.answer_upload(self, self._upload.parts))
