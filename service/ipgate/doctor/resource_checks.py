"""Checks of the resources: their fields, their index entries, what they refer to."""

import asyncio
import re
from collections.abc import AsyncIterator

from ipgate.doctor.findings import Finding, Problem
from ipgate.domain.addresses import BadRange, format_range, parse_range
from ipgate.domain.errors import quoted
from ipgate.domain.text_validation import casefold_name
from ipgate.store import key_names
from ipgate.store.attribute_indexes import members_of
from ipgate.store.batch_reader import BatchReader
from ipgate.store.credential_index import credentials_of, entry_of
from ipgate.store.parsed_key import ParsedKey
from ipgate.store.schema import ACCESS_TOKEN, ALLOW_LIST, API_KEY, WORKSPACE, Schema, decode_range

ABANDONED = 60
"""Seconds after which a reservation is abandoned, as in prelude.lua."""


_CREDENTIALS = ("credential", "previous credential")


class ResourceChecks:
    """`now`: seconds of the store's clock."""

    def __init__(self, reader: BatchReader, now: int) -> None:
        self._reader = reader
        self._now = now

    async def workspace(self, at: ParsedKey) -> AsyncIterator[Finding]:
        fields = await self._fields(at.key)
        for finding in _damage(at, fields, WORKSPACE):
            yield finding
        if await self._missing(key_names.of_shard("workspaces", at.shard), at.workspace):
            yield _not_indexed(at, "workspaces", "workspace", at.workspace)
        default = fields.get("default", "")
        if default and not await self._live(key_names.of("list", at.workspace, default)):
            yield Finding(at.key, Problem.BAD_DEFAULT, f"the default list {default} is missing")
        elif not default and fields.get("default_on") == "1":
            yield Finding(at.key, Problem.BAD_DEFAULT, "the default is on, and names no list")

    async def allow_list(self, at: ParsedKey) -> AsyncIterator[Finding]:
        fields = await self._fields(at.key)
        for finding in _damage(at, fields, ALLOW_LIST):
            yield finding
        if not await self._live(key_names.of("workspace", at.workspace)):
            yield Finding(at.key, Problem.DANGLING, "its workspace is missing")
        if await self._missing(key_names.of("lists", at.workspace), at.id):
            yield _not_indexed(at, "lists", "list", at.id)
        if not await self._reader.execute("HLEN", key_names.of("list-ranges", at.workspace, at.id)):
            yield Finding(at.key, Problem.BAD_RANGES, "the list has no range")
        if fields.get("ipv6_ranges", "0") != "0":
            async for finding in self._with_ipv6(at):
                yield finding
        async for finding in self._by_attributes(at, fields):
            yield finding
        async for finding in self._list_name(at, fields):
            yield finding

    async def _by_attributes(self, at: ParsedKey, fields: dict[str, str]) -> AsyncIterator[Finding]:
        for index, member in members_of(at.kind, at.id, fields).items():
            if await self._missing(key_names.of(index, at.workspace), member):
                yield _not_indexed(at, index, "attributes", at.kind, at.id, index, member)

    async def _with_ipv6(self, at: ParsedKey) -> AsyncIterator[Finding]:
        owner = key_names.of("workspace", at.workspace)
        if await self._reader.execute("HGET", owner, "ipv6") != "1":
            detail = "has IPv6 ranges, and its workspace has IPv6 disabled"
            yield Finding(at.key, Problem.BAD_RANGES, detail)
        if await self._missing(key_names.of("ipv6-lists", at.workspace), at.id):
            yield _not_indexed(at, "ipv6-lists", "ipv6", at.id)

    async def _list_name(self, at: ParsedKey, fields: dict[str, str]) -> AsyncIterator[Finding]:
        name = fields.get("folded", "")
        display_name = fields.get("display_name", "")
        # Another Python may have folded a name of other characters differently.
        if not name or (display_name.isascii() and name != casefold_name(display_name)):
            detail = "folded is not the folded display name"
            yield Finding(at.key, Problem.BAD_FIELD, detail, "folded")
        holder = await self._reader.execute("HGET", key_names.of("list-names", at.workspace), name)
        if holder == at.id:
            return
        if holder and name == await self._reader.execute(
            "HGET", key_names.of("list", at.workspace, holder), "folded"
        ):
            detail = f"its display name is that of the list {holder}"
            yield Finding(at.key, Problem.NAME_TAKEN, detail)
        else:
            yield _not_indexed(at, "list-names", "list", at.id)

    async def ranges(self, at: ParsedKey) -> AsyncIterator[Finding]:
        if not await self._live(key_names.of("list", at.workspace, at.id)):
            yield Finding(at.key, Problem.DANGLING, "belongs to a list that is missing")
        async for page in self._reader.fields(at.key):
            for text, value in page.items():
                if not _is_canonical(text):
                    detail = f"{quoted(text)} is not a range in canonical form"
                    yield Finding(at.key, Problem.BAD_RANGES, detail)
                elif value and not _is_readable(text, value):
                    detail = f"the attributes of {text} cannot be read"
                    yield Finding(at.key, Problem.BAD_RANGES, detail)

    async def api_key(self, at: ParsedKey) -> AsyncIterator[Finding]:
        fields = await self._fields(at.key)
        if "etag" in fields:
            async for finding in self._live_key(at, fields):
                yield finding
        elif "reserved" in fields:
            if self._now - int(fields.get("reserved_at", 0)) >= ABANDONED:
                facts = (fields.get("coming", ""), fields["reserved"])
                detail = "is a reservation, and was never created"
                yield Finding(at.key, Problem.INCOMPLETE_CREATION, detail, facts=facts)
        elif "deleted" in fields:
            detail = "was deleted, and not cleaned up"
            facts = (fields.get("digest", ""), fields["deleted"])
            yield Finding(at.key, Problem.INCOMPLETE_DELETION, detail, facts=facts)
        elif fields:
            yield Finding(at.key, Problem.BAD_FIELD, "has no etag, so the key is not there", "etag")

    async def _live_key(self, at: ParsedKey, fields: dict[str, str]) -> AsyncIterator[Finding]:
        for finding in _damage(at, fields, API_KEY):
            yield finding
        if not await self._live(key_names.of("workspace", at.workspace)):
            yield Finding(at.key, Problem.DANGLING, "its workspace is missing")
        if await self._missing(key_names.of("keys", at.workspace), at.id):
            yield _not_indexed(at, "keys", "key", at.id)
        if not await self._reader.execute(
            "EXISTS", key_names.of("key-lists", at.workspace, at.id)
        ) and await self._missing(key_names.of("unlinked", at.workspace), at.id):
            yield _not_indexed(at, "unlinked", "unlinked", at.id)
        async for finding in self._by_attributes(at, fields):
            yield finding
        if fields.get("previous") and not fields.get("previous_until"):
            detail = "is empty, so the previous credential has no end"
            yield Finding(at.key, Problem.BAD_FIELD, detail, "previous_until")
        for which, (digest, indexed) in zip(_CREDENTIALS, credentials_of(fields), strict=False):
            problem = await self._credential(at, which, digest, indexed)
            if problem:
                yield problem

    async def _credential(
        self, at: ParsedKey, which: str, digest: str, indexed: str
    ) -> Finding | None:
        """Return what is wrong with the index entry of a credential of a key."""
        entry = await self._reader.execute("GET", key_names.digest(digest))
        if entry == entry_of(at.workspace, at.id, indexed):
            return None
        other = await self._holder(str(entry), digest) if entry else None
        if other:
            detail = f"its {which} is that of the API key {other}"
            return Finding(at.key, Problem.DUPLICATE_CREDENTIAL, detail)
        detail = f"its {which} has no index entry: nobody can use it"
        return Finding(at.key, Problem.NO_ENTRY, detail, facts=(digest, indexed))

    async def _holder(self, entry: str, digest: str) -> str | None:
        """Return the API key that an index entry names, if that is live and has the digest."""
        workspace, _, rest = entry.partition("/")
        key, _, indexed = rest.partition("/")
        fields = await self._fields(key_names.of("key", workspace, key))
        is_its_own = "etag" in fields and (digest, indexed) in credentials_of(fields)
        return f"{workspace}/{key}" if is_its_own else None

    async def root(self, at: ParsedKey) -> AsyncIterator[Finding]:
        if not re.fullmatch("[0-9a-f]{64}", await self._reader.execute("GET", at.key) or ""):
            yield Finding(at.key, Problem.BAD_ROOT, "is not the digest of a token")

    async def token(self, at: ParsedKey) -> AsyncIterator[Finding]:
        fields = await self._fields(at.key)
        for finding in _damage(at, fields, ACCESS_TOKEN):
            yield finding
        token, workspace = fields.get("id", ""), fields.get("workspace", "")
        held = await self._reader.execute("HGET", key_names.of("token-ids"), token)
        indexes = (key_names.of("tokens"), key_names.of("ws-tokens", workspace))
        missing = await asyncio.gather(*(self._missing(index, token) for index in indexes))
        if held is None or any(missing):
            yield _not_indexed(at, "the tokens", "token", at.id)
        elif held != at.id:
            yield Finding(at.key, Problem.DANGLING, f"the id {token} leads to another token")
        owner = key_names.of("workspace", workspace)
        if workspace and not await self._live(owner):
            detail = f"works for the workspace {workspace}, which is missing"
            yield Finding(at.key, Problem.ORPHANED_TOKEN, detail, facts=(token, workspace))

    async def _fields(self, key: str) -> dict[str, str]:
        fields: dict[str, str] = await self._reader.execute("HGETALL", key)
        return fields

    async def _live(self, key: str) -> bool:
        return bool(await self._reader.execute("HEXISTS", key, "etag"))

    async def _missing(self, index: str, member: str) -> bool:
        return await self._reader.execute("ZSCORE", index, member) is None


def _damage(at: ParsedKey, stored: dict[str, str], schema: Schema) -> list[Finding]:
    """Return what is wrong with the fields of a resource, unless it was deleted since."""
    if not stored:
        return []
    return [
        Finding(
            at.key,
            Problem.BAD_FIELD,
            f"is {quoted(stored.get(violation.field, ''))}: {violation.description}",
            violation.field,
        )
        for violation in schema.damage(stored)
    ]


def _not_indexed(at: ParsedKey, index: str, *facts: str) -> Finding:
    return Finding(at.key, Problem.NOT_INDEXED, f"is not in {index}", facts=facts)


def _is_canonical(text: str) -> bool:
    try:
        return format_range(parse_range(text)) == text
    except BadRange:
        return False


def _is_readable(text: str, value: str) -> bool:
    try:
        decode_range(text, value)
    except (KeyError, ValueError):
        return False
    return True
