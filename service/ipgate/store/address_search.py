"""Finds the allow lists that hold an address: the store is asked, list by list, for the ranges around it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ipgate.domain.addresses import LAST_IPV4, PREFIX_BITS, enclosing_ranges, format_range
from ipgate.domain.names import list_name, workspace_name
from ipgate.domain.resources import AllowList, Page
from ipgate.domain.shards import shard_of
from ipgate.store import key_names
from ipgate.store.broken import reading
from ipgate.store.lists import read_list
from ipgate.store.schema import decode_range
from ipgate.store.scripts import Outcome, Scripts

MAX_LOOKUPS = 3300
"""Ranges that one script looks for, in all of its lists together: about a millisecond."""

MAX_SCRIPTS = 12
"""Scripts for one page, which ends early then: it takes less than 50 ms."""


@dataclass(frozen=True, slots=True)
class AddressSearch:
    """Every method raises NotFound for the workspace, and Unavailable when the store cannot be used.

    The lists have those of their ranges that hold the address, the narrowest first, whether they count or not.
    """

    scripts: Scripts

    async def page(self, workspace: str, address: int, after: str, size: int) -> Page[AllowList]:
        """Return a page of the lists of a workspace that hold an address; it may be short and have a successor."""
        # No other list has a range of IPv6.
        index = key_names.of("lists" if address <= LAST_IPV4 else "ipv6-lists", workspace)
        around = _around(address)
        items: list[AllowList] = []
        for _ in range(MAX_SCRIPTS):
            part = MAX_LOOKUPS // len(around)
            outcome = await self._find(workspace, around, index=index, after=after, size=part)
            items += _lists(outcome, workspace)
            if len(items) > size:
                return Page(tuple(items[:size]), items[size - 1].id)
            after = outcome.view.get("last", "")
            if not outcome.view["more"]:
                return Page(tuple(items))
            if len(items) == size:
                break
        return Page(tuple(items), after)

    async def among(
        self, workspace: str, address: int, lists: Sequence[str]
    ) -> dict[str, AllowList]:
        """Return those of some lists that hold an address, by their ids."""
        around = _around(address)
        part = MAX_LOOKUPS // len(around)
        found: dict[str, AllowList] = {}
        for first in range(0, len(lists), part):
            outcome = await self._find(workspace, around, lists=lists[first : first + part])
            found.update((item.id, item) for item in _lists(outcome, workspace))
        return found

    async def _find(self, workspace: str, around: Sequence[str], **args: Any) -> Outcome:
        return await self.scripts.read(
            "find",
            shard_of(workspace),
            workspace=workspace,
            name=workspace_name(workspace),
            around=list(around),
            **args,
        )


def _around(address: int) -> list[str]:
    single = address << PREFIX_BITS | (32 if address <= LAST_IPV4 else 128)
    return [format_range(packed) for packed in (single, *enclosing_ranges(single))]


def _lists(outcome: Outcome, workspace: str) -> list[AllowList]:
    lists = []
    # An empty table of Lua is encoded as an object.
    for view in outcome.view["items"] or ():
        flat = view["ranges"]
        with reading(list_name(workspace, view["id"])):
            ranges = tuple(map(decode_range, flat[::2], flat[1::2]))
        lists.append(replace(read_list(outcome, workspace, view), ranges=ranges))
    return lists
