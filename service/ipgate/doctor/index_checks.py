"""Checks of the indexes: that each member leads to what it names, and back."""

import re
from collections.abc import AsyncIterator

from ipgate.doctor.findings import Finding, Problem
from ipgate.doctor.resource_checks import ABANDONED
from ipgate.domain.errors import quoted
from ipgate.store import key_names
from ipgate.store.attribute_indexes import OF_LISTS, id_of, members_of
from ipgate.store.batch_reader import BatchReader
from ipgate.store.credential_index import credentials_of
from ipgate.store.parsed_key import ParsedKey

_ENTRY = re.compile("([a-z][a-z0-9-]{0,62})/([a-z][a-z0-9-]{0,62})/([0-9a-f]{16})")


class IndexChecks:
    """`now`: seconds of the store's clock."""

    def __init__(self, reader: BatchReader, now: int) -> None:
        self._reader = reader
        self._now = now

    async def entry(self, at: ParsedKey) -> AsyncIterator[Finding]:
        """Yield an entry that leads to no live key with that credential, and to none that is just getting it."""
        value = await self._reader.execute("GET", at.key)
        if value is None:
            return
        named = _ENTRY.fullmatch(value)
        if named is None or not await self._held(at.id, *named.groups()):
            detail = f"leads to {quoted(value)}, where no key has this credential"
            yield Finding(at.key, Problem.ORPHANED_ENTRY, detail, facts=(at.id, value))

    async def _held(self, digest: str, workspace: str, key: str, tip: str) -> bool:
        fields = await self._reader.execute("HGETALL", key_names.of("key", workspace, key))
        if "etag" in fields and (digest, tip) in credentials_of(fields):
            return True
        is_fresh = self._now - int(fields.get("reserved_at", 0)) < ABANDONED
        return is_fresh and (fields.get("coming"), fields.get("reserved")) == (digest, tip)

    async def workspace(self, at: ParsedKey, member: str) -> Finding | None:
        return await self._leads(at, member, key_names.of("workspace", member))

    async def allow_list(self, at: ParsedKey, member: str) -> Finding | None:
        return await self._leads(at, member, key_names.of("list", at.workspace, member))

    async def api_key(self, at: ParsedKey, member: str) -> Finding | None:
        return await self._leads(at, member, key_names.of("key", at.workspace, member))

    async def unlinked(self, at: ParsedKey, member: str) -> Finding | None:
        """Return an API key that is among those without an allow list, and is not one."""
        lists = key_names.of("key-lists", at.workspace, member)
        is_linked = await self._reader.execute("EXISTS", lists)
        if not is_linked and await self._live(key_names.of("key", at.workspace, member)):
            return None
        detail = f"has {member}, which has an allow list or is missing"
        return Finding(at.key, Problem.STALE_INDEX, detail, member, ("unlinked", member))

    async def by_attribute(self, at: ParsedKey, member: str) -> Finding | None:
        """Return a member of an index by attributes that its list or API key does not have there."""
        kind, identifier = "list" if at.kind in OF_LISTS else "key", id_of(member)
        stored = await self._reader.execute("HGETALL", key_names.of(kind, at.workspace, identifier))
        if "etag" in stored and members_of(kind, identifier, stored).get(at.kind) == member:
            return None
        detail = f"has {quoted(member)}, which {identifier} has no more"
        facts = ("attributes", kind, identifier, at.kind, member)
        return Finding(at.key, Problem.STALE_INDEX, detail, member, facts)

    async def ipv6_list(self, at: ParsedKey, member: str) -> Finding | None:
        """Return an allow list that is among those with IPv6 ranges, and is not one."""
        allow_list = key_names.of("list", at.workspace, member)
        if int(await self._reader.execute("HGET", allow_list, "ipv6_ranges") or 0):
            return None
        detail = f"has {member}, which has no IPv6 range or is missing"
        return Finding(at.key, Problem.STALE_INDEX, detail, member, ("ipv6", member))

    async def list_name(self, at: ParsedKey, member: str) -> Finding | None:
        holder = await self._reader.execute("HGET", at.key, member)
        if holder is None:
            return None
        if (
            await self._reader.execute("HGET", key_names.of("list", at.workspace, holder), "folded")
            == member
        ):
            return None
        detail = f"the name {quoted(member)} leads to the list {holder}, which does not have it"
        return Finding(at.key, Problem.ORPHANED_NAME, detail, member, (member, holder))

    async def list_key(self, at: ParsedKey, member: str) -> Finding | None:
        """Return a key that the list has as linked."""
        if not await self._live(key_names.of("list", at.workspace, at.id)):
            return Finding(at.key, Problem.DANGLING, "belongs to a list that is missing", member)
        lists = key_names.of("key-lists", at.workspace, member)
        if await self._live(
            key_names.of("key", at.workspace, member)
        ) and await self._reader.execute("SISMEMBER", lists, at.id):
            return None
        detail = f"has the API key {member}, which is not linked to the list"
        return Finding(at.key, Problem.ONE_SIDED_LINK, detail, member)

    async def key_list(self, at: ParsedKey, member: str) -> Finding | None:
        """Return a list that the key has as linked, which is what decisions go by."""
        if not await self._live(key_names.of("key", at.workspace, at.id)):
            return Finding(at.key, Problem.DANGLING, "belongs to a key that is missing", member)
        if not await self._live(key_names.of("list", at.workspace, member)):
            detail = f"the key is linked to the list {member}, which is missing"
            return Finding(at.key, Problem.MISSING_LIST, detail, member)
        if (
            await self._reader.execute(
                "ZSCORE", key_names.of("list-keys", at.workspace, member), at.id
            )
            is None
        ):
            detail = f"the list {member} does not know of its link to the key"
            facts = ("link", at.id, member)
            return Finding(at.key, Problem.NOT_INDEXED, detail, member, facts)
        return None

    async def token_id(self, at: ParsedKey, member: str) -> Finding | None:
        digest = await self._reader.execute("HGET", at.key, member)
        held = await self._reader.execute("HGET", key_names.of("token", identifier=digest), "id")
        if digest is None or held == member:
            return None
        return Finding(at.key, Problem.DANGLING, f"the token {member} is missing", member)

    async def token(self, at: ParsedKey, member: str) -> Finding | None:
        if await self._reader.execute("HEXISTS", key_names.of("token-ids"), member):
            return None
        return Finding(at.key, Problem.DANGLING, f"the token {member} is missing", member)

    async def workspace_token(self, at: ParsedKey, member: str) -> Finding | None:
        digest = await self._reader.execute("HGET", key_names.of("token-ids"), member)
        workspace = await self._reader.execute(
            "HGET", key_names.of("token", identifier=digest), "workspace"
        )
        if workspace == at.workspace:
            return None
        detail = f"the token {member} does not work for this workspace, or is missing"
        return Finding(at.key, Problem.DANGLING, detail, member)

    async def _leads(self, at: ParsedKey, member: str, key: str) -> Finding | None:
        if await self._live(key):
            return None
        return Finding(at.key, Problem.DANGLING, f"has {member}, which is missing", member)

    async def _live(self, key: str) -> bool:
        return bool(await self._reader.execute("HEXISTS", key, "etag"))
