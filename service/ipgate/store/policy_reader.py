"""Reads what decisions depend on from the store, each with the position in history at which it was valid."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from ipgate import cooperative
from ipgate.domain.addresses import parse_range
from ipgate.domain.changes import Position
from ipgate.domain.errors import Unavailable
from ipgate.domain.facts import KeyFacts, ListFacts, WorkspaceFacts
from ipgate.domain.intervals import Steps
from ipgate.domain.names import key_name, list_name, workspace_name
from ipgate.domain.resources import ROOT, Caller
from ipgate.domain.shards import TOKEN_SHARD, shard_of
from ipgate.store import key_names
from ipgate.store.broken import reading
from ipgate.store.connection import unavailable
from ipgate.store.schema import ACCESS_TOKEN, API_KEY, WORKSPACE
from ipgate.store.scripts import Scripts
from ipgate.store.topology import FAULTS

log = logging.getLogger(__name__)

FEW = 2000
"""Up to this many ranges are read by one command; more are scanned in portions of this size, so that
neither the store nor the event loop stands still for one list."""

_KEY_FIELDS = ("digest", "disabled", "expire", "report")
_WORKSPACE_FIELDS = ("require", "default_on", "default", "report")
_TOKEN_FIELDS = tuple(field.name for field in ACCESS_TOKEN.fields)

_SCANS = 4

_ENTRY_PARTS = 3
_NOBODY = "nobody"
"""The ids of a key that is read for its time only."""

_PORTION = 30_000
"""Characters of ranges that are parsed in one step."""


class PolicyReader:
    """Reads for the authorizer.

    Every method raises Unavailable; None stands for "not there".
    """

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    async def credential(self, digest: str) -> tuple[str, str] | None:
        """Return the ids of the workspace and API key to which the digest index points.

        An unknown credential costs as many commands as one of a foreign workspace, whose key is read next:
        else the time of the first answer would show a caller which of the two it is.
        """
        try:
            entry = await self._scripts.store.get(key_names.digest(digest))
        except FAULTS as error:
            raise unavailable(error, writing=False) from error
        parts = str(entry or "").split("/")
        if len(parts) != _ENTRY_PARTS:
            if entry:
                log.error("index entry of a credential is damaged; run ipgate doctor")
            shard = shard_of(_NOBODY)
            await self._scripts.rules(
                shard, kind="key", workspace=_NOBODY, id=_NOBODY, fields=_KEY_FIELDS
            )
            return None
        return parts[0], parts[1]

    async def key(self, workspace: str, key: str) -> tuple[Position, KeyFacts | None]:
        head, stored, lists = await self._scripts.rules(
            shard_of(workspace), kind="key", workspace=workspace, id=key, fields=_KEY_FIELDS
        )
        fields = _fields(_KEY_FIELDS, stored)
        if fields is None:
            return _position(head), None
        with reading(key_name(workspace, key)):
            facts = KeyFacts(
                bytes.fromhex(API_KEY["digest"].read(fields)),
                API_KEY["disabled"].read(fields),
                API_KEY["expire"].read(fields),
                tuple(sorted(lists)),
                API_KEY["report"].read(fields),
            )
        return _position(head), facts

    async def workspace(self, workspace: str) -> tuple[Position, WorkspaceFacts | None]:
        head, stored = await self._scripts.rules(
            shard_of(workspace),
            kind="workspace",
            workspace=workspace,
            fields=_WORKSPACE_FIELDS,
        )
        fields = _fields(_WORKSPACE_FIELDS, stored)
        if fields is None:
            return _position(head), None
        with reading(workspace_name(workspace)):
            default = WORKSPACE["default"].read(fields)
            is_on = WORKSPACE["default_on"].read(fields)
            # A default that is on without a list is no state that ipgate writes: it closes the keys.
            closed = WORKSPACE["require"].read(fields) or (is_on and not default)
            report_only = WORKSPACE["report"].read(fields)
        return _position(head), WorkspaceFacts(closed, default if is_on else "", report_only)

    async def allow_list(
        self, workspace: str, allow_list: str
    ) -> tuple[Position, ListFacts | None]:
        """Return a large list is scanned, and scanned again if it changed in that time.

        A list that never rests is read by one command in the end.
        """
        for attempt in range(_SCANS + 1):
            few = FEW if attempt < _SCANS else 1 << 31
            head, tip, etag, linked, text = await self._list_head(workspace, allow_list, few)
            if etag is None:
                return head, None
            with reading(list_name(workspace, allow_list)):
                if text is not None:
                    return head, ListFacts(etag, await cooperative.run(_parse_text(text)), linked)
                ranges = await self._scan(workspace, allow_list)
            head, tip_after, etag, linked, _ = await self._list_head(workspace, allow_list, 0)
            if etag is not None and tip == tip_after:
                return head, ListFacts(etag, ranges, linked)
        raise AssertionError("the last attempt reads the ranges with one command")

    async def token(self, digest: str) -> tuple[Position, Caller | None]:
        head, stored = await self._scripts.rules(
            TOKEN_SHARD, kind="token", digest=digest, fields=_TOKEN_FIELDS
        )
        if stored == ["root"]:
            return _position(head), ROOT
        fields = _fields(_TOKEN_FIELDS, stored)
        if fields is None:
            return _position(head), None
        with reading("an access token"):
            token = ACCESS_TOKEN.decode(fields)
        return _position(head), Caller(
            token["id"], token["role"], token["workspace"], token["expire_time"]
        )

    async def _list_head(
        self, workspace: str, allow_list: str, few: int
    ) -> tuple[Position, str | None, str | None, int, str | None]:
        shard = shard_of(workspace)
        head, (etag, tip), linked, text = await self._scripts.rules(
            shard, kind="list", workspace=workspace, id=allow_list, few=few
        )
        return _position(head), tip, etag, linked, text

    async def _scan(self, workspace: str, allow_list: str) -> list[int]:
        ranges: set[int] = set()
        cursor = 0
        while True:
            try:
                cursor, entries = await self._scripts.store.hscan(
                    key_names.of("list-ranges", workspace, allow_list), cursor, count=FEW
                )
            except FAULTS as error:
                raise unavailable(error, writing=False) from error
            ranges.update(await cooperative.run(_parse(list(entries))))
            if not cursor:
                return list(ranges)


def _fields(names: Sequence[str], stored: Sequence[str | None]) -> dict[str, str] | None:
    """Return the fields that are there; None for a resource without an etag, which does not exist."""
    etag, *values = stored
    if etag is None:
        return None
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


def _parse(members: Sequence[Any]) -> Steps[list[int]]:
    ranges: list[int] = []
    for first in range(0, len(members), FEW):
        ranges.extend(map(parse_range, members[first : first + FEW]))
        yield
    return ranges


def _parse_text(text: str) -> Steps[list[int]]:
    """Return the same for members with spaces in between."""
    ranges: list[int] = []
    at = 0
    while at < len(text):
        end = text.find(" ", at + _PORTION)
        end = len(text) if end < 0 else end
        ranges.extend(map(parse_range, text[at:end].split()))
        at = end + 1
        yield
    return ranges


def _position(head: Iterable[str | None]) -> Position:
    epoch, sequence, change_id = head
    if not epoch:
        # What is read from a shard that was emptied, or is being imported, must not be used.
        raise Unavailable("the store is being set up; try again")
    return Position(epoch, int(sequence or 0), change_id or "")
