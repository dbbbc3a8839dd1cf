"""The digest of the root token in the store, which holds for every server that is given none."""

from dataclasses import dataclass

from ipgate.domain.names import token_name
from ipgate.domain.shards import TOKEN_SHARD
from ipgate.domain.writing import MAINTENANCE, WriteOptions
from ipgate.store.schema import Schema
from ipgate.store.scripts import Scripts

_ROOT = Schema("root", ())


@dataclass(frozen=True, slots=True)
class RootStore:
    """Every method raises Unavailable when the store cannot be used."""

    scripts: Scripts

    async def get(self) -> str | None:
        """Return the digest in hexadecimal, None if there is none."""
        _, digest = await self.scripts.rules(TOKEN_SHARD, kind="root")
        return digest or None

    async def set_if_absent(self, sha256: str) -> str:
        """Return the digest that the store has then: `sha256`, or the one that was there."""
        return await self._set(sha256, replace=False)

    async def replace(self, sha256: str) -> None:
        """Set the digest; the former root token is not valid any more."""
        await self._set(sha256, replace=True)

    async def _set(self, sha256: str, *, replace: bool) -> str:
        options = WriteOptions(actor=MAINTENANCE.actor, method="SetRootToken")
        outcome = await self.scripts.change(
            "root_set",
            TOKEN_SHARD,
            options,
            _ROOT,
            name=token_name("root"),
            digest=sha256,
            replace=replace or None,
        )
        return str(outcome.view["digest"])
