"""Use cases of API keys and their credentials."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ipgate.admin.checks import new_id, raise_if_invalid
from ipgate.admin.credentials import mint_credential
from ipgate.admin.quotas import Quotas
from ipgate.domain.errors import LimitExceeded, Violation
from ipgate.domain.resources import ApiKey
from ipgate.domain.writing import WriteOptions, WriteResult
from ipgate.store.api_keys import ApiKeyStore
from ipgate.store.schema import API_KEY

_SHA256 = re.compile("[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Errors: those of the store's methods, and InvalidArgument."""

    store: ApiKeyStore
    quotas: Quotas

    async def create(
        self, key: ApiKey, credential_sha256: str, options: WriteOptions
    ) -> tuple[WriteResult[ApiKey], str]:
        """Return the key and its minted credential, which is "" where a digest was registered.

        An id of "" is minted.
        """
        violations: list[Violation] = []
        chosen = new_id("key", "api_key_id", key.id, violations)
        violations += API_KEY.check_texts("api_key", API_KEY.attributes(key))
        if credential_sha256 and not _SHA256.fullmatch(credential_sha256):
            # The value is not shown: somebody may have sent the credential itself.
            text = (
                "is not a SHA-256 digest; send 64 hexadecimal digits, never the credential itself"
            )
            violations.append(Violation("credential_sha256", text))
        raise_if_invalid(violations)
        credential, sha256 = (
            ("", credential_sha256.lower()) if credential_sha256 else mint_credential()
        )
        created = await self.store.create(
            replace(key, id=chosen),
            sha256,
            options,
            limit=self.quotas.keys_per_workspace,
        )
        return created, "" if options.validate_only else credential

    async def update(
        self, workspace: str, key: str, changes: dict[str, Any], options: WriteOptions
    ) -> WriteResult[ApiKey]:
        """Change attributes of a key."""
        raise_if_invalid(API_KEY.check_texts("api_key", changes))
        stored = await self.store.update(workspace, key, changes, options)
        if options.validate_only:
            return replace(stored, resource=replace(stored.resource, **changes))
        return stored

    async def set_lists(
        self, workspace: str, key: str, lists: Sequence[str], options: WriteOptions
    ) -> WriteResult[ApiKey]:
        """Replace the links of a key by the ids `lists`, which may be none."""
        limit = self.quotas.lists_per_key
        if len(lists) > limit:
            raise LimitExceeded(
                f"the API key would have {len(lists)} allow lists; at most {limit} are permitted "
                "(setting max-lists-per-key)"
            )
        return await self.store.set_lists(workspace, key, sorted(set(lists)), options)
