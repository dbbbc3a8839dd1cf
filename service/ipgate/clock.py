"""Time, in one place, so that tests can set it."""

import time


class Clock:
    """Wall time for what people see and expiry; steady time for how old knowledge is."""

    def now(self) -> int:
        """Nanoseconds since 1970."""
        return time.time_ns()

    def steady(self) -> float:
        """Seconds that only grow, counting those in which the machine was suspended."""
        return time.clock_gettime(_STEADY)


_STEADY: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
