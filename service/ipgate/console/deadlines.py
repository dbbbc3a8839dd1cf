"""Bounds on connections that wait: uvicorn has none before a request is complete."""

import asyncio
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_WAITING = 150
"""Connections without a complete request; the one that has waited for the longest is closed for a new one."""

REQUEST_WITHIN = 60.0
"""Seconds until a request has to be complete, from the start of the connection or its first byte."""


class Waiting:
    """The connections of a server that have no complete request."""

    def __init__(self, *, most: int = MAX_WAITING, within: float = REQUEST_WITHIN) -> None:
        self._most = most
        self._within = within
        self._timers: dict[asyncio.Transport, asyncio.TimerHandle] = {}

    def add(self, transport: asyncio.Transport) -> None:
        """Close a connection that waits for too long from now on."""
        if transport in self._timers:
            return
        if len(self._timers) >= self._most:
            oldest = next(iter(self._timers))
            self.remove(oldest)
            oldest.abort()
        loop = asyncio.get_running_loop()
        self._timers[transport] = loop.call_later(self._within, transport.abort)

    def remove(self, transport: asyncio.Transport) -> None:
        """Let a connection take its time, if it waited."""
        timer = self._timers.pop(transport, None)
        if timer is not None:
            timer.cancel()


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 for connections that are bounded together."""

    waiting: ClassVar = Waiting()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.waiting.add(transport)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._note()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._note()

    def connection_lost(self, exc: Exception | None) -> None:
        self.waiting.remove(self.transport)
        super().connection_lost(exc)

    def _note(self) -> None:
        if self.transport.is_closing() or self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self.waiting.remove(self.transport)
        else:
            self.waiting.add(self.transport)
