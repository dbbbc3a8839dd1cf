"""The credentials of API keys in the store: a rotation, and the end of one of two credentials.

A rotation writes the index entry of the new credential before the key has it, and a credential loses its entry after
the key has lost it. So a crash in between leaves an entry that decides nothing.
"""

import secrets
from contextlib import suppress

from ipgate.domain.errors import Conflict, FailedPrecondition, NotFound, Unavailable
from ipgate.domain.resources import ApiKey
from ipgate.domain.writing import WriteOptions, WriteResult
from ipgate.store.credential_index import CredentialIndex, entry_of
from ipgate.store.key_cleanup import KeyCleanup
from ipgate.store.key_scripts import change_key, read_key
from ipgate.store.schema import API_KEY
from ipgate.store.scripts import Outcome, Scripts


class CredentialStore:
    """Every method raises Unavailable when the store cannot be used."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._index = CredentialIndex(scripts)
        self._cleanup = KeyCleanup(scripts)

    async def rotate(
        self,
        workspace: str,
        key: str,
        digest: str,
        previous_until: int | None,
        options: WriteOptions,
    ) -> WriteResult[ApiKey]:
        """Let the credential of `digest` replace that of a key, which works until `previous_until`; None for no longer.

        Raises: NotFound, Conflict, FailedPrecondition.
        """
        tip = secrets.token_hex(8)
        after = API_KEY.encode({"previous_credential_expire_time": previous_until})
        outcome = await change_key(
            self._scripts, "key_prepare", workspace, key, options, tip=tip, digest=digest, set=after
        )
        if options.validate_only:
            return outcome.result(read_key(outcome, workspace, outcome.view), options)
        try:
            await self._index.claim(digest, entry_of(workspace, key, tip))
            outcome = await change_key(
                self._scripts,
                "key_rotate",
                workspace,
                key,
                options,
                tip=tip,
                digest=digest,
                previous_until=after["previous_until"],
            )
        except (Conflict, FailedPrecondition, NotFound):
            with suppress(Unavailable):
                await self._cleanup.abandon(workspace, key, digest=digest, reserved=tip, mine=True)
            raise
        return await self._ended(outcome, workspace, key, options)

    async def revoke(
        self, workspace: str, key: str, options: WriteOptions, *, current: bool
    ) -> WriteResult[ApiKey]:
        """End the `current` credential of a key, whose previous one is current then, or else the previous one.

        Raises: NotFound, Conflict, FailedPrecondition.
        """
        after = API_KEY.encode({"previous_credential_expire_time": None})
        outcome = await change_key(
            self._scripts, "key_revoke", workspace, key, options, current=current, set=after
        )
        return await self._ended(outcome, workspace, key, options)

    async def _ended(
        self, outcome: Outcome, workspace: str, key: str, options: WriteOptions
    ) -> WriteResult[ApiKey]:
        await self._cleanup.drop_ended(outcome, workspace, key)
        return outcome.result(read_key(outcome, workspace, outcome.view), options)
