"""Mends what can be mended without losing an acknowledged change, by the service's own steps."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

from ipgate.domain.errors import AlreadyExists, NotFound
from ipgate.domain.resources import ApiKey
from ipgate.domain.writing import MAINTENANCE
from ipgate.store.api_keys import ApiKeyStore
from ipgate.store.scripts import Scripts
from ipgate.store.tokens import TokenStore
from ipgate.store.upkeep.findings import Finding, Problem
from ipgate.store.upkeep.places import Place, place_of

_Mend = Callable[[Place, tuple[str, ...]], Awaitable[None]]


class Mending:
    """Every method raises Unavailable when the store cannot be used."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._keys = ApiKeyStore(scripts)
        self._tokens = TokenStore(scripts)
        # In this order: an index entry is put back, and a name given, when no other is in its place.
        self._mends: dict[Problem, _Mend] = {
            Problem.CUT_OFF_CREATION: self._creation,
            Problem.CUT_OFF_DELETION: self._deletion,
            Problem.ORPHAN_ENTRY: self._orphan,
            Problem.NO_ENTRY: self._entry,
            Problem.STRAY_NAME: self._name,
            Problem.NOT_INDEXED: self._index,
            Problem.STRAY_TOKEN: self._token,
        }

    async def mend(self, findings: list[Finding]) -> None:
        """Mends what can be mended of the findings; what changed meanwhile is left as it is."""
        for problem, mend in self._mends.items():
            for each in findings:
                at = place_of(each.key)
                if each.problem is not problem or at is None:
                    continue
                # Refused is what changed meanwhile: then there is nothing to mend.
                with suppress(AlreadyExists, NotFound):
                    await mend(at, each.facts)

    async def _creation(self, at: Place, facts: tuple[str, ...]) -> None:
        digest, reserved = facts
        await self._keys.abandon(at.workspace, at.id, digest=digest, reserved=reserved)

    async def _deletion(self, at: Place, facts: tuple[str, ...]) -> None:
        digest, deleted = facts
        await self._keys.forget(at.workspace, at.id, digest=digest, deleted=deleted)

    async def _orphan(self, _: Place, facts: tuple[str, ...]) -> None:
        await self._keys.drop_entry(*facts)

    async def _entry(self, at: Place, facts: tuple[str, ...]) -> None:
        await self._keys.restore_entry(ApiKey(workspace=at.workspace, id=at.id), *facts)

    async def _name(self, at: Place, facts: tuple[str, ...]) -> None:
        name, holder = facts
        await self._reindex(at, "name", name=name, id=holder)

    async def _index(self, at: Place, facts: tuple[str, ...]) -> None:
        kind, identifier, *allow_list = facts
        await self._reindex(at, kind, id=identifier, digest=identifier, list="".join(allow_list))

    async def _reindex(self, at: Place, kind: str, **args: str) -> None:
        await self._scripts.change(
            "reindex", at.shard, MAINTENANCE, kind=kind, workspace=at.workspace, **args
        )

    async def _token(self, _: Place, facts: tuple[str, ...]) -> None:
        token, workspace = facts
        await self._tokens.revoke(token, MAINTENANCE, confined_to=workspace)
