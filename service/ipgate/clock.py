"""Time, in one place, so that tests can set it."""

import time
from functools import partial


class Clock:
    """Wall time for what people see and expiry; steady time for how old knowledge is."""

    now = staticmethod(time.time_ns)
    """Nanoseconds since 1970."""

    steady = staticmethod(
        partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
    )
    """Seconds that only grow, counting those in which the machine was suspended."""
