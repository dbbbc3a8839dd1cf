"""Searches over several parts of indexes, one after the other, page by page."""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from ipgate.domain.errors import InvalidArgument
from ipgate.domain.resources import Page
from ipgate.domain.text_validation import casefold_name
from ipgate.store.attribute_indexes import Scan, starting


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=_Identified)

Accept = Callable[[R], bool]
Part = tuple[Scan, Accept[R]]
"""A part of an index, and which of the resources in it are taken."""

ReadPage = Callable[[Scan, str, int, Accept[R]], Awaitable[Page[R]]]
"""Reads a page of a scan after a member, of at most so many resources that are taken."""

_ID_PREFIX = re.compile("[a-z][a-z0-9-]*")


def by_prefix(ids: str, names: str, query: str) -> Iterator[Part[Any]]:
    """Yield the parts of the indexes `ids` and `names` whose ids or folded names begin with a text, each resource once."""
    prefix = query.lower()
    has_ids = bool(_ID_PREFIX.fullmatch(prefix))
    if has_ids:
        yield starting(ids, prefix), lambda _: True
    folded = casefold_name(query)
    if folded:
        yield starting(names, folded), lambda found: not (has_ids and found.id.startswith(prefix))


async def search(read: ReadPage[R], parts: Sequence[Part[R]], after: str, size: int) -> Page[R]:
    """Return a page of what the parts have together; it may be short and have a successor.

    Raises: InvalidArgument for an `after` that this did not return, and what `read` raises.
    """
    number, member = _parse(after, len(parts)) if after else (0, "")
    items: list[R] = []
    for index in range(number, len(parts)):
        scan, accept = parts[index]
        page = await read(scan, member, size - len(items), accept)
        items += page.items
        if page.next_after:
            return Page(tuple(items), _text(index, page.next_after))
        member = ""
        if len(items) == size and index + 1 < len(parts):
            return Page(tuple(items), _text(index + 1, ""))
    return Page(tuple(items))


def _text(number: int, member: str) -> str:
    return f"{number}.{member.encode().hex()}"


def _parse(after: str, parts: int) -> tuple[int, str]:
    number, _, member = after.partition(".")
    try:
        parsed = int(number), bytes.fromhex(member).decode()
    except ValueError:
        parsed = -1, ""
    if not 0 <= parsed[0] < parts:
        raise InvalidArgument.of_page_token()
    return parsed
