"""Reads the audit log: the streams of shards merged by time, and filtered."""

import asyncio
from dataclasses import dataclass
from heapq import merge

from ipgate.domain.audit import AuditEvent
from ipgate.domain.errors import InvalidArgument
from ipgate.domain.resources import Page
from ipgate.domain.shards import SHARDS, TOKEN_SHARD, shard_of
from ipgate.store import key_names
from ipgate.store.audit import AuditStore, EventId, StoredEvent

PART = 50
"""Events of a stream that are read together: decoding them takes some milliseconds."""

MAX_PARTS = 40
"""Rounds of reading for one page, which ends early then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """`workspace`: the id of the one, "" for all. Other fields: "" or None for any.

    `start_time` is included, `end_time` is not; both in ns since 1970.
    """

    workspace: str = ""
    resource: str = ""
    actor: str = ""
    method: str = ""
    start_time: int | None = None
    end_time: int | None = None

    def accepts(self, stored: StoredEvent) -> bool:
        wanted = {
            "workspace": self.workspace,
            "resource": self.resource,
            "actor": self.actor,
            "method": self.method,
        }
        if any(value and stored.fields.get(name) != value for name, value in wanted.items()):
            return False
        return self.end_time is None or stored.time() < self.end_time

    def streams(self) -> list[str]:
        """Return the streams that may have such events."""
        shards = {TOKEN_SHARD, shard_of(self.workspace)} if self.workspace else set(range(SHARDS))
        streams = [key_names.of_shard("audit", shard) for shard in sorted(shards)]
        return [*streams, key_names.of("audit-denied")]


@dataclass(frozen=True, slots=True)
class AuditLog:
    """Every method raises Unavailable when the store cannot be used."""

    store: AuditStore

    async def page(self, wanted: AuditFilter, after: str, size: int) -> Page[AuditEvent]:
        """Return a page of events, the latest first; it may be short and have a successor."""
        streams = wanted.streams()
        cursor = _parse(after, len(streams)) if after else None
        if cursor is None and wanted.end_time is not None:
            if wanted.end_time <= 0:
                return Page(())
            cursor = EventId(wanted.end_time // 10**6 + 1, 0), len(streams)
        found: list[AuditEvent] = []
        for _ in range(MAX_PARTS):
            events = await self._merged(streams, cursor)
            for identity, index, stored in events:
                if wanted.start_time is not None and stored.time() < wanted.start_time:
                    return Page(tuple(found))
                cursor = identity, index
                if wanted.accepts(stored):
                    found.append(stored.decode())
                    await asyncio.sleep(0)
                    if len(found) == size:
                        return Page(tuple(found), _text(cursor))
            if not events:
                return Page(tuple(found))
        assert cursor is not None
        return Page(tuple(found), _text(cursor))

    async def begin_of(self, workspace: str) -> int:
        """Return since when, in ns since 1970, the log is that of the workspace which has this id now."""
        return await self.store.begin_of(workspace)

    async def _merged(
        self, streams: list[str], cursor: tuple[EventId, int] | None
    ) -> list[tuple[EventId, int, StoredEvent]]:
        """Return the next events of all streams, the latest first.

        Of events with the same id, that of the stream with the greater index comes first.
        """
        parts = await asyncio.gather(
            *(
                self.store.events(
                    stream,
                    cursor[0] if cursor else None,
                    PART,
                    inclusive=cursor is not None and index < cursor[1],
                )
                for index, stream in enumerate(streams)
            )
        )
        # Beyond the oldest event of a stream that has more, another stream's may be missing.
        bound = max((part[-1].id for part in parts if len(part) == PART), default=EventId(0, 0))
        ordered = merge(
            *([(stored.id, index, stored) for stored in part] for index, part in enumerate(parts)),
            key=lambda event: event[:2],
            reverse=True,
        )
        return [event for event in ordered if event[0] >= bound]


def _text(cursor: tuple[EventId, int]) -> str:
    (milliseconds, sequence), index = cursor
    return f"{milliseconds}.{sequence}.{index}"


def _parse(after: str, streams: int) -> tuple[EventId, int]:
    try:
        milliseconds, sequence, index = map(int, after.split("."))
    except ValueError:
        milliseconds = sequence = index = -1
    if not (0 <= milliseconds < 1 << 63 and 0 <= sequence < 1 << 63 and 0 <= index < streams):
        raise InvalidArgument.of_page_token()
    return EventId(milliseconds, sequence), index
