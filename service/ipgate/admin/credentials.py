"""Use cases of the credentials of API keys."""

import secrets
from dataclasses import dataclass, replace

from ipgate.clock import Clock
from ipgate.domain.credential import API_KEY_PREFIX, RANDOM_BYTES, digest, mint
from ipgate.domain.errors import InvalidArgument
from ipgate.domain.resources import ApiKey
from ipgate.domain.writing import WriteOptions, WriteResult
from ipgate.store.credentials import CredentialStore

MAX_OVERLAP = 30 * 86_400 * 10**9
"""Nanoseconds that a previous credential may go on working."""


def mint_credential() -> tuple[str, str]:
    """Return a new credential and its SHA-256 in hexadecimal."""
    credential = mint(API_KEY_PREFIX, secrets.token_bytes(RANDOM_BYTES))
    return credential, (digest(credential) or b"").hex()


@dataclass(frozen=True, slots=True)
class Credentials:
    """Errors: those of the store's methods, and InvalidArgument."""

    store: CredentialStore
    clock: Clock

    async def rotate(
        self, workspace: str, key: str, overlap: int, options: WriteOptions
    ) -> tuple[WriteResult[ApiKey], str]:
        """Return the key and its new credential; the one before works for `overlap` ns longer."""
        if not 0 <= overlap <= MAX_OVERLAP:
            text = (
                f"is {overlap // 10**9}s; use 0s, with which the current credential ends immediately, to "
                f"{MAX_OVERLAP // 10**9}s (30 days)"
            )
            raise InvalidArgument.of("overlap", text)
        credential, sha256 = mint_credential()
        ends = self.clock.now() + overlap if overlap else None
        rotated = await self.store.rotate(workspace, key, sha256, ends, options)
        if options.validate_only:
            preview = replace(rotated.resource, previous_credential_expire_time=ends)
            return replace(rotated, resource=preview), ""
        return rotated, credential

    async def revoke(
        self, workspace: str, key: str, options: WriteOptions, *, current: bool
    ) -> WriteResult[ApiKey]:
        """End the `current` credential of a key, or else its previous one."""
        revoked = await self.store.revoke(workspace, key, options, current=current)
        if options.validate_only:
            preview = replace(revoked.resource, previous_credential_expire_time=None)
            return replace(revoked, resource=preview)
        return revoked
