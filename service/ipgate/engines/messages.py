"""The errors that engines themselves give."""

from ipgate.domain.errors import InvalidArgument, LimitExceeded, Unavailable

LONGEST_READ = 30.0
"""Seconds in which the message of a call must arrive."""


def too_slow(within: float) -> Unavailable:
    """The error for a message that did not arrive within so many seconds."""
    text = f"the request did not arrive within {within:g} s; try again"
    return Unavailable(text, reason="REQUEST_TOO_SLOW")


def late_stream(longest: float) -> Unavailable:
    """The error for a stream that was open for longer than so many seconds."""
    text = f"the stream was open for {longest:g} s; open a new one"
    return Unavailable(text, reason="REQUEST_TOO_SLOW")


def missing() -> InvalidArgument:
    """The error for a call that ends without a message."""
    return InvalidArgument.of("request", "is missing; send one message")


def too_many_calls() -> LimitExceeded:
    """The error beyond `max-concurrent-calls`."""
    return LimitExceeded("too many calls are in flight; try again later")
