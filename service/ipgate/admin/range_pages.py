"""The ranges of an allow list page by page, in numeric order."""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ipgate import cooperative
from ipgate.domain.addresses import PREFIX_BITS, BadRange, last_address, parse_range
from ipgate.domain.errors import Conflict, InvalidArgument, NotFound
from ipgate.domain.intervals import STEP, Steps, in_order
from ipgate.domain.names import list_name
from ipgate.domain.resources import Range
from ipgate.store.broken import reading
from ipgate.store.list_reader import read_list
from ipgate.store.lists import ListStore
from ipgate.store.schema import decode_range

MAX_KEPT = 500_000
"""Ranges of all sorted copies together, about 150 bytes each; the oldest copies go first."""

KEPT_FOR = 60.0
"""Seconds that a sorted copy is kept for the next page."""

_SEARCHED = 500
"""Ranges that are looked at in one step of a search: less than a millisecond."""

_AFTER = re.compile("e([0-9a-f]{16})-([0-9]{1,9})")
"""An etag and an index, in the form of an id."""

Sorted = list[tuple[str, str]]
"""Ranges in numeric order, each with its stored value."""


@dataclass(frozen=True, slots=True)
class RangePage:
    """`next_after`: where the next page begins, "" after the last one."""

    ranges: list[Range]
    etag: str
    next_after: str


@dataclass(frozen=True, slots=True)
class RangePages:
    """Keeps a sorted copy of each list that is being paged through, by its etag."""

    store: ListStore
    _copies: dict[str, Sorted] = field(default_factory=dict)

    async def page(
        self, workspace: str, allow_list: str, after: str, size: int, *, query: str = ""
    ) -> RangePage:
        """Return a page of the ranges that match a search text, "" for all.

        Raises: NotFound, Unavailable; Conflict if the list changed since the page before.
        """
        stored = await self.store.get(workspace, allow_list)
        etag, first = _parse_after(after) if after else (stored.meta.etag, 0)
        if etag != stored.meta.etag:
            raise Conflict(
                f"{list_name(workspace, allow_list)} was changed since the page before; begin with the first page"
            )
        with reading(list_name(workspace, allow_list)):
            ordered = self._copies.get(etag) or await self._copy(workspace, allow_list, etag)
            if query:
                ranges, end = await cooperative.run(_found(ordered, first, size, matching(query)))
            else:
                end = first + size
                ranges = [decode_range(*item) for item in ordered[first:end]]
        return RangePage(ranges, etag, "" if end >= len(ordered) else f"e{etag}-{end}")

    async def _copy(self, workspace: str, allow_list: str, etag: str) -> Sorted:
        _, read = await read_list(self.store.scripts, workspace, allow_list)
        if read is None:
            raise NotFound(list_name(workspace, allow_list))
        if read.etag != etag:
            raise Conflict(
                f"{list_name(workspace, allow_list)} was changed in the meantime; try again"
            )
        ordered = await cooperative.run(sorted_ranges(read.ranges))
        self._copies[etag] = ordered
        while len(self._copies) > 1 and sum(map(len, self._copies.values())) > MAX_KEPT:
            del self._copies[next(iter(self._copies))]
        asyncio.get_running_loop().call_later(KEPT_FOR, self._copies.pop, etag, None)
        return ordered


def sorted_ranges(ranges: dict[str, str]) -> Steps[Sorted]:
    """Return ranges with their values in numeric order."""
    items = list(ranges.items())
    by_number: dict[int, tuple[str, str]] = {}
    for first in range(0, len(items), STEP):
        by_number.update((parse_range(item[0]), item) for item in items[first : first + STEP])
        yield
    ordered = yield from in_order(list(by_number))
    return [by_number[packed] for packed in ordered]


def matching(query: str) -> Callable[[str, str], bool]:
    """Return whether a stored range overlaps with the address or range that is searched for, or has the text."""
    try:
        wanted = parse_range(query.strip())
    except BadRange:
        return _having(query.strip().casefold())
    first, last = wanted >> PREFIX_BITS, last_address(wanted)

    def overlaps(cidr: str, _value: str) -> bool:
        packed = parse_range(cidr)
        return packed >> PREFIX_BITS <= last and last_address(packed) >= first

    return overlaps


def _having(text: str) -> Callable[[str, str], bool]:
    # Only values that have it somewhere are decoded.
    stored = json.dumps(text, ensure_ascii=False)[1:-1]

    def has(cidr: str, value: str) -> bool:
        return cidr.startswith(text) or (
            stored in value.casefold() and text in decode_range(cidr, value).note.casefold()
        )

    return has


def _found(
    ordered: Sorted, first: int, size: int, matches: Callable[[str, str], bool]
) -> Steps[tuple[list[Range], int]]:
    """Return up to `size` ranges that match, from an index on, and the index to go on with."""
    found: list[Range] = []
    for start in range(first, len(ordered), _SEARCHED):
        for index, item in enumerate(ordered[start : start + _SEARCHED], start):
            if matches(*item):
                if len(found) == size:
                    return found, index
                found.append(decode_range(*item))
        yield
    return found, len(ordered)


def _parse_after(after: str) -> tuple[str, int]:
    match = _AFTER.fullmatch(after)
    if not match:
        raise InvalidArgument.of_page_token()
    return match[1], int(match[2])
