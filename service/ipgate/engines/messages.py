"""The errors that engines themselves give."""

from google.rpc import code_pb2
from google.rpc.status_pb2 import Status

from ipgate.domain.errors import InvalidArgument, LimitExceeded, Unavailable

READ_TIMEOUT = 30.0
"""Seconds in which the message of a call must arrive."""


def read_timed_out(within: float) -> Unavailable:
    """Return the error for a message that did not arrive within so many seconds."""
    text = f"the request did not arrive within {within:g} s; try again"
    return Unavailable(text, reason="REQUEST_TOO_SLOW")


def stream_timed_out(max_duration: float) -> Unavailable:
    """Return the error for a stream that was open for longer than so many seconds."""
    text = f"the stream was open for {max_duration:g} s; open a new one"
    return Unavailable(text, reason="REQUEST_TOO_SLOW")


def no_message() -> InvalidArgument:
    """Return the error for a call that ends without a message."""
    return InvalidArgument.of("request", "is missing; send one message")


def too_many_connections() -> LimitExceeded:
    """Return the error on a connection beyond `max-connections`, for all calls but health checks."""
    return LimitExceeded("too many connections are open; try again later")


def too_much_unread() -> LimitExceeded:
    """Return the error for a connection whose answers are not taken."""
    return LimitExceeded("too many answers of this connection are unread; read them first")


def too_many_calls() -> LimitExceeded:
    """Return the error beyond `max-concurrent-calls`."""
    return LimitExceeded("too many calls are in flight; try again later")


NO_METHOD = Status(code=code_pb2.UNIMPLEMENTED, message="there is no such method")
DEADLINE_EXCEEDED = Status(
    code=code_pb2.DEADLINE_EXCEEDED, message="the deadline passed before the answer"
)
STOPPING = Status(code=code_pb2.UNAVAILABLE, message="the server is stopping")
