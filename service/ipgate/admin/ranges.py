"""Use cases of the ranges of allow lists.

A change of few ranges looks at these alone. A change of many, or of all, is made to the list as it was read, and
put in force only if the list is still the same.
"""

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ipgate import cooperative
from ipgate.admin.checks import raise_if_invalid
from ipgate.admin.quotas import Quotas
from ipgate.admin.range_checks import BROAD, RangeChecks, check_breadth
from ipgate.admin.range_edits import (
    Edit,
    after_adding,
    after_removing,
    after_updating,
    difference,
    effect_of,
    encode_all,
    parse_all,
    recorded,
)
from ipgate.domain.addresses import IPV6, PREFIX_BITS, is_ipv6_range
from ipgate.domain.errors import (
    Conflict,
    NotFound,
    Violations,
)
from ipgate.domain.intervals import in_order
from ipgate.domain.names import list_name
from ipgate.domain.resources import AllowList, Range
from ipgate.domain.writing import WriteOptions, WriteResult
from ipgate.store.broken import reading
from ipgate.store.list_reader import StoredList, read_list
from ipgate.store.lists import ListStore
from ipgate.store.range_changes import FEW, RangeChange, discarding, stage
from ipgate.store.ranges import RangeStore
from ipgate.store.schema import decode_range
from ipgate.store.script_errors import (
    CoverageUnknown,
    ListChanged,
    StagingLost,
    changed_by_another,
)

_ATTEMPTS = 10

ATTRIBUTES = ("note", "start_time", "expire_time", "disabled")
"""What an update of ranges may change."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """Errors: those of the store's methods, and InvalidArgument."""

    lists: ListStore
    store: RangeStore
    checks: RangeChecks
    quotas: Quotas

    async def of_new_list(
        self, workspace: str, ranges: Mapping[int, Range], options: WriteOptions
    ) -> RangeChange:
        """Return the change that gives a new list its ranges."""
        after = await cooperative.run(encode_all(ranges))
        self.quotas.check_ranges(len(after))
        return await self._change(workspace, {}, after, "allow_list.ranges", options)

    async def replace(
        self,
        workspace: str,
        allow_list: str,
        ranges: Sequence[Range],
        options: WriteOptions,
        *,
        field: str = "ranges",
        violations: Violations | None = None,
        changes: dict[str, Any] | None = None,
    ) -> WriteResult[AllowList]:
        """Replace all ranges of a list, and change attributes of the list in the same change.

        `violations`: what is wrong with the attributes.
        """
        violations = Violations() if violations is None else violations
        parsed = await self.checks.parse(field, workspace, ranges, violations)
        raise_if_invalid(violations)
        return await self._edit(
            workspace,
            allow_list,
            lambda _: encode_all(parsed),
            options,
            field=field,
            changes=changes,
        )

    async def add(
        self, workspace: str, allow_list: str, ranges: Sequence[Range], options: WriteOptions
    ) -> WriteResult[AllowList]:
        """Add ranges to a list.

        The store keeps an upper bound of the list's coverage, which settles nearly all cases. Otherwise the
        coverage is computed from the ranges that the list has now.
        """
        violations = Violations()
        parsed = await self.checks.parse("ranges", workspace, ranges, violations)
        raise_if_invalid(violations)
        if len(parsed) > FEW:
            return await self._edit(
                workspace, allow_list, lambda old: after_adding(old, parsed), options
            )
        exact = None

        async def attempt() -> WriteResult[AllowList]:
            nonlocal exact
            try:
                return await self.store.add(
                    workspace,
                    allow_list,
                    parsed,
                    options,
                    most=BROAD,
                    limit=self.quotas.ranges_per_list,
                    exact=exact,
                )
            except (CoverageUnknown, ListChanged):
                stored = await self._read(workspace, allow_list)
                with reading(list_name(workspace, allow_list)):
                    packed = await cooperative.run(parse_all(list(stored.ranges)))
                together = await cooperative.run(in_order([*packed, *parsed]))
                covered = await check_breadth("ranges", together, allow_broad=options.allow_broad)
                exact = stored.etag, covered
                raise ListChanged from None

        return await _retry(workspace, allow_list, attempt)

    async def update(
        self,
        workspace: str,
        allow_list: str,
        ranges: Sequence[Range],
        attributes: Sequence[str],
        options: WriteOptions,
    ) -> WriteResult[AllowList]:
        """Change those `attributes` of ranges that the list has."""
        violations = Violations()
        parsed = await self.checks.parse("ranges", workspace, ranges, violations)
        raise_if_invalid(violations)
        if len(parsed) > FEW:
            return await self._edit(
                workspace, allow_list, lambda old: after_updating(old, parsed, attributes), options
            )
        texts = [range_.cidr for range_ in parsed.values()]

        async def attempt() -> WriteResult[AllowList]:
            values = await self.store.values(workspace, allow_list, texts)
            before = {text: value for text, value in values.items() if value is not None}
            with reading(list_name(workspace, allow_list)):
                after = await cooperative.run(after_updating(before, parsed, attributes))
            effect = await cooperative.run(effect_of(before, after, list(after)))
            changed = {
                packed: decode_range(range_.cidr, after[range_.cidr])
                for packed, range_ in parsed.items()
            }
            return await self.store.update(
                workspace,
                allow_list,
                [before[text] for text in texts],
                changed,
                options,
                effect=effect,
            )

        return await _retry(workspace, allow_list, attempt)

    async def remove(
        self, workspace: str, allow_list: str, ranges: Sequence[str], options: WriteOptions
    ) -> WriteResult[AllowList]:
        violations = Violations()
        texts = await self.checks.parse_texts("ranges", ranges, violations)
        raise_if_invalid(violations)
        if len(texts) > FEW:
            return await self._edit(
                workspace, allow_list, lambda old: after_removing(old, texts), options
            )
        return await self.store.remove(workspace, allow_list, texts, options)

    async def _edit(
        self,
        workspace: str,
        allow_list: str,
        edit: Edit,
        options: WriteOptions,
        *,
        field: str = "ranges",
        changes: dict[str, Any] | None = None,
    ) -> WriteResult[AllowList]:
        """Change a list as a whole."""

        async def attempt() -> WriteResult[AllowList]:
            stored = await self._read(workspace, allow_list)
            with reading(list_name(workspace, allow_list)):
                after = await cooperative.run(edit(stored.ranges))
            if len(after) > len(stored.ranges):
                self.quotas.check_ranges(len(after))
            if options.etag not in ("", stored.etag):
                raise changed_by_another(list_name(workspace, allow_list))
            change = await self._change(workspace, stored.ranges, after, field, options)
            async with discarding(self.lists.scripts, change):
                result = await self.lists.update(
                    workspace,
                    allow_list,
                    options,
                    changes=changes or {},
                    expected=stored.etag,
                    ranges=change,
                )
            if not options.validate_only:
                return result
            return replace(result, resource=replace(result.resource, range_count=len(after)))

        return await _retry(workspace, allow_list, attempt)

    async def _change(
        self,
        workspace: str,
        before: dict[str, str],
        after: dict[str, str],
        field: str,
        options: WriteOptions,
    ) -> RangeChange:
        """Return the change from some ranges to others, which are staged if they are many."""
        touched = await cooperative.run(difference(before, after))
        packed = await cooperative.run(parse_all(list(after)))
        ordered = await cooperative.run(in_order(packed))
        # A list that is broad already may lose ranges without consent.
        is_narrower = after.keys() <= before.keys()
        covered = await check_breadth(
            field, ordered, allow_broad=options.allow_broad or is_narrower
        )
        change = RangeChange(
            effect=await cooperative.run(effect_of(before, after, touched)),
            needs_ipv6=bool(ordered)
            and is_ipv6_range(ordered[-1])
            and any(":" in text for text in touched if text in after),
        )
        if not touched:
            return change
        change = replace(
            change,
            changes=list(recorded(touched, before, after)),
            coverage=covered,
            ipv6_ranges=len(ordered) - bisect_left(ordered, IPV6 << PREFIX_BITS),
        )
        if len(touched) <= FEW:
            return replace(
                change,
                put={text: after[text] for text in touched if text in after},
                drop=[text for text in touched if text not in after],
            )
        if options.validate_only:
            return change
        key = await stage(self.lists.scripts, workspace, after)
        return replace(change, staged=key, count=len(after))

    async def _read(self, workspace: str, allow_list: str) -> StoredList:
        _, stored = await read_list(self.lists.scripts, workspace, allow_list)
        if stored is None:
            raise NotFound(list_name(workspace, allow_list))
        return stored


async def _retry(
    workspace: str, allow_list: str, attempt: Callable[[], Awaitable[WriteResult[AllowList]]]
) -> WriteResult[AllowList]:
    for _ in range(_ATTEMPTS):
        try:
            return await attempt()
        except (ListChanged, StagingLost):
            continue
    raise Conflict(f"{list_name(workspace, allow_list)} changes too fast; try again")
