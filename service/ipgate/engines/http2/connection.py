"""One connection of the http2 engine: bytes of the transport to calls, and answers back."""

import asyncio
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from google.rpc.status_pb2 import Status

from ipgate.engines import transport_limits
from ipgate.engines.http2 import requests
from ipgate.engines.http2.call import Call
from ipgate.engines.http2.calls import Conversation, Unary
from ipgate.engines.http2.codec import (
    ENHANCE_YOUR_CALM,
    NO_ERROR,
    Codec,
    Headers,
    ProtocolError,
)
from ipgate.engines.http2.health_call import HealthCall
from ipgate.engines.http2.lifetime import Due, Lifetime
from ipgate.engines.messages import (
    NO_METHOD,
    STOPPING,
    too_many_connections,
    too_much_unread,
)
from ipgate.rpc.pipeline import Method
from ipgate.rpc.status import to_status

if TYPE_CHECKING:
    from ipgate.engines.http2.server import Http2Server

P = ParamSpec("P")


def _survived(step: Callable[Concatenate["Connection", P], None]) -> Any:
    """Ends the connection, not the worker, if a step finds that its peer broke the protocol."""

    @wraps(step)
    def guarded(self: "Connection", *args: P.args, **kwargs: P.kwargs) -> None:
        if not self.is_lost:
            try:
                step(self, *args, **kwargs)
            except ProtocolError:
                self.broken()

    return guarded


class Connection(asyncio.Protocol):
    """`trusted`: it has carried a good token or a health call. `spare`: it is one of those that are free for
    health calls when there are too many connections."""

    transport: asyncio.Transport

    def __init__(self, server: "Http2Server") -> None:
        self.server = server
        self.loop = server.loop
        self.time = server.loop.time
        self.codec = Codec()
        self.stalled: set[Conversation] = set()
        self.trusted = self.spare = False
        self.host = ""
        self.life = Lifetime(self.time())
        self._calls: dict[int, Call] = {}
        self._fresh: list[Call] = []
        self._discarding: set[int] = set()
        self._paused = self._closing = self._is_flushing = False
        self.is_lost = False
        self._backlog = 0
        self._linger = transport_limits.LINGER_BYTES

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and tls.selected_alpn_protocol() != "h2":
            transport.abort()
        elif self.server.accepts(self):
            self.flush()
        else:
            transport.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        self._abandon()
        self.server.lost(self)

    def _abandon(self) -> None:
        """Ends all calls without a word: nothing can be sent any more."""
        self.is_lost = True
        for call in list(self._calls.values()):
            call.abandon()

    def data_received(self, data: bytes) -> None:
        if not self.is_lost:
            self._receive(data)
        else:
            self._linger -= len(data)
            if self._linger < 0:
                self.transport.abort()

    @_survived
    def _receive(self, data: bytes) -> None:
        self.life.read_at = self.time()
        self.codec.feed(data, self)
        if self._fresh:
            fresh, self._fresh = self._fresh, []
            for call in fresh:
                if call.stream in self._calls:
                    call.stay()
        self._send()

    def broken(self) -> None:
        """Ends the connection of a peer that broke the protocol."""
        if not self.is_lost:
            self._abandon()
            self.transport.write(self.codec.last_words())
            # Some of what the peer still sends is thrown away: the kernel would take the last words back from
            # a socket that is closed with bytes unread.
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self.loop.call_later(transport_limits.LINGER, self.transport.abort)

    def pause_writing(self) -> None:
        """The peer takes nothing: then nothing is read from it either, since all wants an answer."""
        self._paused = True
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self._paused = False
        self.transport.resume_reading()
        self.flush()

    def flush_soon(self) -> None:
        """Sends what there is to be sent, with the answers of other calls that end in this turn of the loop."""
        if not self._is_flushing:
            self._is_flushing = True
            self.loop.call_soon(self.flush)

    @_survived
    def flush(self) -> None:
        """Sends what there is to be sent."""
        self._is_flushing = False
        self._send()

    @_survived
    def conclude(self, call: Call, status: Status) -> None:
        """Ends a call with a status, and sends it."""
        call.fail(status)
        self._send()

    def _send(self) -> None:
        """All in one write. Raises ProtocolError."""
        if self._paused or self.is_lost:
            return
        out = self.codec.pending()
        while self.stalled:
            stalled, self.stalled = self.stalled, set()
            for call in stalled:
                call.read()
            more = self.codec.pending()
            if not more:
                break
            out += more
        if out:
            self.transport.write(out)
        self._backlog = self.codec.queued()
        if (self._closing and not self._calls and not self._backlog) or self.codec.is_over():
            self._close()

    def discard(self, stream: int) -> None:
        """Throws away what the peer still sends on a stream whose call has failed, and resets the stream
        if the peer goes on with it for long. An immediate reset would keep the rest of a DATA frame from the
        window of the connection: libnghttp2 reports no data of a stream that is gone."""
        self._discarding.add(stream)
        self.loop.call_later(transport_limits.DISCARD, self._reset, stream)

    @_survived
    def _reset(self, stream: int) -> None:
        if stream in self._discarding:
            self._discarding.discard(stream)
            self.codec.reset(stream, NO_ERROR)
            self._send()

    def forget(self, call: Call) -> bool:
        """Takes note that a call has ended. False if it had before."""
        if self._calls.pop(call.stream, None) is None:
            return False
        if call.takes_place:
            self.server.room.left += 1
        self.life.busy_at = self.life.read_at
        self.life.strikes = 0
        return True

    @_survived
    def recognize(self, call: Call) -> None:
        """Trusts the peer if the token of a call turned out to be good."""
        if not self.trusted and self.server.knows(call):
            self.trust()

    def has(self, call: Call) -> bool:
        """Whether a call goes on."""
        return call.stream in self._calls

    def trust(self) -> None:
        """Takes note that the peer is no stranger."""
        if not self.trusted:
            self.trusted = True
            self.codec.trust()
            self.server.trusts(self)

    # What the codec reports.

    def on_request(self, stream: int, headers: Headers, *, ended: bool) -> None:
        values, size = requests.read(headers)
        method = self.server.methods.get(values[requests.PATH])
        refusal = (
            requests.refusal(values)
            or requests.oversized(size)
            or self._refusal(values[requests.PATH], method)
        )
        if refusal is not None:
            self._refuse(stream, refusal, ended=ended)
            return
        call: Call
        if method is None:
            # Its headers are not kept: strangers may send many.
            call = HealthCall(self.server.health, self, stream, (), values)
            self.server.checks.left -= 1
        else:
            kind = Conversation if method.conversing else Unary
            call = kind(method, self, stream, headers, values)
            self.server.room.left -= 1
        self._calls[stream] = call
        self._fresh.append(call)
        if ended:
            call.on_data(b"", ended=True)

    def _refusal(self, path: bytes, method: Method | None) -> Headers | None:
        """The headers that fail a call for which there is no method, or no room."""
        if method is None:
            if path not in self.server.health_paths:
                return requests.trailers_only(NO_METHOD)
            if self.server.checks.left <= 0:
                return requests.trailers_only(to_status(self.server.checks.refusal()))
            return None
        if self.spare:
            return requests.trailers_only(to_status(too_many_connections()))
        if self.server.room.left <= 0:
            return requests.trailers_only(to_status(self.server.room.refusal()))
        if self._backlog > transport_limits.MAX_BACKLOG:
            return requests.trailers_only(to_status(too_much_unread()))
        return None

    def _refuse(self, stream: int, headers: Headers, *, ended: bool) -> None:
        self.codec.fail(stream, headers)
        if not ended:
            self.discard(stream)

    def on_data(self, stream: int, data: bytes, *, ended: bool) -> None:
        call = self._calls.get(stream)
        if call is None:
            self.codec.taken(stream, len(data))
            if ended:
                self._discarding.discard(stream)
        else:
            call.on_data(data, ended=ended)
            if not self.trusted:
                self.recognize(call)

    def on_reset(self, stream: int) -> None:
        self._discarding.discard(stream)
        call = self._calls.get(stream)
        if call is not None:
            call.abandon()

    def on_settings(self) -> None:
        self.life.has_spoken = True

    def on_ping(self) -> None:
        if self.life.pinged(self.time()):
            self.codec.go_away(ENHANCE_YOUR_CALM, b"too_many_pings")
            raise ProtocolError("too many pings")

    def on_pong(self) -> None:
        self.life.awaiting_pong = None

    # What the server says.

    @_survived
    def drain(self) -> None:
        """Asks the peer to go elsewhere. The connection closes when its calls have ended."""
        if self.life.drained_at is None:
            self.life.drained_at = self.time()
            self.codec.announce_end()
            self._send()
            # Calls may be on their way, so the connection stays until they had time to arrive.
            self.loop.call_later(transport_limits.GOAWAY_AFTER, self._go_away)

    @_survived
    def _go_away(self) -> None:
        self._closing = True
        self.codec.go_away()
        self._send()

    @_survived
    def end(self) -> None:
        """Ends all calls, and the connection."""
        for call in list(self._calls.values()):
            call.fail(STOPPING)
        self._send()
        self._close()

    def _close(self) -> None:
        """Closes the transport when all is sent. A peer that takes nothing must not hold that up."""
        self.transport.close()
        self.loop.call_later(transport_limits.LINGER, self.transport.abort)

    @_survived
    def check(self, now: float) -> None:
        """Applies the bounds of time; called about once a second."""
        if self.transport.is_closing():
            return
        is_guest = self.spare or not self.trusted
        match self.life.due(now, is_guest=is_guest, has_calls=bool(self._calls)):
            case Due.ABORT:
                self.transport.abort()
            case Due.END:
                self.end()
            case Due.DRAIN:
                self.drain()
            case Due.PING:
                self.life.awaiting_pong = now
                self.codec.ping()
                self._send()
