"""How long a connection may live, by what its peer did and when.

It does no I/O and reads no clock.
"""

from enum import Enum, auto

from ipgate.engines import transport_limits

_MAX_STRIKES = 2
_PING_EVERY = 10.0
"""Seconds: a peer that pings more often gets strikes, unless it was sent something in between."""


class Due(Enum):
    """What is to be done with a connection now."""

    NOTHING = auto()
    PING = auto()
    DRAIN = auto()
    """The peer should connect again; its calls go on."""
    END = auto()
    ABORT = auto()


class Lifetime:
    """Times are steady seconds."""

    __slots__ = (
        "awaiting_pong",
        "began",
        "busy_at",
        "drained_at",
        "has_spoken",
        "pinged_at",
        "read_at",
        "strikes",
    )

    def __init__(self, now: float) -> None:
        self.began = self.read_at = self.busy_at = now
        self.has_spoken = False
        self.drained_at: float | None = None
        self.awaiting_pong: float | None = None
        self.pinged_at = -_PING_EVERY
        self.strikes = 0

    def pinged(self, now: float) -> bool:
        """Take note of a ping.

        True if it is one too many.
        """
        if now - self.pinged_at < _PING_EVERY:
            self.strikes += 1
        self.pinged_at = now
        return self.strikes > _MAX_STRIKES

    def due(self, now: float, *, is_provisional: bool, has_calls: bool) -> Due:
        """Return what is to be done.

        `is_provisional`: not authenticated, or a spare connection. The hard bounds come first: a peer that takes
        nothing does not even get a GOAWAY.
        """
        age = now - self.began
        if (not self.has_spoken and age > transport_limits.HANDSHAKE_TIMEOUT) or _is_over(
            self.awaiting_pong, now, transport_limits.KEEPALIVE_TIMEOUT
        ):
            return Due.ABORT
        if (
            age > transport_limits.MAX_AGE + transport_limits.MAX_AGE_GRACE
            or _is_over(self.drained_at, now, transport_limits.MAX_AGE_GRACE)
            or (
                is_provisional
                and age
                > transport_limits.AUTHENTICATION_TIMEOUT + transport_limits.AUTHENTICATION_GRACE
            )
        ):
            return Due.END
        is_idle = not has_calls and now - self.busy_at > transport_limits.IDLE_TIMEOUT
        if (
            (is_provisional and age > transport_limits.AUTHENTICATION_TIMEOUT)
            or age > transport_limits.MAX_AGE
            or is_idle
        ):
            return Due.DRAIN
        if self.awaiting_pong is None and now - self.read_at > transport_limits.KEEPALIVE_TIME:
            return Due.PING
        return Due.NOTHING


def _is_over(since: float | None, now: float, seconds: float) -> bool:
    return since is not None and now - since > seconds
