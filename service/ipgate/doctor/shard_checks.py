"""Checks of a shard's meta and of its history."""

import re
from collections.abc import AsyncIterator

from ipgate.doctor.findings import Finding, Problem
from ipgate.store import key_names
from ipgate.store.batch_reader import BatchReader
from ipgate.store.parsed_key import ParsedKey
from ipgate.store.scripts import IMPORTS, SCHEMA, UPGRADES

_FORMS = {"history": "[0-9a-f]{16}", "rev": "[0-9]{1,15}", "tip": "[0-9a-f]{16}"}
_PAGE = 1000

# The last entry's number and tip, as of the same moment as the meta.
_END = """
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
return { redis.call('HGET', KEYS[1], 'rev'), redis.call('HGET', KEYS[1], 'tip'), last }
"""


class ShardChecks:
    def __init__(self, reader: BatchReader) -> None:
        self._reader = reader

    async def meta(self, at: ParsedKey) -> AsyncIterator[Finding]:
        fields = await self._reader.execute("HGETALL", at.key)
        if not fields:
            if await self._reader.execute("EXISTS", key_names.of_shard("workspaces", at.shard)):
                yield Finding(at.key, Problem.BAD_META, "is missing, though the shard holds data")
            return
        if fields.get("schema") in IMPORTS:
            yield Finding(at.key, Problem.INCOMPLETE_IMPORT, "an import was begun and not finished")
            return
        if fields.get("schema") in UPGRADES:
            yield Finding(at.key, Problem.OLD_SCHEMA, f"has schema {fields['schema']}")
            return
        if fields.get("schema") != SCHEMA:
            detail = f"has schema {fields.get('schema')}, and should have {SCHEMA}"
            yield Finding(at.key, Problem.BAD_META, detail)
        for field, form in _FORMS.items():
            if not re.fullmatch(form, fields.get(field, "")):
                yield Finding(at.key, Problem.BAD_META, f"{field} is not one", field)

    async def changes(self, at: ParsedKey) -> AsyncIterator[Finding]:
        """Yield the chain of the entries that are there, and whether it ends where the meta says."""
        meta = key_names.meta(at.shard)
        rev, tip, last = await self._reader.execute("EVAL", _END, 2, meta, at.key)
        if last is not None:
            identifier, flat = last
            fields = dict(zip(flat[::2], flat[1::2], strict=True))
            if (identifier, fields.get("tip")) != (f"{rev}-0", tip):
                detail = (
                    f"ends with entry {identifier}, which is not the change that the meta names"
                )
                yield Finding(at.key, Problem.BAD_HISTORY, detail)
        first, former = "-", ("", "")
        while page := await self._reader.execute("XRANGE", at.key, first, "+", "COUNT", _PAGE):
            for identifier, fields in page:
                number = int(identifier.partition("-")[0])
                expected = (f"{number}-0", fields.get("prev"))
                if (former[0] and expected != former) or identifier != f"{number}-0":
                    detail = f"entry {identifier} does not follow on the one before it"
                    yield Finding(at.key, Problem.BAD_HISTORY, detail)
                former = (f"{number + 1}-0", fields.get("tip", ""))
            first = f"({page[-1][0]}"
