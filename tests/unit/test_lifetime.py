"""How long a connection of the http2 engine may live."""

import pytest
from ipgate.engines import transport_limits
from ipgate.engines.http2.lifetime import Due, Lifetime


def life(**set_to: float | bool | None) -> Lifetime:
    lifetime = Lifetime(0.0)
    lifetime.has_spoken = True
    for name, value in set_to.items():
        setattr(lifetime, name, value)
    return lifetime


@pytest.mark.parametrize(
    ("lifetime", "now", "is_provisional", "has_calls", "due"),
    [
        (life(), 1.0, True, False, Due.NOTHING),
        (life(has_spoken=False), transport_limits.HANDSHAKE_TIMEOUT + 1, True, False, Due.ABORT),
        (life(), transport_limits.AUTHENTICATION_TIMEOUT + 1, True, True, Due.DRAIN),
        (life(), transport_limits.AUTHENTICATION_TIMEOUT + 1, False, True, Due.NOTHING),
        (
            life(),
            transport_limits.AUTHENTICATION_TIMEOUT + transport_limits.AUTHENTICATION_GRACE + 1,
            True,
            True,
            Due.END,
        ),
        (life(), transport_limits.KEEPALIVE_TIME + 1, False, True, Due.PING),
        (life(awaiting_pong=0.0), transport_limits.KEEPALIVE_TIMEOUT + 1, False, True, Due.ABORT),
        (life(awaiting_pong=0.0), transport_limits.KEEPALIVE_TIMEOUT - 1, False, True, Due.NOTHING),
        (
            life(read_at=transport_limits.IDLE_TIMEOUT),
            transport_limits.IDLE_TIMEOUT + 1,
            False,
            False,
            Due.DRAIN,
        ),
        (
            life(read_at=transport_limits.IDLE_TIMEOUT),
            transport_limits.IDLE_TIMEOUT + 1,
            False,
            True,
            Due.NOTHING,
        ),
        (
            life(read_at=transport_limits.MAX_AGE),
            transport_limits.MAX_AGE + 1,
            False,
            True,
            Due.DRAIN,
        ),
        (life(drained_at=0.0), transport_limits.MAX_AGE_GRACE + 1, False, True, Due.END),
        (
            life(),
            transport_limits.MAX_AGE + transport_limits.MAX_AGE_GRACE + 1,
            False,
            True,
            Due.END,
        ),
    ],
)
def test_each_bound_of_time_has_its_consequence(
    lifetime: Lifetime, now: float, is_provisional: bool, has_calls: bool, due: Due
) -> None:
    """And the hard ones come before the others."""
    assert lifetime.due(now, is_provisional=is_provisional, has_calls=has_calls) is due


def test_the_third_ping_too_many_is_one_too_many() -> None:
    """Counted since something was sent; slow pings are none too many."""
    lifetime = life()
    assert [lifetime.pinged(1.0 + index / 10) for index in range(4)] == [False, False, False, True]
    lifetime.strikes = 0
    assert not lifetime.pinged(2.0)
    slow = life()
    assert not any(slow.pinged(10.0 * index) for index in range(100))
