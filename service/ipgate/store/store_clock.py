"""An estimate of the store's clock: its last reading plus the steady time since.

A change carries the latest store time at which it may take effect (docs/guarantees.md). A command that was
delayed on a broken connection changes nothing once the connection is restored. A lease carries its end, so a
delayed renewal does not prolong it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ipgate.clock import Clock

WRITE_WINDOW = 5.0
"""Seconds from the sending of a change within which it is made, or never."""

MAX_READING_AGE = 10.0
"""Seconds after which a reading is no longer relied upon: the store's clock may have been set."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """`not_after`: the last instant at which a script may make its change, in seconds of the store's clock.

    `settled_at`: the steady time at which that instant has passed for certain.
    """

    not_after: float
    settled_at: float


@dataclass(frozen=True, slots=True)
class _Reading:
    """`shown` is the store's time at an instant between `asked` and `answered`, which are steady."""

    shown: float
    asked: float
    answered: float


class StoreClock:
    """The clocks of the nodes that the shards are on: one, except for Redis Cluster."""

    def __init__(self, clock: Clock) -> None:
        self.steady = clock.steady
        self._readings: dict[int, _Reading] = {}

    def observe(self, shards: Iterable[int], shown: float, *, asked: float) -> None:
        """Take a reading that has just been answered: `shown` seconds since 1970."""
        reading = _Reading(shown, asked, self.steady())
        for shard in shards:
            self._readings[shard] = reading

    def deadline(self, shard: int | None) -> Deadline | None:
        """Return the deadline of a change that is sent now, where that is known.

        `shard`: None for a key that is in no shard, so that the slowest clock counts.
        """
        now = self.steady()
        readings = self._recent(shard, now)
        if not readings:
            return None
        # The least that the store's clock can show, so that the window is never longer than promised.
        shown = min(reading.shown + now - reading.answered for reading in readings)
        return Deadline(shown + WRITE_WINDOW, now + WRITE_WINDOW)

    def lease_end(self, seconds: float) -> float | None:
        """Return the end of a lease that lasts for so long from now on, where that is known."""
        now = self.steady()
        readings = self._recent(None, now)
        # An upper bound of the store's clock: a lease must not end before its holder stops.
        if not readings:
            return None
        return max(reading.shown + now - reading.asked for reading in readings) + seconds

    def _recent(self, shard: int | None, now: float) -> list[_Reading]:
        readings = self._readings.values() if shard is None else [self._readings.get(shard)]
        return [
            reading
            for reading in readings
            if reading is not None and now - reading.answered <= MAX_READING_AGE
        ]
