"""Bounds on connections that wait: uvicorn has none before a request is complete, nor for answers that nobody reads."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_WAITING = 150
"""Connections without a complete request, or with an answer that is not read. For a new one, one that has sent nothing
is closed, else the one that has waited for the longest."""

CHECK_EVERY = 20.0
"""Seconds after which a connection that waits must have come on."""

MIN_BYTES = 2048
"""Bytes by which it must have come on: a slow upload goes on, a connection that sends a byte now and then does not."""

LONGEST = 900.0
"""Seconds that a request or an answer may take, however it comes on."""


@dataclass(slots=True)
class _Wait:
    """`moved`: the bytes that came or went so far, `seen`: at the last check."""

    began: float
    moved: Callable[[], int]
    seen: int
    timer: asyncio.TimerHandle


class Waiting:
    """The connections of a server that wait for their peers."""

    def __init__(self, *, most: int = MAX_WAITING, check_every: float = CHECK_EVERY) -> None:
        self._most = most
        self._check_every = check_every
        self._waits: dict[asyncio.Transport, _Wait] = {}

    def add(self, transport: asyncio.Transport, moved: Callable[[], int]) -> None:
        """Close a connection that does not come on from now on."""
        if transport in self._waits:
            return
        if len(self._waits) >= self._most:
            self._evict()
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._check_every, self._check, transport)
        self._waits[transport] = _Wait(loop.time(), moved, moved(), timer)

    def remove(self, transport: asyncio.Transport) -> None:
        """Let a connection take its time, if it waited."""
        wait = self._waits.pop(transport, None)
        if wait is not None:
            wait.timer.cancel()

    def _check(self, transport: asyncio.Transport) -> None:
        wait, loop = self._waits[transport], asyncio.get_running_loop()
        moved = wait.moved()
        if moved - wait.seen < MIN_BYTES or loop.time() - wait.began > LONGEST:
            self._abort(transport)
            return
        wait.seen = moved
        wait.timer = loop.call_later(self._check_every, self._check, transport)

    def _evict(self) -> None:
        silent = (transport for transport, wait in self._waits.items() if not wait.moved())
        self._abort(next(silent, None) or next(iter(self._waits)))

    def _abort(self, transport: asyncio.Transport) -> None:
        self.remove(transport)
        transport.abort()


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 for connections that are bounded together."""

    waiting: ClassVar = Waiting()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._received = 0
        self._unread = 0
        self._wait_for_request()

    def data_received(self, data: bytes) -> None:
        if not self._received:
            # A browser may connect long before it asks.
            self.waiting.remove(self.transport)
        self._received += len(data)
        super().data_received(data)
        self._note()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._note()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.transport.get_write_buffer_size()
        self.waiting.remove(self.transport)
        self.waiting.add(self.transport, self._taken)

    def resume_writing(self) -> None:
        super().resume_writing()
        self.waiting.remove(self.transport)
        self._note()

    def connection_lost(self, exc: Exception | None) -> None:
        self.waiting.remove(self.transport)
        super().connection_lost(exc)

    def _note(self) -> None:
        if self.transport.is_closing() or self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            if self.flow.write_paused:
                return
            self.waiting.remove(self.transport)
        else:
            self._wait_for_request()

    def _wait_for_request(self) -> None:
        self.waiting.add(self.transport, lambda: self._received)

    def _taken(self) -> int:
        """Return the bytes of an answer that the peer has taken since it was behind."""
        return self._unread - self.transport.get_write_buffer_size()
