"""When the ranges of an allow list count (docs/rules.md).

Nearly all ranges always count. Those that do not are kept beside the compiled list, and looked at only where one
of them was found.
"""

from array import array
from bisect import bisect_left, bisect_right
from typing import NamedTuple

from ipgate.domain.addresses import PREFIX_BITS, PREFIX_MASK, last_address, range_holding

_FIRST, _LAST = -(1 << 63), (1 << 63) - 1
"""What an array holds: the years 1677 to 2262. Times beyond are as good as these."""


class Validity(NamedTuple):
    """A range counts from `start` on until before `end`, both in ns since 1970."""

    start: int
    end: int

    def holds(self, now: int) -> bool:
        return self.start <= now < self.end


ALWAYS = Validity(_FIRST, _LAST)
NEVER = Validity(0, 0)

END_OF_TIME = _LAST
"""No instant from here on, in the year 2262, can be decided for."""


def validity(start_time: int | None, expire_time: int | None, *, disabled: bool) -> Validity:
    """Return when a range with these attributes counts; times in ns since 1970, None for no bound."""
    if disabled:
        return NEVER
    start = _FIRST if start_time is None else _within(start_time)
    end = _LAST if expire_time is None else _within(expire_time)
    return Validity(start, end)


def _within(time: int) -> int:
    return min(max(_FIRST, time), _LAST)


class ConditionalRanges:
    """The ranges of a list that do not always count, in order, in 25 bytes each and the int of the range.

    Of each it is known when it counts, and the owner (`Intervals`) that stands for the most specific range
    around it, 0 if there is none.
    """

    __slots__ = ("_ends", "_outer", "_starts", "ranges")

    def __init__(self) -> None:
        self.ranges: list[int] = []
        self._starts = array("q")
        self._ends = array("q")
        self._outer = array("B")

    def __len__(self) -> int:
        return len(self.ranges)

    def copy(self) -> "ConditionalRanges":
        copy = ConditionalRanges()
        copy.ranges = self.ranges[:]
        copy._starts, copy._ends, copy._outer = self._starts[:], self._ends[:], self._outer[:]
        return copy

    def append(self, packed: int, valid: Validity, outer: int) -> None:
        """Add a range after all the others."""
        self.ranges.append(packed)
        self._starts.append(valid.start)
        self._ends.append(valid.end)
        self._outer.append(outer)

    def counting(self, address: int, owner: int, now: int) -> int:
        """Return the owner for the most specific range that holds `address` and counts, from `owner` outwards."""
        while owner:
            packed = range_holding(address, owner - 1)
            index = bisect_left(self.ranges, packed)
            if index == len(self.ranges) or self.ranges[index] != packed:
                return owner
            if self._starts[index] <= now < self._ends[index]:
                return owner
            owner = self._outer[index]
        return 0

    def inside(self, packed: int) -> range:
        """Return the indexes of the ranges inside of another one, which may be among them itself."""
        first = bisect_left(self.ranges, packed)
        last = last_address(packed) << PREFIX_BITS | PREFIX_MASK
        return range(first, bisect_right(self.ranges, last, first))

    def put(self, packed: int, valid: Validity, outer: int) -> None:
        """Let a range of the list, which may be new, count then."""
        own = (packed & PREFIX_MASK) + 1
        self._remove(packed)
        for index in self.inside(packed):
            # It is the nearest one now, except where another one is in between.
            self._outer[index] = max(self._outer[index], own)
        if valid != ALWAYS:
            self._insert(bisect_left(self.ranges, packed), packed, valid, outer)

    def drop(self, packed: int, outer: int) -> None:
        """Forget a range that the list has no more; `outer` is the owner for the next wider range."""
        own = (packed & PREFIX_MASK) + 1
        self._remove(packed)
        for index in self.inside(packed):
            if self._outer[index] == own:
                self._outer[index] = outer

    def size(self) -> int:
        """Return the memory held, in bytes, approximately."""
        return 300 + (8 + 48 + 8 + 8 + 1) * len(self.ranges)

    def _insert(self, index: int, packed: int, valid: Validity, outer: int) -> None:
        self.ranges.insert(index, packed)
        self._starts.insert(index, valid.start)
        self._ends.insert(index, valid.end)
        self._outer.insert(index, outer)

    def _remove(self, packed: int) -> None:
        index = bisect_left(self.ranges, packed)
        if index < len(self.ranges) and self.ranges[index] == packed:
            del self.ranges[index], self._starts[index], self._ends[index], self._outer[index]
