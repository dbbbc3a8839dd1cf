"""Repairs what can be repaired without losing an acknowledged change, in the steps that the service itself takes."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from ipgate.doctor.findings import Finding, Problem
from ipgate.domain.errors import AlreadyExists, NotFound
from ipgate.domain.resources import ApiKey
from ipgate.domain.writing import MAINTENANCE
from ipgate.store.key_cleanup import KeyCleanup
from ipgate.store.parsed_key import ParsedKey, parse_key
from ipgate.store.scripts import Scripts
from ipgate.store.tokens import TokenStore

_Step = Callable[[ParsedKey, tuple[str, ...]], Awaitable[None]]


class Repair:
    """Every method raises Unavailable when the store cannot be used."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._keys = KeyCleanup(scripts)
        self._tokens = TokenStore(scripts)
        # In this order: an index entry or a name can be restored once no other one is in its place.
        self._steps: dict[Problem, _Step] = {
            Problem.INCOMPLETE_CREATION: self._creation,
            Problem.INCOMPLETE_DELETION: self._deletion,
            Problem.ORPHANED_ENTRY: self._orphan,
            Problem.NO_ENTRY: self._entry,
            Problem.ORPHANED_NAME: self._name,
            Problem.NOT_INDEXED: self._index,
            Problem.STALE_INDEX: self._index,
            Problem.ORPHANED_TOKEN: self._token,
        }

    async def run(self, findings: list[Finding]) -> None:
        """Repair the findings that have an automatic remedy, except where the store has changed since."""
        for problem, step in self._steps.items():
            for finding in findings:
                parsed = parse_key(finding.key)
                if finding.problem is not problem or parsed is None:
                    continue
                # The step fails if the store has changed since: then nothing is left to repair.
                with suppress(AlreadyExists, NotFound):
                    await step(parsed, finding.facts)

    async def _creation(self, at: ParsedKey, facts: tuple[str, ...]) -> None:
        digest, reserved = facts
        await self._keys.abandon(at.workspace, at.id, digest=digest, reserved=reserved)

    async def _deletion(self, at: ParsedKey, facts: tuple[str, ...]) -> None:
        digest, deleted = facts
        await self._keys.forget(at.workspace, at.id, digest=digest, deleted=deleted)

    async def _orphan(self, _: ParsedKey, facts: tuple[str, ...]) -> None:
        await self._keys.drop_entry(*facts)

    async def _entry(self, at: ParsedKey, facts: tuple[str, ...]) -> None:
        await self._keys.restore_entry(ApiKey(workspace=at.workspace, id=at.id), *facts)

    async def _name(self, at: ParsedKey, facts: tuple[str, ...]) -> None:
        name, holder = facts
        await self._reindex(at, "name", name=name, id=holder)

    async def _index(self, at: ParsedKey, facts: tuple[str, ...]) -> None:
        if facts[0] == "attributes":
            _, of, identifier, index, member = facts
            await self._reindex(at, "attributes", of=of, id=identifier, index=index, member=member)
            return
        kind, identifier, *allow_list = facts
        await self._reindex(at, kind, id=identifier, digest=identifier, list="".join(allow_list))

    async def _reindex(self, at: ParsedKey, kind: str, **args: Any) -> None:
        await self._scripts.change(
            "reindex", at.shard, MAINTENANCE, kind=kind, workspace=at.workspace, **args
        )

    async def _token(self, _: ParsedKey, facts: tuple[str, ...]) -> None:
        token, workspace = facts
        await self._tokens.revoke(token, MAINTENANCE, confined_to=workspace)
