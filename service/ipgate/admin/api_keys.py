"""Use cases of API keys and their credentials."""

import re
import secrets
from dataclasses import dataclass, replace
from typing import Any

from ipgate.admin.checks import new_id, refuse
from ipgate.admin.limits import Limits
from ipgate.domain.credential import API_KEY_PREFIX, RANDOM_BYTES, digest, mint
from ipgate.domain.errors import Violation
from ipgate.domain.resources import ApiKey, Page
from ipgate.domain.texts import check_display_name
from ipgate.store.api_keys import ApiKeyStore

_SHA256 = re.compile("[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Errors: those of the store's methods, and InvalidArgument."""

    store: ApiKeyStore
    limits: Limits

    async def create(
        self, key: ApiKey, *, credential_sha256: str, validate_only: bool
    ) -> tuple[ApiKey, str]:
        """The key and its minted credential, which is "" where a digest was registered. An id of
        "" is minted."""
        faults: list[Violation] = []
        chosen = new_id("key", "api_key_id", key.id, faults)
        faults += check_display_name("api_key.display_name", key.display_name)
        if credential_sha256 and not _SHA256.fullmatch(credential_sha256):
            # The value is not shown: somebody may have sent the credential itself.
            text = (
                "is not a SHA-256 digest; send 64 hexadecimal digits, never the credential itself"
            )
            faults.append(Violation("credential_sha256", text))
        refuse(faults)
        credential = (
            "" if credential_sha256 else mint(API_KEY_PREFIX, secrets.token_bytes(RANDOM_BYTES))
        )
        sha256 = credential_sha256.lower() or (digest(credential) or b"").hex()
        created = await self.store.create(
            replace(key, id=chosen),
            sha256,
            limit=self.limits.keys_per_workspace,
            validate_only=validate_only,
        )
        return created, "" if validate_only else credential

    async def get(self, workspace: str, key: str) -> ApiKey:
        return await self.store.get(workspace, key)

    async def page(self, workspace: str, after: str, size: int) -> Page[ApiKey]:
        return await self.store.page(workspace, after, size)

    async def update(
        self, workspace: str, key: str, changes: dict[str, Any], *, etag: str, validate_only: bool
    ) -> ApiKey:
        """`changes`: values for `display_name`, `disabled`, `expire_time`."""
        if "display_name" in changes:
            refuse(check_display_name("api_key.display_name", changes["display_name"]))
        stored = await self.store.update(
            workspace, key, etag=etag, changes=changes, validate_only=validate_only
        )
        return replace(stored, **changes) if validate_only else stored

    async def delete(self, workspace: str, key: str, *, etag: str, validate_only: bool) -> str:
        """Returns the revision."""
        return await self.store.delete(workspace, key, etag=etag, validate_only=validate_only)
