"""Use cases of allow lists, their ranges and their links."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ipgate import cooperative
from ipgate.admin.checks import BROAD, check_breadth, new_id, parse_ranges, raise_if_invalid
from ipgate.admin.quotas import Quotas
from ipgate.domain.addresses import format_range
from ipgate.domain.errors import Conflict, LimitExceeded, NotFound, Violations
from ipgate.domain.intervals import STEP, Steps, in_order
from ipgate.domain.names import list_name
from ipgate.domain.resources import AllowList
from ipgate.domain.text_validation import unix_lines
from ipgate.domain.writing import WriteOptions, WriteResult
from ipgate.store.lists import ExactCoverage, ListStore, NewRanges
from ipgate.store.policy_reader import PolicyReader
from ipgate.store.schema import ALLOW_LIST
from ipgate.store.script_errors import CoverageUnknown, ListChanged

_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Lists:
    """Errors: those of the store's methods, and InvalidArgument."""

    store: ListStore
    reader: PolicyReader
    quotas: Quotas

    async def create(self, allow_list: AllowList, options: WriteOptions) -> WriteResult[AllowList]:
        """Create a list; an id of "" is minted.

        The answer has no ranges.
        """
        violations = Violations()
        chosen = new_id("list", "allow_list_id", allow_list.id, violations)
        allow_list = replace(allow_list, description=unix_lines(allow_list.description))
        violations += ALLOW_LIST.check_texts("allow_list", ALLOW_LIST.attributes(allow_list))
        packed = await parse_ranges("allow_list.ranges", allow_list.ranges, violations)
        raise_if_invalid(violations)
        new = await self._new_ranges(packed, options)
        allow_list = replace(allow_list, id=chosen, ranges=(), range_count=len(packed))
        return await self.store.create(
            allow_list, new, options, limit=self.quotas.lists_per_workspace
        )

    async def get(self, workspace: str, allow_list: str) -> AllowList:
        """Return the list with its ranges, as of one point in time."""
        for _ in range(_ATTEMPTS):
            stored = await self.store.get(workspace, allow_list)
            _, facts = await self.reader.allow_list(workspace, allow_list)
            if facts is not None and facts.etag == stored.meta.etag:
                ordered = await cooperative.run(in_order(facts.ranges))
                return replace(stored, ranges=tuple(await _formatted(ordered)))
        raise Conflict(f"{stored.display_name!r} changes faster than it can be read; try again")

    async def update(
        self, workspace: str, allow_list: str, changes: dict[str, Any], options: WriteOptions
    ) -> WriteResult[AllowList]:
        """Change attributes of a list, its `ranges` among them."""
        fields = {name: value for name, value in changes.items() if name != "ranges"}
        if "description" in fields:
            fields["description"] = unix_lines(fields["description"])
        violations = Violations(ALLOW_LIST.check_texts("allow_list", fields))
        new = None
        if "ranges" in changes:
            packed = await parse_ranges("allow_list.ranges", changes["ranges"], violations)
            raise_if_invalid(violations)
            new = await self._new_ranges(packed, options)
        raise_if_invalid(violations)
        stored = await self.store.update(workspace, allow_list, options, changes=fields, new=new)
        if not options.validate_only:
            return stored
        count = len(new.ranges) if new else stored.resource.range_count
        return replace(stored, resource=replace(stored.resource, range_count=count, **fields))

    async def add_ranges(
        self, workspace: str, allow_list: str, ranges: Sequence[str], options: WriteOptions
    ) -> WriteResult[AllowList]:
        """Add ranges to a list.

        The store keeps an upper bound of the list's coverage, which settles nearly all cases. Otherwise the
        coverage is computed from the ranges that the list has now.
        """
        packed = await self._parse(ranges)
        texts = await _formatted(packed)
        exact = None
        for _ in range(_ATTEMPTS):
            try:
                return await self.store.add_ranges(
                    workspace,
                    allow_list,
                    texts,
                    options,
                    span_limit=BROAD,
                    limit=self.quotas.ranges_per_list,
                    exact=exact,
                )
            except (CoverageUnknown, ListChanged):
                _, facts = await self.reader.allow_list(workspace, allow_list)
                if facts is None:
                    raise NotFound(list_name(workspace, allow_list)) from None
                together = await cooperative.run(in_order(facts.ranges + packed))
                span = await check_breadth("ranges", together, allow_broad=options.allow_broad)
                exact = ExactCoverage(span, facts.etag)
        raise Conflict(f"{list_name(workspace, allow_list)} changes too fast; try again")

    async def remove_ranges(
        self,
        workspace: str,
        allow_list: str,
        ranges: Sequence[str],
        options: WriteOptions,
    ) -> WriteResult[AllowList]:
        texts = await _formatted(await self._parse(ranges))
        return await self.store.remove_ranges(workspace, allow_list, texts, options)

    async def link(
        self,
        workspace: str,
        allow_list: str,
        api_keys: Sequence[str],
        options: WriteOptions,
        *,
        link: bool,
    ) -> WriteResult[AllowList]:
        """Link or unlink keys by their ids."""
        return await self.store.link(
            workspace,
            allow_list,
            sorted(set(api_keys)),
            options,
            link=link,
            limit=self.quotas.lists_per_key,
        )

    async def _parse(self, ranges: Sequence[str]) -> list[int]:
        violations = Violations()
        packed = await parse_ranges("ranges", ranges, violations)
        raise_if_invalid(violations)
        return packed

    async def _new_ranges(self, packed: Sequence[int], options: WriteOptions) -> NewRanges:
        limit = self.quotas.ranges_per_list
        if len(packed) > limit:
            raise LimitExceeded(
                f"the list would have {len(packed)} ranges; at most {limit} are permitted "
                "(setting max-ranges-per-list)"
            )
        span = await check_breadth("allow_list.ranges", packed, allow_broad=options.allow_broad)
        return NewRanges(await _formatted(packed), span)


async def _formatted(packed: Sequence[int]) -> list[str]:
    return await cooperative.run(_texts(packed))


def _texts(packed: Sequence[int]) -> Steps[list[str]]:
    texts: list[str] = []
    for first in range(0, len(packed), STEP):
        texts += map(format_range, packed[first : first + STEP])
        yield
    return texts
