"""Allow lists compiled into disjoint intervals: one binary search finds the range that covers an address.

Compiling works in steps, as generators that yield every few thousand ranges, so that an event loop
can serve others in between; the compiled form is their return value.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Generator, Iterable, Mapping, Sequence
from heapq import heappop, heappush
from itertools import chain
from typing import NamedTuple, TypeVar

from ipgate.domain.addresses import (
    IPV6,
    LAST_IPV4,
    LAST_IPV6,
    PREFIX_BITS,
    PREFIX_MASK,
    last_address,
)
from ipgate.domain.validity import ConditionalRanges, Validity
from ipgate.domain.wide_array import HALF, LOW_HALF, WideArray

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

    `starts`: first address of each interval of IPv4, ascending, the first 0. `owners`: for each interval
    0 for "no range", else the prefix length plus one of the most specific range; in the union of
    several lists, above 16 bits that rank the lists so that the greater owner always wins.
    `starts6`, `owners6`: the same for IPv6, None if no range is of IPv6.
    `conditional`: the ranges that do not always count, None if there are none, as always in a union.
    `names`: resource names of the lists, in the order of their ids.
    """

    __slots__ = ("__weakref__", "conditional", "names", "owners", "owners6", "starts", "starts6")

    def __init__(
        self,
        names: Sequence[str],
        starts: "array[int]",
        owners: "array[int]",
        starts6: WideArray | None = None,
        owners6: "array[int] | None" = None,
        *,
        conditional: ConditionalRanges | None = None,
    ) -> None:
        self.names = names
        self.starts = starts
        self.owners = owners
        self.starts6 = starts6
        self.owners6 = owners6
        self.conditional = conditional

    def find(self, address: int) -> tuple[int, str] | None:
        """Return the prefix length and the list's name of the most specific range that holds `address`, or None.

        It takes all ranges to count; `find_at` is for lists with `conditional` ones.
        """
        if address <= LAST_IPV4:
            owner = self.owners[bisect_right(self.starts, address) - 1]
        else:
            starts, owners = self.starts6, self.owners6
            if starts is None or owners is None:
                return None
            # As WideArray.position does it, without its call where that is not needed.
            high, highs = address >> HALF & LOW_HALF, starts.highs
            index = bisect_right(highs, high) - 1
            if highs[index] == high and starts.lows[index] > address & LOW_HALF:
                index = starts.position_before(address, index)
            owner = owners[index]
        if not owner:
            return None
        if owner <= _LIST_MASK:  # there is no other list
            return owner - 1, self.names[0]
        return (owner >> _LIST_BITS) - 1, self.names[_LIST_MASK - (owner & _LIST_MASK)]

    def find_at(self, address: int, now: int) -> tuple[int, str] | None:
        """Return the same of the ranges of one list that count `now`, in ns since 1970."""
        assert self.conditional is not None
        hit = self.find(address)
        owner = self.conditional.counting(address, hit[0] + 1, now) if hit else 0
        return (owner - 1, self.names[0]) if owner else None

    def length(self) -> int:
        """Return the number of intervals."""
        return len(self.owners) + len(self.owners6 or ())

    def size(self) -> int:
        """Memory held, in bytes, to within a few hundred."""
        held = self.starts.itemsize * len(self.starts) + self.owners.itemsize * len(self.owners)
        if self.starts6 is not None and self.owners6 is not None:
            held += 300 + (self.starts6.itemsize + self.owners6.itemsize) * len(self.owners6)
        if self.conditional is not None:
            held += self.conditional.size()
        return held + 300 + 8 * len(self.names)


class Family(NamedTuple):
    """IPv4 or IPv6: its first and last address."""

    first: int
    last: int


FAMILIES = Family(0, LAST_IPV4), Family(IPV6, LAST_IPV6)


class _Builder:
    """Collects intervals in ascending order; a later one at the same start replaces the former."""

    def __init__(self, family: Family, owner_type: str) -> None:
        self.starts: array[int] | WideArray = WideArray() if family.first else array("I")
        self.owners = array(owner_type, (0,))
        self.starts.append(family.first)
        self._latest = family.first

    def put(self, start: int, owner: int) -> None:
        if start == self._latest:
            self.owners[-1] = owner
        elif owner != self.owners[-1]:
            self.starts.append(start)
            self.owners.append(owner)
            self._latest = start


def _built(
    names: Sequence[str], builders: Sequence[_Builder], conditional: ConditionalRanges | None
) -> Intervals:
    """Return the intervals of both families, of which the second may be left out."""
    # The copies drop the room that appending reserved.
    narrow, *wide = [(builder.starts[:], builder.owners[:]) for builder in builders]
    starts, starts6 = narrow[0], wide[0][0] if wide else None
    assert isinstance(starts, array)
    assert starts6 is None or isinstance(starts6, WideArray)
    owners6 = wide[0][1] if wide else None
    return Intervals(names, starts, narrow[1], starts6, owners6, conditional=conditional)


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


def compile_list(
    name: str, ranges: Sequence[int], valid: Mapping[int, Validity] | None = None
) -> Steps[Intervals]:
    """Compile the packed `ranges` of the list `name`, in any order, duplicates allowed.

    `valid`: when those count that do not always count.
    """
    ordered = yield from in_order(ranges)
    middle = bisect_left(ordered, IPV6 << PREFIX_BITS)
    conditional = ConditionalRanges() if valid else None
    builders = []
    for family, part in zip(FAMILIES, (ordered[:middle], ordered[middle:]), strict=True):
        if part or not family.first:
            builder = _Builder(family, _LIST_OWNER)
            yield from _sweep(builder, family, part, conditional, valid or {})
            builders.append(builder)
    return _built((name,), builders, conditional)


def _sweep(
    builder: _Builder,
    family: Family,
    ordered: Sequence[int],
    conditional: ConditionalRanges | None,
    valid: Mapping[int, Validity],
) -> Steps[None]:
    put = builder.put
    enclosing: list[tuple[int, int]] = []  # last address and owner, outermost first
    former = -1
    for index, packed in enumerate(ordered):
        if not index % STEP:
            yield
        base, owner = packed >> PREFIX_BITS, (packed & PREFIX_MASK) + 1
        while enclosing and enclosing[-1][0] < base:
            ended = enclosing.pop()[0]
            put(ended + 1, enclosing[-1][1] if enclosing else 0)
        if conditional is not None and packed != former and packed in valid:
            conditional.append(packed, valid[packed], enclosing[-1][1] if enclosing else 0)
        former = packed
        put(base, owner)
        enclosing.append((last_address(packed), owner))
    while enclosing:
        ended = enclosing.pop()[0]
        if ended < family.last:
            put(ended + 1, enclosing[-1][1] if enclosing else 0)


def compile_union(lists: Sequence[Intervals]) -> Steps[Intervals]:
    """Return the union of compiled single lists: the most specific range decides, then the list's id.

    Raises:
        ValueError: a list has ranges that do not always count.
    """
    if any(compiled.conditional is not None for compiled in lists):
        raise ValueError("a list with ranges that do not always count joins no union")
    lists = sorted(lists, key=lambda compiled: compiled.names[0])
    builders = []
    for family in FAMILIES:
        parts: list[tuple[int, array[int] | WideArray, array[int]]] = []
        for index, compiled in enumerate(lists):
            if not family.first:
                parts.append((index, compiled.starts, compiled.owners))
            elif compiled.starts6 is not None and compiled.owners6 is not None:
                parts.append((index, compiled.starts6, compiled.owners6))
        if parts:
            builder = _Builder(family, _UNION_OWNER)
            yield from _merge(builder, family, parts, len(lists))
            builders.append(builder)
    return _built([compiled.names[0] for compiled in lists], builders, None)


def _merge(
    builder: _Builder,
    family: Family,
    parts: "Iterable[tuple[int, array[int] | WideArray, array[int]]]",
    count: int,
) -> Steps[None]:
    """Sweep all interval starts of all lists in order.

    What the lists say at a point is kept in a heap, greatest owner first, from which outdated entries go when
    they come up.
    """
    events: list[int] = []  # start, list and owner in one number
    for index, starts, owners in parts:
        for first in range(0, len(owners), STEP):
            slice_ = slice(first, first + STEP)
            pairs = zip(starts[slice_], owners[slice_], strict=True)
            events += [start << 24 | index << 8 | owner for start, owner in pairs]
            if not index % 16:
                yield
    ordered = yield from in_order(events)
    present = [0] * count
    heap: list[int] = []  # negated owners
    at = family.first
    for number, event in enumerate(ordered):
        if not number % STEP:
            yield
        if event >> 24 != at:
            builder.put(at, _greatest(heap, present))
            at = event >> 24
        index = event >> 8 & _LIST_MASK
        owner = event & 0xFF and (event & 0xFF) << _LIST_BITS | _LIST_MASK - index
        present[index] = owner
        if owner:
            heappush(heap, -owner)
    builder.put(at, _greatest(heap, present))


def _greatest(heap: list[int], present: Sequence[int]) -> int:
    """Return the greatest owner that still holds; 0 if none does."""
    while heap:
        owner = -heap[0]
        if present[_LIST_MASK - (owner & _LIST_MASK)] == owner:
            return owner
        heappop(heap)
    return 0


class Coverage(NamedTuple):
    """What ranges cover together: addresses of IPv4, and blocks of IPv6, each a /64 or a part of one."""

    addresses: int
    blocks: int


BLOCK_BITS = 64


def block_count(packed: int) -> int:
    """Return how many addresses a range of IPv4 covers, or how many blocks one of IPv6."""
    base, last = packed >> PREFIX_BITS, last_address(packed)
    if base <= LAST_IPV4:
        return last - base + 1
    return (last >> BLOCK_BITS) - (base >> BLOCK_BITS) + 1


def coverage(ordered: Sequence[int]) -> Steps[Coverage]:
    """Return what sorted ranges cover."""
    covered, end = [0, 0], 0  # `end`: one past the last address or block counted
    for index, packed in enumerate(ordered):
        if not index % STEP:
            yield
        base, last, family = packed >> PREFIX_BITS, last_address(packed), 0
        if base > LAST_IPV4:
            base, last, family = base >> BLOCK_BITS, last >> BLOCK_BITS, 1
        if last >= end:
            covered[family] += last + 1 - max(base, end)
            end = last + 1
    return Coverage(*covered)
