"""Reads what decisions depend on from the store, each with the position in history at which it was valid."""

import logging
from collections.abc import Mapping, Sequence

from ipgate import cooperative
from ipgate.domain.addresses import parse_range
from ipgate.domain.changes import Position
from ipgate.domain.facts import KeyFacts, ListFacts, PreviousCredential, WorkspaceFacts
from ipgate.domain.intervals import Steps
from ipgate.domain.names import key_name, list_name, workspace_name
from ipgate.domain.resources import ROOT, Caller
from ipgate.domain.shards import TOKEN_SHARD, shard_of
from ipgate.domain.validity import ALWAYS, Validity
from ipgate.store import key_names
from ipgate.store.broken import reading
from ipgate.store.connection import unavailable
from ipgate.store.list_reader import position, read_list
from ipgate.store.schema import ACCESS_TOKEN, API_KEY, WORKSPACE, decode_range
from ipgate.store.scripts import Scripts
from ipgate.store.topology import FAULTS

log = logging.getLogger(__name__)

_KEY_FIELDS = ("digest", "disabled", "expire", "report", "previous", "previous_until")
_WORKSPACE_FIELDS = ("require", "default_on", "default", "report")
_TOKEN_FIELDS = tuple(field.name for field in ACCESS_TOKEN.fields)

_ENTRY_PARTS = 3
_NOBODY = "nobody"
"""The ids of a key that is read for its time only."""

_STEP = 500
"""Ranges that are parsed in one step, with their attributes: about a millisecond."""


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
            return position(head), None
        with reading(key_name(workspace, key)):
            facts = KeyFacts(
                bytes.fromhex(API_KEY["digest"].read(fields)),
                API_KEY["disabled"].read(fields),
                API_KEY["expire"].read(fields),
                tuple(sorted(lists)),
                API_KEY["report"].read(fields),
                _previous(fields),
            )
        return position(head), facts

    async def workspace(self, workspace: str) -> tuple[Position, WorkspaceFacts | None]:
        head, stored = await self._scripts.rules(
            shard_of(workspace),
            kind="workspace",
            workspace=workspace,
            fields=_WORKSPACE_FIELDS,
        )
        fields = _fields(_WORKSPACE_FIELDS, stored)
        if fields is None:
            return position(head), None
        with reading(workspace_name(workspace)):
            default = WORKSPACE["default"].read(fields)
            is_on = WORKSPACE["default_on"].read(fields)
            # A default that is on without a list is no state that ipgate writes: it closes the keys.
            closed = WORKSPACE["require"].read(fields) or (is_on and not default)
            report_only = WORKSPACE["report"].read(fields)
        return position(head), WorkspaceFacts(closed, default if is_on else "", report_only)

    async def allow_list(
        self, workspace: str, allow_list: str
    ) -> tuple[Position, ListFacts | None]:
        head, stored = await read_list(self._scripts, workspace, allow_list)
        if stored is None:
            return head, None
        with reading(list_name(workspace, allow_list)):
            ranges, valid = await cooperative.run(_parse(stored.ranges))
        return head, ListFacts(stored.etag, ranges, valid, stored.linked)

    async def token(self, digest: str) -> tuple[Position, Caller | None]:
        head, stored = await self._scripts.rules(
            TOKEN_SHARD, kind="token", digest=digest, fields=_TOKEN_FIELDS
        )
        if stored == ["root"]:
            return position(head), ROOT
        fields = _fields(_TOKEN_FIELDS, stored)
        if fields is None:
            return position(head), None
        with reading("an access token"):
            token = ACCESS_TOKEN.decode(fields)
        return position(head), Caller(
            token["id"], token["role"], token["workspace"], token["expire_time"]
        )


def _fields(names: Sequence[str], stored: Sequence[str | None]) -> dict[str, str] | None:
    """Return the fields that are there; None for a resource without an etag, which does not exist."""
    etag, *values = stored
    if etag is None:
        return None
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


def _previous(fields: Mapping[str, str]) -> PreviousCredential | None:
    """Return the previous credential of an API key.

    Raises: ValueError for damage: without an end it would work for ever.
    """
    digest, end = API_KEY["previous"].read(fields), API_KEY["previous_until"].read(fields)
    if not digest:
        return None
    if end is None:
        raise ValueError("a previous credential without an end")
    return PreviousCredential(bytes.fromhex(digest), end)


def _parse(stored: Mapping[str, str]) -> Steps[tuple[list[int], dict[int, Validity]]]:
    """Return the packed ranges, and when those count that do not always count."""
    ranges: list[int] = []
    valid: dict[int, Validity] = {}
    for index, (text, value) in enumerate(stored.items()):
        if not index % _STEP:
            yield
        packed = parse_range(text)
        ranges.append(packed)
        if value and (validity := decode_range(text, value).valid()) != ALWAYS:
            valid[packed] = validity
    return ranges, valid
