"""Allow lists compiled into disjoint intervals: one binary search finds the range that covers an address.

Compiling works in steps, as generators that yield every few thousand ranges, so that an event loop
can serve others in between; the compiled form is their return value.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Generator, Sequence
from heapq import heappop, heappush
from itertools import chain
from typing import TypeVar

from ipgate.domain.addresses import PREFIX_BITS, PREFIX_MASK, last_address

T = TypeVar("T")
Steps = Generator[None, None, T]

STEP = 2048
"""Ranges handled between two yields: about a millisecond."""

_LIST_OWNER = "B"
_UNION_OWNER = "I"
_LIST_BITS = 16
_LIST_MASK = (1 << _LIST_BITS) - 1


class Intervals:
    """The address space cut into intervals, each with the range that decides there, if any.

    `starts`: first address of each interval, ascending, the first 0. `owners`: for each interval
    0 for "no range", else the prefix length plus one of the most specific range; in the union of
    several lists, above 16 bits that rank the lists so that the greater owner always wins.
    `names`: resource names of the lists, in the order of their ids.
    """

    __slots__ = ("__weakref__", "names", "owners", "starts")

    def __init__(self, names: Sequence[str], starts: "array[int]", owners: "array[int]") -> None:
        self.names = names
        self.starts = starts
        self.owners = owners

    def find(self, address: int) -> tuple[int, str] | None:
        """Return the prefix length and the list's name of the most specific range that holds `address`, or None."""
        owner = self.owners[bisect_right(self.starts, address) - 1]
        if not owner:
            return None
        if owner <= _LIST_MASK:  # there is no other list
            return owner - 1, self.names[0]
        return (owner >> _LIST_BITS) - 1, self.names[_LIST_MASK - (owner & _LIST_MASK)]

    def size(self) -> int:
        """Memory held, in bytes, to within a few hundred."""
        held = self.starts.itemsize * len(self.starts) + self.owners.itemsize * len(self.owners)
        return held + 300 + 8 * len(self.names)


class _Builder:
    """Collects intervals in ascending order; a later one at the same start replaces the former."""

    def __init__(self, owner_type: str) -> None:
        self.starts = array("I", (0,))
        self.owners = array(owner_type, (0,))

    def put(self, start: int, owner: int) -> None:
        if start == self.starts[-1]:
            self.owners[-1] = owner
        elif owner != self.owners[-1]:
            self.starts.append(start)
            self.owners.append(owner)

    def done(self, names: Sequence[str]) -> Intervals:
        # The copies drop the room that appending reserved.
        return Intervals(names, self.starts[:], self.owners[:])


def in_order(values: Sequence[int]) -> Steps[list[int]]:
    """`values` sorted, without one long sort: short runs, then merged slice by slice."""
    runs = []
    for index in range(0, len(values), STEP):
        runs.append(sorted(values[index : index + STEP]))
        yield
    samples = sorted(chain.from_iterable(run[:: STEP // 16] for run in runs))
    merged: list[int] = []
    cuts = [0] * len(runs)
    beyond = max((run[-1] for run in runs), default=0) + 1
    for pivot in [*samples[16::16], beyond]:
        piece: list[int] = []
        for index, run in enumerate(runs):
            cut = bisect_left(run, pivot, cuts[index])
            piece += run[cuts[index] : cut]
            cuts[index] = cut
        piece.sort()
        merged += piece
        yield
    return merged


def compile_list(name: str, ranges: Sequence[int]) -> Steps[Intervals]:
    """Compile the packed `ranges` of the list `name`, in any order, duplicates allowed."""
    ordered = yield from in_order(ranges)
    build = _Builder(_LIST_OWNER)
    put = build.put
    enclosing: list[tuple[int, int]] = []  # last address and owner, outermost first
    for index, packed in enumerate(ordered):
        if not index % STEP:
            yield
        base, owner = packed >> PREFIX_BITS, (packed & PREFIX_MASK) + 1
        while enclosing and enclosing[-1][0] < base:
            ended = enclosing.pop()[0]
            put(ended + 1, enclosing[-1][1] if enclosing else 0)
        put(base, owner)
        enclosing.append((last_address(packed), owner))
    while enclosing:
        ended = enclosing.pop()[0]
        if ended < 0xFFFFFFFF:
            put(ended + 1, enclosing[-1][1] if enclosing else 0)
    return build.done((name,))


def compile_union(lists: Sequence[Intervals]) -> Steps[Intervals]:
    """Return the union of compiled single lists: the most specific range decides, then the list's id.

    All interval starts of all lists are swept in order. What the lists say at a point is kept in a heap,
    greatest owner first, from which outdated entries go when they come up.
    """
    lists = sorted(lists, key=lambda compiled: compiled.names[0])
    events: list[int] = []  # start, list and owner in one number
    for index, compiled in enumerate(lists):
        for first in range(0, len(compiled.starts), STEP):
            slice_ = slice(first, first + STEP)
            pairs = zip(compiled.starts[slice_], compiled.owners[slice_], strict=True)
            events += [start << 24 | index << 8 | owner for start, owner in pairs]
            if not index % 16:
                yield
    ordered = yield from in_order(events)
    build = _Builder(_UNION_OWNER)
    present = [0] * len(lists)
    heap: list[int] = []  # negated owners
    at = 0
    for count, event in enumerate(ordered):
        if not count % STEP:
            yield
        if event >> 24 != at:
            build.put(at, _greatest(heap, present))
            at = event >> 24
        index = event >> 8 & _LIST_MASK
        owner = event & 0xFF and (event & 0xFF) << _LIST_BITS | _LIST_MASK - index
        present[index] = owner
        if owner:
            heappush(heap, -owner)
    build.put(at, _greatest(heap, present))
    return build.done([compiled.names[0] for compiled in lists])


def _greatest(heap: list[int], present: Sequence[int]) -> int:
    """Return the greatest owner that still holds; 0 if none does."""
    while heap:
        owner = -heap[0]
        if present[_LIST_MASK - (owner & _LIST_MASK)] == owner:
            return owner
        heappop(heap)
    return 0


def coverage(ordered: Sequence[int]) -> Steps[int]:
    """Return how many distinct addresses sorted ranges cover together."""
    covered = end = 0  # `end`: one past the last address counted
    for index, packed in enumerate(ordered):
        if not index % STEP:
            yield
        base, after = packed >> PREFIX_BITS, last_address(packed) + 1
        if after > end:
            covered += after - max(base, end)
            end = after
    return covered
