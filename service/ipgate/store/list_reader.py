"""Reads the ranges of allow lists, of any number, as of one moment."""

import json
from dataclasses import dataclass
from typing import Any

from ipgate.domain.changes import Position
from ipgate.domain.errors import Unavailable
from ipgate.domain.shards import shard_of
from ipgate.store import key_names
from ipgate.store.connection import unavailable
from ipgate.store.scripts import Scripts
from ipgate.store.topology import FAULTS

FEW = 2000
"""Up to this many ranges are read by one command; more are scanned in portions of this size, so that
neither the store nor the event loop stands still for one list."""

_SCANS = 4


@dataclass(frozen=True, slots=True)
class StoredList:
    """`ranges`: the stored value of each range (store/schema.py).

    `linked`: how many API keys are linked to the list.
    """

    etag: str
    ranges: dict[str, str]
    linked: int


async def read_list(
    scripts: Scripts, workspace: str, allow_list: str
) -> tuple[Position, StoredList | None]:
    """Return a list, None if it is not there.

    A large list is scanned, and scanned again if it changed in that time. A list that never rests is read by one
    command in the end.

    Raises: Unavailable.
    """
    shard = shard_of(workspace)
    for attempt in range(_SCANS + 1):
        few = FEW if attempt < _SCANS else 1 << 31
        arguments: dict[str, Any] = {"kind": "list", "workspace": workspace, "id": allow_list}
        head, (etag, tip), linked, *texts = await scripts.rules(shard, few=few, **arguments)
        if etag is None:
            return position(head), None
        if texts[0] is not None:
            ranges = dict.fromkeys(texts[0].split(), "") | _attributes(texts[1])
            return position(head), StoredList(etag, ranges, linked)
        ranges = await _scan(scripts, key_names.of("list-ranges", workspace, allow_list))
        head, (etag, tip_after), linked, *_ = await scripts.rules(shard, few=0, **arguments)
        if etag is not None and tip == tip_after:
            return position(head), StoredList(etag, ranges, linked)
    raise AssertionError("the last attempt reads the ranges with one command")


def _attributes(text: str) -> dict[str, str]:
    """Return the values of the ranges that have attributes, from a flat array."""
    flat = json.loads(text)
    # An empty table of Lua is encoded as an object.
    return dict(zip(flat[::2], flat[1::2], strict=True)) if flat else {}


async def _scan(scripts: Scripts, key: str) -> dict[str, str]:
    ranges: dict[str, str] = {}
    cursor = 0
    while True:
        try:
            answer: Any = await scripts.store.hscan(key, cursor, count=FEW)
        except FAULTS as error:
            raise unavailable(error, writing=False) from error
        cursor, page = answer
        ranges.update(page)
        if not cursor:
            return ranges


def position(head: list[str | None]) -> Position:
    """Return the position of a shard in its history, as `rules.lua` answers it.

    Raises: Unavailable.
    """
    epoch, sequence, change_id = head
    if not epoch:
        # What is read from a shard that was emptied, or is being imported, must not be used.
        raise Unavailable("the store is being set up; try again")
    return Position(epoch, int(sequence or 0), change_id or "")
