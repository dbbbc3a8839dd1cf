"""The audit log in the store: a stream of events in each shard, and one of denied calls."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ipgate.domain.audit import AuditEvent, RangeChange
from ipgate.domain.resources import Role
from ipgate.domain.revision import Revision
from ipgate.domain.shards import TOKEN_SHARD
from ipgate.domain.writing import Affected, AttributeChange
from ipgate.store import key_names
from ipgate.store.broken import reading
from ipgate.store.connection import unavailable
from ipgate.store.schema import SCHEMAS, decode_range
from ipgate.store.scripts import Scripts, effect_of
from ipgate.store.topology import FAULTS

MAX_DENIED = 10_000
"""Events of denied calls that are kept, about."""

# Adds an event, or adds to the one that another worker has recorded for the same actor and method in this minute; it looks
# through 200 events for that. ARGV: how many events are kept, and the fields of the event.
_DENIED = """
local event = {}
for i = 3, #ARGV, 2 do event[ARGV[i]] = ARGV[i + 1] end
local now = tonumber(redis.call('TIME')[1])
local minute = string.format('%.0f', (now - now % 60) * 1000)
for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', minute, 'COUNT', 200)) do
  local former = {}
  for i = 1, #entry[2], 2 do former[entry[2][i]] = entry[2][i + 1] end
  if former.actor == event.actor and former.method == event.method then
    redis.call('XDEL', KEYS[1], entry[1])
    former.denied = string.format('%.0f', former.denied + event.denied)
    event = former
    break
  end
end
local words = {}
for name, value in pairs(event) do words[#words + 1], words[#words + 2] = name, value end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', unpack(words))
"""

_KINDS = {
    "workspaces": "workspace",
    "allowLists": "list",
    "apiKeys": "key",
    "accessTokens": "token",
}
"""The schema of a resource by the collection in its name."""


class EventId(NamedTuple):
    """The id of an event in its stream, by which events are ordered in time."""

    milliseconds: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.milliseconds}-{self.sequence}"


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event that is not decoded yet. `stream`: the key of its stream."""

    id: EventId
    stream: str
    fields: Mapping[str, str]

    def time(self) -> int:
        """Return the time in ns since 1970, of the store's clock."""
        return self.id.milliseconds * 10**6

    def decode(self) -> AuditEvent:
        """Return the event.

        Raises: Unavailable for damage.
        """
        fields = self.fields
        with reading(f"{self.stream} {self.id}"):
            return AuditEvent(
                time=self.time(),
                actor=fields["actor"],
                role=Role(fields["role"]),
                peer=fields["peer"],
                request_id=fields["request"],
                method=fields["method"],
                resource=fields.get("resource", ""),
                denied=int(fields.get("denied", 0)),
                **(_change(self.stream, fields) if "rev" in fields else {}),
            )


@dataclass(frozen=True, slots=True)
class AuditStore:
    """Every method raises Unavailable when the store cannot be used."""

    scripts: Scripts

    async def events(
        self, stream: str, before: EventId | None, count: int, *, inclusive: bool = False
    ) -> list[StoredEvent]:
        """Return up to `count` events of a stream before an id, the latest first."""
        latest = "+" if before is None else f"{'' if inclusive else '('}{before}"
        try:
            entries: Any = await self.scripts.store.xrevrange(stream, latest, "-", count)
        except FAULTS as error:
            raise unavailable(error, writing=False) from error
        return [
            StoredEvent(EventId(*map(int, identifier.split("-"))), stream, fields)
            for identifier, fields in entries
        ]

    async def begin_of(self, workspace: str) -> int:
        """Return since when, in ns since 1970, the log is that of the workspace which has this id now."""
        key = key_names.of("workspace", workspace)
        try:
            begin = await self.scripts.store.hget(key, "audit_from")
        except FAULTS as error:
            raise unavailable(error, writing=False) from error
        return int(begin or 0) * 10**6

    async def add_denied(self, event: Mapping[str, str]) -> None:
        """Record calls that were denied."""
        words = [word for pair in event.items() for word in pair]
        key = key_names.of("audit-denied")
        await self.scripts.write(key, _DENIED, str(MAX_DENIED), *words, shard=TOKEN_SHARD)


def _change(stream: str, fields: Mapping[str, str]) -> dict[str, Any]:
    """Return what an event holds of a change."""
    shard = int(stream.partition("{s")[2][:2])
    details = json.loads(fields["details"] or "{}")
    return {
        "revision": Revision(shard, fields["epoch"], int(fields["rev"]), fields["tip"]).token(),
        "attributes": _attributes(fields),
        "effect": effect_of(json.loads(fields["effect"] or "{}")),
        "ranges": tuple(_range_change(*change) for change in details.pop("ranges", ()) or ()),
        **{name: Affected(of["count"], tuple(of["names"])) for name, of in details.items()},
    }


def _attributes(fields: Mapping[str, str]) -> tuple[AttributeChange, ...]:
    before, after = (json.loads(fields[name] or "{}") for name in ("before", "after"))
    collection = fields["resource"].split("/")[-2]
    return SCHEMAS[_KINDS[collection]].differences(before, after)


def _range_change(text: str, before: str | bool, after: str | bool) -> RangeChange:
    former, present = (
        decode_range(text, value) if isinstance(value, str) else None for value in (before, after)
    )
    return RangeChange(former, present)
