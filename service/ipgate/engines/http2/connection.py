"""One connection of the http2 engine: bytes of the transport to calls, and answers back."""

import asyncio
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from google.rpc.status_pb2 import Status

from ipgate.engines import transport_limits
from ipgate.engines.http2 import requests
from ipgate.engines.http2.call import Call
from ipgate.engines.http2.calls import StreamCall, Unary, UploadCall
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


def _ends_on_protocol_error(step: Callable[Concatenate["Connection", P], None]) -> Any:
    """End the connection, not the worker, if a step finds that its peer broke the protocol."""

    @wraps(step)
    def guarded(self: "Connection", *args: P.args, **kwargs: P.kwargs) -> None:
        if not self.is_lost:
            try:
                step(self, *args, **kwargs)
            except ProtocolError:
                self.close_on_protocol_error()

    return guarded


class Connection(asyncio.Protocol):
    """`is_authenticated`: it has carried a good token or a health call.

    `spare`: it is one of those that are free for health calls when there are too many connections.
    """

    transport: asyncio.Transport

    def __init__(self, server: "Http2Server") -> None:
        self.server = server
        self.loop = server.loop
        self.time = server.loop.time
        self.codec = Codec()
        self.stalled: set[StreamCall] = set()
        self.is_authenticated = self.spare = False
        self.host = ""
        self.lifetime = Lifetime(self.time())
        self._calls: dict[int, Call] = {}
        self._new_calls: list[Call] = []
        self._discarding: set[int] = set()
        self._paused = self._closing = self._is_flushing = False
        self.is_lost = False
        self._backlog = 0
        self._linger = transport_limits.MAX_LINGER_BYTES

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and tls.selected_alpn_protocol() != "h2":
            transport.abort()
        elif self.server.accept(self):
            self.flush()
        else:
            transport.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        self._abandon()
        self.server.connection_closed(self)

    def _abandon(self) -> None:
        """End all calls without a word: nothing can be sent any more."""
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

    @_ends_on_protocol_error
    def _receive(self, data: bytes) -> None:
        self.lifetime.read_at = self.time()
        self.codec.feed(data, self)
        if self._new_calls:
            new_calls, self._new_calls = self._new_calls, []
            for call in new_calls:
                if call.stream in self._calls:
                    call.begin()
        self._send()

    def close_on_protocol_error(self) -> None:
        """End the connection of a peer that broke the protocol."""
        if not self.is_lost:
            self._abandon()
            self.transport.write(self.codec.final_frames())
            # Some of what the peer still sends is thrown away: the kernel would take the last words back from
            # a socket that is closed with bytes unread.
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self.loop.call_later(transport_limits.LINGER_TIMEOUT, self.transport.abort)

    def pause_writing(self) -> None:
        """Stop reading from a peer that takes no answers, since every request needs one."""
        self._paused = True
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self._paused = False
        self.transport.resume_reading()
        self.flush()

    def flush_soon(self) -> None:
        """Send what there is to be sent, with the answers of other calls that end in this turn of the loop."""
        if not self._is_flushing:
            self._is_flushing = True
            self.loop.call_soon(self.flush)

    @_ends_on_protocol_error
    def flush(self) -> None:
        """Send what there is to be sent."""
        self._is_flushing = False
        self._send()

    @_ends_on_protocol_error
    def fail_call(self, call: Call, status: Status) -> None:
        """End a call with a status, and send it."""
        call.fail(status)
        self._send()

    def _send(self) -> None:
        """All in one write.

        Raises: ProtocolError.
        """
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
        """Discard what the peer still sends on a stream whose call has failed.

        If the peer continues for DISCARD_TIMEOUT, the stream is reset. An immediate reset would keep the rest of a
        DATA frame from the window of the connection: libnghttp2 reports no data of a stream that is gone.
        """
        self._discarding.add(stream)
        self.loop.call_later(transport_limits.DISCARD_TIMEOUT, self._reset, stream)

    @_ends_on_protocol_error
    def _reset(self, stream: int) -> None:
        if stream in self._discarding:
            self._discarding.discard(stream)
            self.codec.reset(stream, NO_ERROR)
            self._send()

    def call_ended(self, call: Call) -> bool:
        """Take note that a call has ended.

        False if it had before.
        """
        if self._calls.pop(call.stream, None) is None:
            return False
        if call.is_counted:
            self.server.call_limit.left += 1
        self.lifetime.busy_at = self.lifetime.read_at
        self.lifetime.strikes = 0
        return True

    @_ends_on_protocol_error
    def check_authenticated(self, call: Call) -> None:
        """Trust the peer if the token of a call turned out to be good."""
        if not self.is_authenticated and self.server.has_valid_token(call):
            self.mark_authenticated()

    def is_open(self, call: Call) -> bool:
        """Return whether a call goes on."""
        return call.stream in self._calls

    def mark_authenticated(self) -> None:
        """Note that the peer has presented a valid token or made a health call."""
        if not self.is_authenticated:
            self.is_authenticated = True
            self.codec.mark_authenticated()
            self.server.mark_authenticated(self)

    # What the codec reports.

    def on_request(self, stream: int, headers: Headers, *, ended: bool) -> None:
        values, size = requests.read(headers)
        method = self.server.methods.get(values[requests.PATH])
        rejection = (
            requests.rejection(values)
            or requests.oversized(size)
            or self._rejection(values[requests.PATH], method)
        )
        if rejection is not None:
            if method is not None:
                method.ended(requests.status_code(rejection))
            self._reject(stream, rejection, ended=ended)
            return
        call: Call
        if method is None:
            # Its headers are not kept: anyone may send many.
            call = HealthCall(self.server.health, self, stream, (), values)
            self.server.check_limit.left -= 1
        else:
            kind = (
                Unary if not method.is_stream else UploadCall if method.max_upload else StreamCall
            )
            call = kind(method, self, stream, headers, values)
            self.server.call_limit.left -= 1
        self._calls[stream] = call
        self._new_calls.append(call)
        if ended:
            call.on_data(b"", ended=True)

    def _rejection(self, path: bytes, method: Method | None) -> Headers | None:
        """Return the headers that fail a call for which there is no method, or no room."""
        if method is None:
            if path not in self.server.health_paths:
                return requests.trailers_only(NO_METHOD)
            if self.server.check_limit.left <= 0:
                return requests.trailers_only(to_status(self.server.check_limit.error()))
            return None
        if self.spare:
            return requests.trailers_only(to_status(too_many_connections()))
        if self.server.call_limit.left <= 0:
            return requests.trailers_only(to_status(self.server.call_limit.error()))
        if self._backlog > transport_limits.MAX_BACKLOG:
            return requests.trailers_only(to_status(too_much_unread()))
        return None

    def _reject(self, stream: int, headers: Headers, *, ended: bool) -> None:
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
            if not self.is_authenticated:
                self.check_authenticated(call)

    def on_reset(self, stream: int) -> None:
        self._discarding.discard(stream)
        call = self._calls.get(stream)
        if call is not None:
            call.abandon()

    def on_settings(self) -> None:
        self.lifetime.has_spoken = True

    def on_ping(self) -> None:
        if self.lifetime.pinged(self.time()):
            self.codec.go_away(ENHANCE_YOUR_CALM, b"too_many_pings")
            raise ProtocolError("too many pings")

    def on_pong(self) -> None:
        self.lifetime.awaiting_pong = None

    # What the server says.

    @_ends_on_protocol_error
    def drain(self) -> None:
        """Ask the peer to go elsewhere.

        The connection closes when its calls have ended.
        """
        if self.lifetime.drained_at is None:
            self.lifetime.drained_at = self.time()
            self.codec.announce_end()
            self._send()
            # Calls may be on their way, so the connection stays until they had time to arrive.
            self.loop.call_later(transport_limits.GOAWAY_DELAY, self._go_away)

    @_ends_on_protocol_error
    def _go_away(self) -> None:
        self._closing = True
        self.codec.go_away()
        self._send()

    @_ends_on_protocol_error
    def end(self) -> None:
        """End all calls, and the connection."""
        for call in list(self._calls.values()):
            call.fail(STOPPING)
        self._send()
        self._close()

    def _close(self) -> None:
        """Close the transport when all is sent.

        A peer that takes nothing must not hold that up.
        """
        self.transport.close()
        self.loop.call_later(transport_limits.LINGER_TIMEOUT, self.transport.abort)

    @_ends_on_protocol_error
    def check(self, now: float) -> None:
        """Apply the bounds of time; called about once a second."""
        if self.transport.is_closing():
            return
        is_provisional = self.spare or not self.is_authenticated
        match self.lifetime.due(now, is_provisional=is_provisional, has_calls=bool(self._calls)):
            case Due.ABORT:
                self.transport.abort()
            case Due.END:
                self.end()
            case Due.DRAIN:
                self.drain()
            case Due.PING:
                self.lifetime.awaiting_pong = now
                self.codec.ping()
                self._send()
