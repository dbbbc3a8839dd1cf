"""Checks of the resources: their fields, their parsed in the indexes, what they refer to."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence

from ipgate.doctor.findings import Finding, Problem
from ipgate.domain.addresses import BadRange, format_range, parse_range
from ipgate.domain.errors import shown
from ipgate.domain.resources import Role
from ipgate.domain.shards import shard_of
from ipgate.domain.texts import check_description, check_display_name, folded
from ipgate.store import key_names
from ipgate.store.batch_reader import BatchReader
from ipgate.store.parsed_key import ParsedKey

ABANDONED = 60
"""Seconds after which a reservation is abandoned, as in prelude.lua."""

_TIP = "[0-9a-f]{16}"
_NUMBER = "[0-9]{1,19}"
_FLAG = "[01]"
_STAMPS = {"created": _NUMBER, "updated": _NUMBER, "etag": _TIP, "rev": _NUMBER}
_WORKSPACE = _STAMPS | {"require": _FLAG, "default_on": _FLAG, "default": "[a-z0-9-]*"}
_LIST = _STAMPS | {"span": _NUMBER, "ranges_tip": _TIP}
_KEY = _STAMPS | {
    "disabled": _FLAG,
    "expire": "(-?[0-9]{1,21})?",
    "digest": "[0-9a-f]{64}",
    "indexed": _TIP,
}
_TOKEN = _STAMPS | {
    "id": "[a-z][a-z0-9-]{0,62}",
    "expire": "(-?[0-9]{1,21})?",
    "role": "|".join(role.value for role in Role if role is not Role.ROOT),
    "workspace": "[a-z0-9-]*",
}


class ResourceChecks:
    """`now`: seconds of the store's clock."""

    def __init__(self, reader: BatchReader, now: int) -> None:
        self._reader = reader
        self._now = now

    async def workspace(self, at: ParsedKey) -> AsyncIterator[Finding]:
        fields = await self._fields(at.key)
        for fault in _faults(at, fields, _WORKSPACE):
            yield fault
        if await self._missing(at.prefix + "workspaces", at.workspace):
            yield _not_indexed(at, "workspaces", "workspace", at.workspace)
        default = fields.get("default", "")
        if default and not await self._live(at.allow_list(default)):
            yield Finding(at.key, Problem.BAD_DEFAULT, f"the default list {default} is missing")
        elif not default and fields.get("default_on") == "1":
            yield Finding(at.key, Problem.BAD_DEFAULT, "the default is on, and names no list")

    async def allow_list(self, at: ParsedKey) -> AsyncIterator[Finding]:
        fields = await self._fields(at.key)
        for fault in _faults(at, fields, _LIST):
            yield fault
        for violation in check_description("description", fields.get("description", "")):
            yield Finding(at.key, Problem.BAD_FIELD, violation.description, "description")
        if not await self._live(at.owner):
            yield Finding(at.key, Problem.DANGLING, "its workspace is missing")
        if await self._missing(at.owner + ":lists", at.id):
            yield _not_indexed(at, "lists", "list", at.id)
        if not await self._reader.execute("SCARD", at.key + ":ranges"):
            yield Finding(at.key, Problem.BAD_RANGES, "the list has no range")
        name = fields.get("folded", "")
        display_name = fields.get("display_name", "")
        # Another Python may have folded a name of other characters differently.
        if not name or (display_name.isascii() and name != folded(display_name)):
            detail = "folded is not the folded display name"
            yield Finding(at.key, Problem.BAD_FIELD, detail, "folded")
        holder = await self._reader.execute("HGET", at.owner + ":list-names", name)
        if holder == at.id:
            return
        if holder and name == await self._reader.execute("HGET", at.allow_list(holder), "folded"):
            detail = f"its display name is that of the list {holder}"
            yield Finding(at.key, Problem.NAME_TAKEN, detail)
        else:
            yield _not_indexed(at, "list-names", "list", at.id)

    async def ranges(self, at: ParsedKey) -> AsyncIterator[Finding]:
        if not await self._live(at.allow_list(at.id)):
            yield Finding(at.key, Problem.DANGLING, "belongs to a list that is missing")
        async for page in self._reader.members(at.key, "set"):
            for text in page:
                if not _is_canonical(text):
                    detail = f"{shown(text)} is not a range in canonical form"
                    yield Finding(at.key, Problem.BAD_RANGES, detail)

    async def api_key(self, at: ParsedKey) -> AsyncIterator[Finding]:
        fields = await self._fields(at.key)
        digest = fields.get("digest", "")
        if "etag" in fields:
            async for found in self._live_key(at, fields):
                yield found
        elif "reserved" in fields:
            if self._now - int(fields.get("reserved_at", 0)) >= ABANDONED:
                facts = (digest, fields["reserved"])
                detail = "is a reservation, and was never created"
                yield Finding(at.key, Problem.INCOMPLETE_CREATION, detail, facts=facts)
        elif "deleted" in fields:
            detail = "was deleted, and not cleaned up"
            facts = (digest, fields["deleted"])
            yield Finding(at.key, Problem.INCOMPLETE_DELETION, detail, facts=facts)
        elif fields:
            yield Finding(at.key, Problem.BAD_FIELD, "has no etag, so the key is not there", "etag")

    async def _live_key(self, at: ParsedKey, fields: dict[str, str]) -> AsyncIterator[Finding]:
        for fault in _faults(at, fields, _KEY):
            yield fault
        if not await self._live(at.owner):
            yield Finding(at.key, Problem.DANGLING, "its workspace is missing")
        if await self._missing(at.owner + ":keys", at.id):
            yield _not_indexed(at, "keys", "key", at.id)
        digest, indexed = fields.get("digest", ""), fields.get("indexed", "")
        entry = await self._reader.execute("GET", key_names.digest(digest))
        if entry == f"{at.workspace}/{at.id}/{indexed}":
            return
        other = await self._holder(str(entry), digest) if entry else None
        if other:
            detail = f"its credential is that of the API key {other}"
            yield Finding(at.key, Problem.DUPLICATE_CREDENTIAL, detail)
        else:
            detail = "its credential has no index entry: nobody can use it"
            yield Finding(at.key, Problem.NO_ENTRY, detail, facts=(digest, indexed))

    async def _holder(self, entry: str, digest: str) -> str | None:
        """The API key that an index entry names, if that is live and has the digest."""
        workspace, _, rest = entry.partition("/")
        key, _, indexed = rest.partition("/")
        name = f"{key_names.shard_prefix(shard_of(workspace))}ws:{workspace}:key:{key}"
        held = await self._reader.execute("HMGET", name, "etag", "digest", "indexed")
        return f"{workspace}/{key}" if held[0] and held[1:] == [digest, indexed] else None

    async def root(self, at: ParsedKey) -> AsyncIterator[Finding]:
        if not re.fullmatch("[0-9a-f]{64}", await self._reader.execute("GET", at.key) or ""):
            yield Finding(at.key, Problem.BAD_ROOT, "is not the digest of a token")

    async def token(self, at: ParsedKey) -> AsyncIterator[Finding]:
        fields = await self._fields(at.key)
        for fault in _faults(at, fields, _TOKEN):
            yield fault
        token, workspace = fields.get("id", ""), fields.get("workspace", "")
        held = await self._reader.execute("HGET", at.prefix + "token-ids", token)
        indexes = (at.prefix + "tokens", f"{at.prefix}ws-tokens:{workspace}")
        missing = await asyncio.gather(*(self._missing(index, token) for index in indexes))
        if held is None or any(missing):
            yield _not_indexed(at, "the tokens", "token", at.id)
        elif held != at.id:
            yield Finding(at.key, Problem.DANGLING, f"the id {token} leads to another token")
        owner = f"{key_names.shard_prefix(shard_of(workspace))}ws:{workspace}"
        if workspace and not await self._live(owner):
            detail = f"works for the workspace {workspace}, which is missing"
            yield Finding(at.key, Problem.ORPHANED_TOKEN, detail, facts=(token, workspace))

    async def _fields(self, key: str) -> dict[str, str]:
        found: dict[str, str] = await self._reader.execute("HGETALL", key)
        return found

    async def _live(self, key: str) -> bool:
        return bool(await self._reader.execute("HEXISTS", key, "etag"))

    async def _missing(self, index: str, member: str) -> bool:
        return await self._reader.execute("ZSCORE", index, member) is None


def _faults(at: ParsedKey, fields: dict[str, str], forms: dict[str, str]) -> Sequence[Finding]:
    """What is wrong with the fields of a resource that was not deleted meanwhile."""
    if not fields:
        return []
    found = [
        Finding(at.key, Problem.BAD_FIELD, f"{field} is {shown(fields.get(field, ''))}", field)
        for field, form in forms.items()
        if not re.fullmatch(form, fields.get(field, ""))
    ]
    name = check_display_name("display_name", fields.get("display_name", ""))
    found += [Finding(at.key, Problem.BAD_FIELD, each.description, each.field) for each in name]
    return found


def _not_indexed(at: ParsedKey, index: str, *facts: str) -> Finding:
    return Finding(at.key, Problem.NOT_INDEXED, f"is not in {index}", facts=facts)


def _is_canonical(text: str) -> bool:
    try:
        return format_range(parse_range(text)) == text
    except BadRange:
        return False
