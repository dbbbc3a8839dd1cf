"""The index that leads from a credential's digest to its API key.

It lies outside the shards, so a change of a credential takes several steps. An entry names the creation or the
rotation that wrote it, so entries are never confused. An entry that leads to no live key decides nothing, and is
replaced when the digest is registered again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ipgate.domain.errors import AlreadyExists
from ipgate.domain.shards import shard_of
from ipgate.store import key_names
from ipgate.store.connection import unavailable
from ipgate.store.scripts import Scripts
from ipgate.store.topology import FAULTS

_REPLACE = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[2] then return 0 end
if ARGV[3] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[3]) end
return 1
"""


def entry_of(workspace: str, key: str, tip: str) -> str:
    """Return the index entry of a credential of a key, which the creation or rotation `tip` writes."""
    return f"{workspace}/{key}/{tip}"


def credentials_of(fields: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the credentials of a stored key, the current one first: the digest of each, and what its entry names.

    The previous one is among them, also when it has ended.
    """
    current = (fields.get("digest", ""), fields.get("indexed", ""))
    previous = (fields.get("previous", ""), fields.get("previous_indexed", ""))
    return [current, previous] if previous[0] else [current]


@dataclass(frozen=True, slots=True)
class CredentialIndex:
    """Every method raises Unavailable when the store cannot be used."""

    scripts: Scripts

    async def claim(self, digest: str, entry: str) -> None:
        """Make `entry` the index entry of `digest`.

        Raises: AlreadyExists.
        """
        while True:
            if await self.replace(digest, "", entry):
                return
            former = await self.check_free(digest)
            if former is not None and await self.replace(digest, former, entry):
                return

    async def check_free(self, digest: str) -> str | None:
        """Return the entry of `digest` that no key stands behind, None if it has no entry.

        Raises: AlreadyExists if it belongs to a key, or to one that is being created.
        """
        try:
            former = await self.scripts.store.get(key_names.digest(digest))
        except FAULTS as error:
            raise unavailable(error, writing=False) from error
        if former is None:
            return None
        if str(former).count("/") != 2:
            return str(former)  # not one of ipgate's: no key stands behind it
        workspace, key, tip = str(former).split("/")
        outcome = await self.scripts.read(
            "key_holds",
            shard_of(workspace),
            workspace=workspace,
            id=key,
            owner_tip=tip,
            digest=digest,
        )
        if outcome.view["held"]:
            raise AlreadyExists(
                "the credential is registered already; use another one", reason="CREDENTIAL_TAKEN"
            )
        return str(former)

    async def replace(self, digest: str, former: str, entry: str) -> bool:
        """Replace the index entry `former` by `entry`, "" for none; False if another one is there."""
        return bool(await self.scripts.write(key_names.digest(digest), _REPLACE, former, entry))
