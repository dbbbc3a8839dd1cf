"""How much memory a worker takes to hold a store's policies."""

from typing import NamedTuple

BYTES_PER_KEY = 400
BYTES_PER_RANGE = 24
"""At most, as `make bench` bounds them (bench/thresholds.json)."""


class Stock(NamedTuple):
    """How many API keys and ranges a store has."""

    keys: int
    ranges: int

    def worker_bytes(self) -> int:
        """Return the maximum of memory that a worker needs for them, in addition to that of an empty one.

        It is bounded by `cache-bytes`.
        """
        return self.keys * BYTES_PER_KEY + self.ranges * BYTES_PER_RANGE
