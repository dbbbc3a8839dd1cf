"""Use cases of allow lists and their links."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ipgate import cooperative
from ipgate.admin.checks import new_id, raise_if_invalid
from ipgate.admin.quotas import Quotas
from ipgate.admin.range_pages import sorted_ranges
from ipgate.admin.ranges import Ranges
from ipgate.domain.errors import Conflict, Violations
from ipgate.domain.names import list_name
from ipgate.domain.resources import AllowList
from ipgate.domain.text_validation import unix_lines
from ipgate.domain.writing import WriteOptions, WriteResult
from ipgate.store.broken import reading
from ipgate.store.list_reader import read_list
from ipgate.store.lists import ListStore
from ipgate.store.range_changes import discarding
from ipgate.store.schema import ALLOW_LIST, decode_range
from ipgate.store.script_errors import StagingLost

_ATTEMPTS = 10

MAX_INCLUDED = 1000
"""A list of more ranges is read without them."""


@dataclass(frozen=True, slots=True)
class Lists:
    """Errors: those of the store's methods, and InvalidArgument."""

    store: ListStore
    ranges: Ranges
    quotas: Quotas

    async def create(self, allow_list: AllowList, options: WriteOptions) -> WriteResult[AllowList]:
        """Create a list; an id of "" is minted.

        The answer has no ranges.
        """
        violations = Violations()
        workspace = allow_list.workspace
        chosen = new_id("list", "allow_list_id", allow_list.id, violations)
        allow_list = replace(allow_list, description=unix_lines(allow_list.description))
        violations += ALLOW_LIST.check_texts("allow_list", ALLOW_LIST.attributes(allow_list))
        parsed = await self.ranges.checks.parse(
            "allow_list.ranges", workspace, allow_list.ranges, violations
        )
        raise_if_invalid(violations)
        allow_list = replace(
            allow_list, id=chosen, ranges=(), ranges_omitted=True, range_count=len(parsed)
        )
        for _ in range(_ATTEMPTS):
            change = await self.ranges.of_new_list(workspace, parsed, options)
            with suppress(StagingLost):
                async with discarding(self.store.scripts, change):
                    return await self.store.create(
                        allow_list, change, options, limit=self.quotas.lists_per_workspace
                    )
        raise Conflict("the ranges were lost on their way into the store; try again")

    async def get(self, workspace: str, allow_list: str) -> AllowList:
        """Return the list as of one point in time, with its ranges unless they are many."""
        for _ in range(_ATTEMPTS):
            stored = await self.store.get(workspace, allow_list)
            if stored.range_count > MAX_INCLUDED:
                return stored
            _, read = await read_list(self.store.scripts, workspace, allow_list)
            if read is not None and read.etag == stored.meta.etag:
                with reading(list_name(workspace, allow_list)):
                    ordered = await cooperative.run(sorted_ranges(read.ranges))
                    ranges = tuple(decode_range(*item) for item in ordered)
                return replace(stored, ranges=ranges, ranges_omitted=False)
        raise Conflict(f"{stored.display_name!r} changes faster than it can be read; try again")

    async def update(
        self, workspace: str, allow_list: str, changes: dict[str, Any], options: WriteOptions
    ) -> WriteResult[AllowList]:
        """Change attributes of a list, its `ranges` among them."""
        fields = {name: value for name, value in changes.items() if name != "ranges"}
        if "description" in fields:
            fields["description"] = unix_lines(fields["description"])
        violations = Violations(ALLOW_LIST.check_texts("allow_list", fields))
        if "ranges" in changes:
            stored = await self.ranges.replace(
                workspace,
                allow_list,
                changes["ranges"],
                options,
                field="allow_list.ranges",
                violations=violations,
                changes=fields,
            )
        else:
            raise_if_invalid(violations)
            stored = await self.store.update(workspace, allow_list, options, changes=fields)
        if not options.validate_only:
            return stored
        return replace(stored, resource=replace(stored.resource, **fields))

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
