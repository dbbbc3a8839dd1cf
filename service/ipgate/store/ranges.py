"""The ranges of allow lists in the store, where only some of them are looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ipgate.domain.addresses import PREFIX_MASK, enclosing_ranges, format_range, parse_range
from ipgate.domain.intervals import Coverage, block_count
from ipgate.domain.names import list_name
from ipgate.domain.resources import AllowList, Range
from ipgate.domain.shards import shard_of
from ipgate.domain.validity import ALWAYS
from ipgate.domain.writing import Effect, WriteOptions, WriteResult
from ipgate.store.lists import read_list
from ipgate.store.schema import ALLOW_LIST, encode_range
from ipgate.store.scripts import Scripts

MAX_DESCRIBED = 64
"""Changes of up to so many ranges are described in the feed; servers load the list again after larger ones."""

MAX_LOOKUPS = 3300
"""Of ranges around others, in one script."""


@dataclass(frozen=True, slots=True)
class RangeStore:
    """Every method raises Unavailable when the store cannot be used; ranges are in canonical form."""

    scripts: Scripts

    async def values(
        self, workspace: str, allow_list: str, ranges: Sequence[str]
    ) -> dict[str, str | None]:
        """Return the stored values of some ranges, None for one that the list does not have.

        Raises: NotFound.
        """
        outcome = await self.scripts.read(
            "ranges_get",
            shard_of(workspace),
            workspace=workspace,
            id=allow_list,
            name=list_name(workspace, allow_list),
            ranges=list(ranges),
        )
        return {
            text: value if isinstance(value, str) else None
            for text, value in zip(ranges, outcome.view["values"], strict=True)
        }

    async def add(
        self,
        workspace: str,
        allow_list: str,
        ranges: Mapping[int, Range],
        options: WriteOptions,
        *,
        most: Coverage,
        limit: int,
        exact: tuple[str, Coverage] | None = None,
    ) -> WriteResult[AllowList]:
        """Add ranges, by their packed forms.

        Raises: NotFound, Conflict, LimitExceeded, FailedPrecondition; CoverageUnknown if the list may cover more than
        `most` and its coverage is not given as `exact`, with the etag at which it was computed; ListChanged if the
        list changed since.
        """
        figures: dict[str, Any] = {}
        if exact:
            etag, coverage = exact
            figures = {"expected": etag} | coverage._asdict()
        return await self._change(
            "ranges_add",
            workspace,
            allow_list,
            options,
            sizes=[block_count(packed) for packed in ranges],
            most_addresses=most.addresses,
            most_blocks=most.blocks,
            limit=limit,
            **_written(ranges),
            **figures,
        )

    async def update(
        self,
        workspace: str,
        allow_list: str,
        before: Sequence[str],
        ranges: Mapping[int, Range],
        options: WriteOptions,
        *,
        effect: Effect,
    ) -> WriteResult[AllowList]:
        """Change the attributes of ranges from their stored values `before`.

        Raises: NotFound, Conflict, FailedPrecondition; ListChanged if a range has another value than before.
        """
        return await self._change(
            "ranges_update",
            workspace,
            allow_list,
            options,
            before=list(before),
            effect=effect.arguments(),
            **_written(ranges),
        )

    async def remove(
        self, workspace: str, allow_list: str, ranges: Sequence[str], options: WriteOptions
    ) -> WriteResult[AllowList]:
        """Remove ranges.

        Raises: NotFound, Conflict, FailedPrecondition.
        """
        packed = [parse_range(text) for text in ranges]
        return await self._change(
            "ranges_remove",
            workspace,
            allow_list,
            options,
            ranges=list(ranges),
            around=_around(packed, packed),
        )

    async def _change(
        self, script: str, workspace: str, allow_list: str, options: WriteOptions, **args: Any
    ) -> WriteResult[AllowList]:
        outcome = await self.scripts.change(
            script,
            shard_of(workspace),
            options,
            ALLOW_LIST,
            workspace=workspace,
            id=allow_list,
            name=list_name(workspace, allow_list),
            **args,
        )
        return outcome.result(read_list(outcome, workspace, outcome.view), options)


def _written(ranges: Mapping[int, Range]) -> dict[str, Any]:
    """Return what scripts take of ranges that are added or changed."""
    valid = [range_.valid() for range_ in ranges.values()]
    conditional = [packed for packed, times in zip(ranges, valid, strict=True) if times != ALWAYS]
    return {
        "ranges": [range_.cidr for range_ in ranges.values()],
        "values": [encode_range(range_) for range_ in ranges.values()],
        "needs_ipv6": any(":" in range_.cidr for range_ in ranges.values()),
        "times": ["" if times == ALWAYS else f"{times.start}..{times.end}" for times in valid],
        "around": _around(list(ranges), conditional),
    }


def _around(ranges: Sequence[int], looked_up: Sequence[int]) -> list[list[str]] | None:
    """Return for each range those around it, the narrowest first, if it is among those to be looked up.

    None if they are too many, or the ranges themselves.
    """
    lookups = sum(packed & PREFIX_MASK for packed in looked_up)
    if len(ranges) > MAX_DESCRIBED or lookups > MAX_LOOKUPS:
        return None
    wanted = set(looked_up)
    return [
        [format_range(wider) for wider in enclosing_ranges(packed)] if packed in wanted else []
        for packed in ranges
    ]
