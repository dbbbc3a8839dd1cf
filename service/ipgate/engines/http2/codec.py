"""HTTP/2 of one connection: bytes in, events out, answers in, bytes out.

The only file that knows ngh2, the binding of libnghttp2 (docs/adr/0001-http2-engine.md). It does no I/O.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import ParamSpec, Protocol

from ngh2 import (
    Configuration,
    Connection,
    ConnectionClosed,
    ConnectionClosingError,
    DataReceived,
    ErrorCode,
    Event,
    NGH2Error,
    PingAcknowledged,
    PingReceived,
    RequestReceived,
    Role,
    Setting,
    SettingsReceived,
    StreamClosed,
    StreamProtocolError,
    StreamReset,
    TrailersReceived,
)

from ipgate.engines import transport_limits

P = ParamSpec("P")

Headers = Sequence[tuple[bytes, bytes]]

UNAUTHENTICATED_WINDOW = 65_535
"""Bytes that a connection may send ahead of what is read: the least that HTTP/2 permits."""

AUTHENTICATED_WINDOW = 1 << 20
"""The same once a token was accepted."""

CANCEL, NO_ERROR, REFUSED = ErrorCode.CANCEL, ErrorCode.NO_ERROR, ErrorCode.REFUSED_STREAM
ENHANCE_YOUR_CALM = ErrorCode.ENHANCE_YOUR_CALM

_CONFIGURATION = Configuration(
    # Room is made by `taken`, when a message is really wanted.
    auto_window_update=False,
    # Beyond, the connection ends; the limit that is announced ends the call alone.
    max_inbound_header_list_size=2 * transport_limits.MAX_METADATA,
    max_inbound_header_count=2 * transport_limits.MAX_HEADERS,
    # More than fit into one read: then `on_ping` can say why the connection ends.
    max_outbound_ack=50_000,
    stream_reset_rate_limit=(500, 100),
)
_SETTINGS = {
    Setting.MAX_CONCURRENT_STREAMS: transport_limits.MAX_STREAMS,
    Setting.INITIAL_WINDOW_SIZE: UNAUTHENTICATED_WINDOW,
    Setting.MAX_HEADER_LIST_SIZE: transport_limits.MAX_METADATA,
    Setting.ENABLE_PUSH: 0,
}
_UNPROCESSED = (1 << 31) - 1
START = ((b":status", b"200"), (b"content-type", b"application/grpc"))
_OK = ((b"grpc-status", b"0"),)


ProtocolError = NGH2Error
"""The peer broke HTTP/2, or the connection is over; `final_frames` has what can still be sent."""


class Receiver(Protocol):
    """Takes the events of a connection."""

    def on_request(self, stream: int, headers: Headers, *, ended: bool) -> None: ...
    def on_data(self, stream: int, data: bytes, *, ended: bool) -> None: ...
    def on_reset(self, stream: int) -> None: ...
    def on_ping(self) -> None: ...
    def on_pong(self) -> None: ...
    def on_settings(self) -> None: ...


def _report(event: Event, receiver: Receiver) -> None:
    """Hands on what is rarer than the parts of a request.

    Raises: ProtocolError.
    """
    match event:
        case TrailersReceived():
            receiver.on_data(event.stream_id, b"", ended=True)
        case StreamReset() | StreamClosed():
            receiver.on_reset(event.stream_id)
        case PingReceived():
            receiver.on_ping()
        case PingAcknowledged():
            receiver.on_pong()
        case SettingsReceived():
            receiver.on_settings()
        case ConnectionClosed():
            raise ConnectionClosingError("the connection is closed")


def _unless_gone(operate: Callable[P, None]) -> Callable[P, None]:
    """Do nothing on a stream that the peer has reset, which is an event of its own."""

    @wraps(operate)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            operate(*args, **kwargs)
        except StreamProtocolError:
            return

    return guarded


class Codec:
    """One connection of a server."""

    def __init__(self) -> None:
        self._connection = Connection(Role.SERVER, _CONFIGURATION)
        self._connection.initiate_connection(_SETTINGS)
        self.pending = self._connection.data_to_send
        """Takes the bytes that are to be sent."""

    def feed(self, data: bytes, receiver: Receiver) -> None:
        """Take bytes of the peer, and hands on what they say.

        Raises: ProtocolError.
        """
        connection = self._connection
        connection.receive_data(data)
        for event in connection.events():
            if isinstance(event, RequestReceived):
                receiver.on_request(event.stream_id, event.headers, ended=event.end_stream)
            elif isinstance(event, DataReceived):
                receiver.on_data(event.stream_id, event.data, ended=event.end_stream)
            else:
                _report(event, receiver)

    def final_frames(self) -> bytes:
        """Return what can still be sent after a ProtocolError."""
        try:
            return self.pending()
        except NGH2Error:
            return b""

    @_unless_gone
    def answer(self, stream: int, taken: int, message: bytes) -> None:
        """Send the framed message of a unary call, and OK.

        `taken`: bytes of its request that were read.
        """
        connection = self._connection
        connection.acknowledge_received_data(taken, stream)
        connection.send_response(stream, START)
        connection.send_data(stream, message)
        connection.send_trailers(stream, _OK)

    @_unless_gone
    def begin(self, stream: int) -> None:
        """Send the headers of a stream of answers."""
        self._connection.send_response(stream, START)

    @_unless_gone
    def send(self, stream: int, message: bytes) -> None:
        """Send a framed message of a stream that was begun."""
        self._connection.send_data(stream, message)

    @_unless_gone
    def end(self, stream: int, trailers: Headers = _OK) -> None:
        """End a stream that was begun."""
        self._connection.send_trailers(stream, trailers)

    @_unless_gone
    def fail(self, stream: int, headers: Headers) -> None:
        """End a stream that was not begun with headers alone."""
        self._connection.send_response(stream, headers, end_stream=True)

    @_unless_gone
    def reset(self, stream: int, code: int) -> None:
        """End a stream, or what the peer still sends on it."""
        self._connection.reset_stream(stream, code)

    @_unless_gone
    def taken(self, stream: int, size: int) -> None:
        """Let the peer send as many bytes more."""
        self._connection.acknowledge_received_data(size, stream)

    @_unless_gone
    def widen(self, stream: int, window: int) -> None:
        """Let the peer send more ahead on a stream."""
        self._connection.set_local_window_size(window, stream_id=stream)

    def mark_authenticated(self) -> None:
        """Let the peer send more ahead."""
        self._connection.set_local_window_size(AUTHENTICATED_WINDOW)

    def queued(self, stream: int | None = None) -> int:
        """Return bytes of answers, of one or all streams, that wait for the peer to take them."""
        return int(self._connection.queued_body_size(stream))

    def is_over(self) -> bool:
        """Return whether nothing more is to be read or sent.

        The peer broke the protocol, or all calls have ended after `go_away`.
        """
        return not (self._connection.want_read or self._connection.want_write)

    def ping(self) -> None:
        self._connection.ping()

    def announce_end(self) -> None:
        """Ask the peer to begin no more streams; those that it has begun are still served."""
        self._connection.send_shutdown_notice()

    def go_away(self, code: int = NO_ERROR, reason: bytes = b"") -> None:
        """Send the number of the last stream that is processed, so that the peer may retry later ones elsewhere."""
        self._connection.send_goaway(code, debug_data=reason)
