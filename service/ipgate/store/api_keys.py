"""API keys in the store.

The index of credentials lies outside the shard, so creating and deleting a key take several steps. Their order makes
a crash in between harmless: a key becomes visible only with its index entry in place, and is deleted permanently
before its index entry is.
"""

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from ipgate.domain.errors import AlreadyExists, Conflict, LimitExceeded, NotFound, Unavailable
from ipgate.domain.names import key_name, list_name, workspace_name
from ipgate.domain.resources import ApiKey, Page
from ipgate.domain.shards import shard_of
from ipgate.domain.text_validation import casefold_name
from ipgate.domain.writing import WriteOptions, WriteResult
from ipgate.store import key_names
from ipgate.store.attribute_indexes import Scan
from ipgate.store.credential_index import CredentialIndex, entry_of
from ipgate.store.key_cleanup import KeyCleanup
from ipgate.store.key_filter import KeyFilter
from ipgate.store.key_scripts import change_key, read_key
from ipgate.store.schema import API_KEY
from ipgate.store.scripts import Scripts
from ipgate.store.search import search


class ApiKeyStore:
    """Every method raises Unavailable when the store cannot be used."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._index = CredentialIndex(scripts)
        self._cleanup = KeyCleanup(scripts)

    async def create(
        self, key: ApiKey, digest: str, options: WriteOptions, *, limit: int
    ) -> WriteResult[ApiKey]:
        """Store a new key by the digest of its credential.

        Raises: NotFound for the workspace, AlreadyExists, Conflict, LimitExceeded.
        """
        reservation: dict[str, Any] = {
            "tip": secrets.token_hex(8),
            "parent": workspace_name(key.workspace),
            "limit": limit,
            "digest": digest,
        }
        outcome = await change_key(
            self._scripts, "key_reserve", key.workspace, key.id, options, **reservation
        )
        if options.validate_only:
            await self._index.check_free(digest)
            return outcome.result(key, options)
        try:
            await self._index.claim(digest, entry_of(key.workspace, key.id, reservation["tip"]))
            outcome = await change_key(
                self._scripts,
                "key_activate",
                key.workspace,
                key.id,
                options,
                fields=API_KEY.encode_resource(key) | {"folded": casefold_name(key.display_name)},
                **reservation,
            )
        except (AlreadyExists, Conflict, LimitExceeded, NotFound):
            with suppress(Unavailable):
                await self._cleanup.abandon(
                    key.workspace, key.id, digest=digest, reserved=reservation["tip"], mine=True
                )
            raise
        return outcome.result(read_key(outcome, key.workspace, outcome.view), options)

    async def get(self, workspace: str, key: str) -> ApiKey:
        """Return a key.

        Raises: NotFound.
        """
        outcome = await self._scripts.read(
            "get",
            shard_of(workspace),
            kind="key",
            workspace=workspace,
            id=key,
            key=key_names.of("key", workspace, key),
            name=key_name(workspace, key),
        )
        return read_key(outcome, workspace, outcome.view)

    async def page(
        self, workspace: str, after: str, size: int, wanted: KeyFilter | None = None
    ) -> Page[ApiKey]:
        """Return a page of the keys of a workspace.

        Raises: NotFound for the workspace.
        """
        if wanted is None:
            return await self._page(workspace, Scan("keys"), after, size)
        return await search(partial(self._page, workspace), wanted.parts(), after, size)

    async def unlinked(self, workspace: str, after: str, size: int) -> Page[ApiKey]:
        """Return a page of the keys of a workspace that are linked to no list.

        Raises: NotFound for the workspace.
        """
        return await self._page(workspace, Scan("unlinked"), after, size)

    async def _page(
        self,
        workspace: str,
        scan: Scan,
        after: str,
        size: int,
        accept: Callable[[ApiKey], bool] = lambda _: True,
    ) -> Page[ApiKey]:
        return await self._scripts.page(
            shard_of(workspace),
            lambda outcome, view: read_key(outcome, workspace, view),
            scan,
            accept=accept,
            kind="key",
            workspace=workspace,
            owner=key_names.of("workspace", workspace),
            name=workspace_name(workspace),
            index=key_names.of(scan.index, workspace),
            after=after,
            size=size,
        )

    async def update(
        self, workspace: str, key: str, changes: dict[str, Any], options: WriteOptions
    ) -> WriteResult[ApiKey]:
        """Change attributes.

        Raises: NotFound, Conflict.
        """
        stored = API_KEY.encode(changes)
        if "display_name" in changes:
            stored["folded"] = casefold_name(changes["display_name"])
        outcome = await change_key(self._scripts, "key_update", workspace, key, options, set=stored)
        return outcome.result(read_key(outcome, workspace, outcome.view), options)

    async def set_lists(
        self, workspace: str, key: str, lists: Sequence[str], options: WriteOptions
    ) -> WriteResult[ApiKey]:
        """Replace the links of a key by the ids `lists`.

        Raises: NotFound, Conflict, FailedPrecondition.
        """
        outcome = await change_key(
            self._scripts,
            "key_set_lists",
            workspace,
            key,
            options,
            lists=lists,
            list_names=[list_name(workspace, allow_list) for allow_list in lists],
        )
        return outcome.result(read_key(outcome, workspace, outcome.view), options)

    async def delete(self, workspace: str, key: str, options: WriteOptions) -> WriteResult[ApiKey]:
        """Delete a key and its links.

        Raises: NotFound, Conflict.
        """
        tip = secrets.token_hex(8)
        outcome = await change_key(self._scripts, "key_delete", workspace, key, options, tip=tip)
        if not options.validate_only:
            await self._cleanup.drop_ended(outcome, workspace, key, deleted=tip)
        return outcome.result(read_key(outcome, workspace, outcome.view), options)
