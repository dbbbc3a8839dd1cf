"""Completes, undoes and repairs the steps in which API keys and their credentials change."""

from ipgate.domain.errors import AlreadyExists
from ipgate.domain.resources import ApiKey
from ipgate.store.credential_index import CredentialIndex
from ipgate.store.key_scripts import change_key
from ipgate.store.scripts import Scripts


class KeyCleanup:
    """Every method raises Unavailable when the store cannot be used."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._index = CredentialIndex(scripts)

    async def drop_entry(self, digest: str, entry: str) -> None:
        """Remove an index entry that leads to no key.

        Raises: AlreadyExists if one stands behind it.
        """
        if entry.count("/") != 2 or await self._index.check_free(digest) == entry:
            await self._index.replace(digest, entry, "")

    async def restore_entry(self, key: ApiKey, digest: str, indexed: str) -> None:
        """Put the index entry of a live key back, the creation `indexed` of which is given.

        Raises: AlreadyExists if another key has the digest.
        """
        entry = f"{key.workspace}/{key.id}/{indexed}"
        await self._index.claim(digest, entry)
        outcome = await change_key(
            self._scripts, "key_announce", key.workspace, key.id, indexed=indexed, digest=digest
        )
        if not outcome.view["live"]:
            await self._index.replace(digest, entry, "")

    async def abandon(
        self, workspace: str, key: str, *, digest: str, reserved: str, mine: bool = False
    ) -> None:
        """Undo an interrupted or rejected creation.

        `mine`: it is the caller's own, and need not be old.
        """
        await self._index.replace(digest, f"{workspace}/{key}/{reserved}", "")
        await change_key(self._scripts, "key_abandon", workspace, key, reserved=reserved, mine=mine)

    async def forget(self, workspace: str, key: str, *, digest: str, deleted: str) -> None:
        """Complete an interrupted deletion."""
        try:
            former = await self._index.check_free(digest)
        except AlreadyExists:
            former = None  # the credential was registered again
        if former is not None:
            await self._index.replace(digest, former, "")
        await change_key(self._scripts, "key_forget", workspace, key, deleted=deleted)
