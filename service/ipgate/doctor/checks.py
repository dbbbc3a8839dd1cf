"""The rules between the keys of the store, as checks of one key each.

A check reads with several commands, between which the store may change: what it finds counts only
if a second look finds it again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from ipgate.doctor.findings import Finding, Problem
from ipgate.doctor.index_checks import IndexChecks
from ipgate.doctor.resource_checks import ResourceChecks
from ipgate.doctor.shard_checks import ShardChecks
from ipgate.store.attribute_indexes import OF_KEYS, OF_LISTS
from ipgate.store.batch_reader import BatchReader, WrongKeyType
from ipgate.store.parsed_key import TYPES, ParsedKey, parse_key

_PRESENCE = {"set": "SISMEMBER", "zset": "ZSCORE", "hash": "HEXISTS"}

Whole = Callable[[ParsedKey], AsyncIterator[Finding]]
Member = Callable[[ParsedKey, str], Awaitable[Finding | None]]


class Checks:
    """`now`: seconds of the store's clock, by which reservations are judged."""

    def __init__(self, reader: BatchReader, now: int) -> None:
        self._reader = reader
        shards, indexes = ShardChecks(reader), IndexChecks(reader, now)
        resources = ResourceChecks(reader, now)
        self._whole: dict[str, Whole] = {
            "meta": shards.meta,
            "changes": shards.changes,
            "workspace": resources.workspace,
            "list": resources.allow_list,
            "list-ranges": resources.ranges,
            "key": resources.api_key,
            "token": resources.token,
            "digest": indexes.entry,
            "root": resources.root,
        }
        self._members: dict[str, Member] = {
            "workspaces": indexes.workspace,
            "lists": indexes.allow_list,
            "keys": indexes.api_key,
            "unlinked": indexes.unlinked,
            "ipv6-lists": indexes.ipv6_list,
            **dict.fromkeys((*OF_LISTS, *OF_KEYS), indexes.by_attribute),
            "list-names": indexes.list_name,
            "list-keys": indexes.list_key,
            "key-lists": indexes.key_list,
            "token-ids": indexes.token_id,
            "tokens": indexes.token,
            "ws-tokens": indexes.workspace_token,
        }

    async def inspect(self, key: str, member: str = "") -> list[Finding]:
        """Return what is wrong with a key, or with one member of it.

        Raises redis's errors.
        """
        at = parse_key(key)
        kind = await self._reader.execute("TYPE", key)
        if kind == "none" and (at is None or at.kind != "meta"):
            return []
        if at is None:
            return [Finding(key, Problem.UNKNOWN_KEY, "no rule knows this key")]
        if kind not in (TYPES[at.kind], "none"):
            detail = f"is a {kind}, and should be a {TYPES[at.kind]}"
            return [Finding(key, Problem.WRONG_TYPE, detail)]
        if not at.in_right_shard():
            return [Finding(key, Problem.WRONG_SHARD, "is in a shard where nobody looks for it")]
        try:
            return [finding async for finding in self._findings(at, member)]
        except WrongKeyType:
            return []  # it refers to another key, which has a finding of its own

    async def _findings(self, at: ParsedKey, member: str) -> AsyncIterator[Finding]:
        if at.kind in self._whole:
            async for finding in self._whole[at.kind](at):
                yield finding
            return
        if at.kind in ("workers", "staged", "list-upgrade", "audit", "audit-bytes", "audit-denied"):
            return  # what no decision depends on
        check = self._members[at.kind]
        kind = TYPES[at.kind]
        pages = self._one(at.key, kind, member) if member else self._reader.members(at.key, kind)
        async for page in pages:
            for wrong in await asyncio.gather(*(check(at, name) for name in page)):
                if wrong is not None:
                    yield wrong

    async def _one(self, key: str, kind: str, member: str) -> AsyncIterator[list[str]]:
        """Yield the member, if it is still there."""
        present = await self._reader.execute(_PRESENCE[kind], key, member)
        if present is not None if kind == "zset" else present:
            yield [member]
