"""The kinds of calls: one message and one answer, a conversation, and those about health."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from ipgate.domain.errors import IpgateError, LimitExceeded
from ipgate.engines.conversing import AT_ONCE
from ipgate.engines.health import LONGEST_READ as LONGEST_HEALTH_READ
from ipgate.engines.health import MAX_BYTES, WATCH, Health
from ipgate.engines.http2.call import MESSAGE_WINDOW, Call, Gone
from ipgate.engines.http2.codec import Headers
from ipgate.engines.http2.framing import PREFIX, SECOND_MESSAGE
from ipgate.engines.http2.requests import PATH
from ipgate.engines.messages import LONGEST_READ, late_stream, missing, too_slow
from ipgate.rpc.pipeline import Method, Refusal
from ipgate.rpc.status import to_status

if TYPE_CHECKING:
    from ipgate.engines.http2.connection import Connection

MOST_QUEUED = 64 << 10
"""Bytes of answers that wait for the caller of a conversation; beyond, no more questions are read."""

_MOST_UNREAD_STATUSES = 1024
"""Bytes of statuses that a watcher of health may leave unread."""


class OneMessage(Call):
    """A call with one message, which is asked for by `_most` bytes at most."""

    __slots__ = ("_raw",)

    _raw: bytes | None

    def read(self, most: int) -> bytes | None:
        """The message of what was collected, once the caller has ended. Raises Refusal."""
        frames = self.collect(b"", most)
        raw = frames.take()
        if raw is not None:
            if self._raw is not None:
                raise Refusal(SECOND_MESSAGE)
            self._raw = raw
        if self._raw is not None and frames.take() is not None:
            raise Refusal(SECOND_MESSAGE)
        if not self.ended:
            return None
        frames.end()
        if self._raw is None:
            raise Refusal(to_status(missing()))
        return self._raw


class Unary(OneMessage):
    """A call of a unary method."""

    __slots__ = ("_is_started", "method")

    def __init__(
        self,
        method: Method,
        connection: "Connection",
        stream: int,
        headers: Headers,
        found: list[bytes],
    ) -> None:
        super().__init__(connection, stream, headers, found)
        self.method = method
        self._raw = None
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
        if self.is_admitted or self.method.is_admitted(self):
            self._read()

    def _read(self) -> None:
        """Takes the message apart, which strangers' messages are not: they may inflate."""
        self.is_admitted = True
        try:
            raw = self.read(self.method.max_bytes)
        except Refusal as refusal:
            self.fail(refusal.status)
            return
        if raw is None:
            self.make_room()
        else:
            self.stop_timer()
            self._start(raw)

    def _start(self, raw: bytes) -> None:
        self._is_started = True
        try:
            answer = self.method.start(self, raw)
        except Refusal as refusal:
            self.fail(refusal.status)
            return
        if isinstance(answer, bytes):
            self.answer(answer)
        else:
            self.spawn(self._answer_later(answer))
            remaining = self.time_remaining()
            if remaining is not None:
                self.end_in(remaining, too_slow(LONGEST_READ))

    async def _answer_later(self, answer: Awaitable[bytes]) -> None:
        self.answer(await answer)

    def stay(self) -> None:
        if self._is_started:
            return
        self.end_in(LONGEST_READ, too_slow(LONGEST_READ))
        if self.is_admitted or self.method.is_admitted(self):
            self._admit()
        else:
            self.spawn(self._admit_later())

    async def _admit_later(self) -> None:
        await self.method.admit(self)
        self._admit()

    def _admit(self) -> None:
        if self.method.max_bytes > MESSAGE_WINDOW and not self.ended:
            self.connection.codec.widen(self.stream, MESSAGE_WINDOW)
        self._read()


class Conversation(Call):
    """A call of a method whose messages have an answer each."""

    __slots__ = ("_in_flight", "_is_counted", "method")

    def __init__(
        self,
        method: Method,
        connection: "Connection",
        stream: int,
        headers: Headers,
        found: list[bytes],
    ) -> None:
        super().__init__(connection, stream, headers, found)
        self.method = method
        self._in_flight = 0
        self._is_counted = False

    def _close(self) -> bool:
        if not super()._close():
            return False
        if self._is_counted:
            self.connection.server.leave(self.method)
        self.connection.stalled.discard(self)
        return True

    def stay(self) -> None:
        if not self.connection.server.enter(self.method):
            most = self.method.most_open
            error = LimitExceeded(f"{most} such streams are open; try again later")
            self.fail(to_status(error))
            return
        self._is_counted = True
        if self.method.longest is not None:
            self.end_in(self.method.longest, late_stream(self.method.longest))
        elif self._deadline is not None:
            self.end_in(self.time_remaining() or 0, late_stream(0))
        if self.method.is_admitted(self):
            self._admit()
        else:
            self.spawn(self._admit_later())

    async def _admit_later(self) -> None:
        await self.method.admit(self)
        self._admit()

    def _admit(self) -> None:
        self.is_admitted = True
        self.converse()

    def on_data(self, data: bytes, *, ended: bool) -> None:
        self.ended = ended
        try:
            self.collect(data, self.method.max_bytes)
        except Refusal as refusal:
            self.fail(refusal.status)
            return
        if self.is_admitted:
            self.converse()

    def converse(self) -> None:
        """Answers what has come, as far as there is room for answers."""
        frames = self._frames
        try:
            while frames is not None and self._in_flight < AT_ONCE:
                if self.connection.codec.queued(self.stream) > MOST_QUEUED:
                    self.connection.stalled.add(self)
                    return
                raw = frames.take()
                if raw is None:
                    self.make_room()
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
        except Refusal as refusal:
            self.fail(refusal.status)

    async def _answer_later(self, answer: Awaitable[bytes]) -> None:
        message = await answer
        self._in_flight -= 1
        self.send(message)
        self.converse()


class HealthCall(OneMessage):
    """A call of the health service, which needs no token."""

    takes_place = False
    __slots__ = ("_health", "_path", "_takes_check")

    def __init__(
        self,
        health: Health,
        connection: "Connection",
        stream: int,
        headers: Headers,
        found: list[bytes],
    ) -> None:
        super().__init__(connection, stream, headers, found)
        self._health = health
        self._path = found[PATH].decode()
        self._takes_check = True
        self._raw = None

    def on_data(self, data: bytes, *, ended: bool) -> None:
        self.ended = ended
        watches = self._path == WATCH
        if watches and self._raw is not None:
            self.connection.codec.taken(self.stream, len(data))
            return
        self.collect(data, MAX_BYTES)
        try:
            # A watcher may leave its side of the stream open.
            raw = self.read(MAX_BYTES)
        except Refusal as refusal:
            self.fail(refusal.status)
            return
        raw = self._raw if watches else raw
        if raw is None:
            return
        self.stop_timer()
        self.make_room()
        self._give_place_back()
        self.connection.trust()
        if watches:
            self.spawn(self._watch(raw))
            remaining = self.time_remaining()
            if remaining is not None:
                self.end_in(remaining, too_slow(LONGEST_HEALTH_READ))
            return
        try:
            self.answer(self._health.answer(self._path, raw))
        except IpgateError as error:
            self.fail(to_status(error))

    def stay(self) -> None:
        if self._raw is None:
            self.end_in(LONGEST_HEALTH_READ, too_slow(LONGEST_HEALTH_READ))

    def _close(self) -> bool:
        if not super()._close():
            return False
        self._give_place_back()
        return True

    def _give_place_back(self) -> None:
        """The places are for requests that are on their way."""
        if self._takes_check:
            self._takes_check = False
            self.connection.server.checks.left += 1

    async def _watch(self, raw: bytes) -> None:
        await self._health.watch(raw, self._tell)
        self.finish()

    async def _tell(self, status: bytes) -> None:
        if self.connection.codec.queued(self.stream) > _MOST_UNREAD_STATUSES:
            self.cut()
        if not self.connection.has(self):
            raise Gone
        self.send(status)
        self.connection.flush()
