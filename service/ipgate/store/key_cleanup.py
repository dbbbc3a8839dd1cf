"""Completes, undoes and repairs the steps in which API keys and their credentials change."""

import logging

from ipgate.domain.errors import AlreadyExists, Unavailable
from ipgate.domain.names import key_name
from ipgate.domain.resources import ApiKey
from ipgate.store.credential_index import CredentialIndex, entry_of
from ipgate.store.key_scripts import change_key
from ipgate.store.scripts import Outcome, Scripts

log = logging.getLogger(__name__)


class KeyCleanup:
    """Every method raises Unavailable when the store cannot be used."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._index = CredentialIndex(scripts)

    async def drop_ended(
        self, outcome: Outcome, workspace: str, key: str, *, deleted: str = ""
    ) -> None:
        """Remove the index entries of credentials that a change has ended, and what is left of a key that it `deleted`.

        The change is made. If the store fails now, what is left decides nothing: `ipgate doctor` removes it.
        """
        try:
            # An empty table of Lua is encoded as an object.
            for digest, tip in outcome.view.get("ended") or ():
                await self._index.replace(digest, entry_of(workspace, key, tip), "")
            if deleted:
                await change_key(self._scripts, "key_forget", workspace, key, deleted=deleted)
        except Unavailable:
            log.warning("clean-up after a change failed api_key=%s", key_name(workspace, key))

    async def drop_entry(self, digest: str, entry: str) -> None:
        """Remove an index entry that leads to no key.

        Raises: AlreadyExists if one stands behind it.
        """
        if entry.count("/") != 2 or await self._index.check_free(digest) == entry:
            await self._index.replace(digest, entry, "")

    async def restore_entry(self, key: ApiKey, digest: str, indexed: str) -> None:
        """Put back the index entry of a live key, which its creation or rotation `indexed` wrote.

        Raises: AlreadyExists if another key has the digest.
        """
        entry = entry_of(key.workspace, key.id, indexed)
        await self._index.claim(digest, entry)
        outcome = await change_key(
            self._scripts, "key_announce", key.workspace, key.id, indexed=indexed, digest=digest
        )
        if not outcome.view["live"]:
            await self._index.replace(digest, entry, "")

    async def abandon(
        self, workspace: str, key: str, *, digest: str, reserved: str, mine: bool = False
    ) -> None:
        """Undo an interrupted or rejected creation or rotation.

        `mine`: it is the caller's own, and need not be old.
        """
        await self._index.replace(digest, entry_of(workspace, key, reserved), "")
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
