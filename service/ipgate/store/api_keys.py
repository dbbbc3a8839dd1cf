"""API keys in the store, and the index that leads from a credential's digest to its key.

The index lies outside the shard, so creating and deleting a key take several steps. Their order makes a crash
in between harmless: a key becomes visible only with its index entry in place, and is deleted permanently before
its index entry is. An entry names the creation that wrote it, so entries are never confused. An entry that leads
to no live key decides nothing, and is replaced when the digest is registered again.
"""

import logging
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

from ipgate.domain.errors import AlreadyExists, Conflict, LimitExceeded, NotFound, Unavailable
from ipgate.domain.names import key_name, list_name, workspace_name
from ipgate.domain.resources import Access, ApiKey, Page
from ipgate.domain.shards import shard_of
from ipgate.domain.text_validation import casefold_name
from ipgate.domain.writing import MAINTENANCE, WriteOptions, WriteResult
from ipgate.store import key_names
from ipgate.store.attribute_indexes import Scan, expired
from ipgate.store.broken import reading
from ipgate.store.connection import unavailable
from ipgate.store.schema import API_KEY, WORKSPACE
from ipgate.store.scripts import Outcome, Scripts
from ipgate.store.search import Part, by_prefix, search
from ipgate.store.topology import FAULTS

log = logging.getLogger(__name__)

_REPLACE = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[2] then return 0 end
if ARGV[3] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[3]) end
return 1
"""


class KeyState(Enum):
    """What an API key is, whatever its lists are; one that is disabled and has expired is both."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFilter:
    """`query`: a prefix of the id or display name, "" for any. `access`, `state`: None for any. `now`: ns since 1970."""

    query: str = ""
    access: Access | None = None
    state: KeyState | None = None
    now: int

    def accepts(self, key: ApiKey) -> bool:
        if self.access not in (None, key.access):
            return False
        has_expired = key.expire_time is not None and key.expire_time <= self.now
        match self.state:
            case KeyState.ENABLED:
                return not key.disabled and not has_expired
            case KeyState.DISABLED:
                return key.disabled
            case KeyState.EXPIRED:
                return has_expired
        return True

    def _accepts_too(self, accept: Callable[[ApiKey], bool], key: ApiKey) -> bool:
        return accept(key) and self.accepts(key)

    def parts(self) -> list[Part[ApiKey]]:
        """Return the parts of indexes to search: the smallest ones that have all such keys."""
        if self.query:
            parts = by_prefix("keys", "keys-by-name", self.query)
            return [(scan, partial(self._accepts_too, accept)) for scan, accept in parts]
        scan = Scan("keys")
        if self.state is KeyState.DISABLED:
            scan = Scan("disabled-keys")
        elif self.state is KeyState.EXPIRED:
            scan = expired(self.now)
        elif self.access not in (None, Access.LISTS):
            scan = Scan("unlinked")
        return [(scan, self.accepts)]


@dataclass(frozen=True, slots=True)
class ApiKeyStore:
    """Every method raises Unavailable when the store cannot be used."""

    scripts: Scripts

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
        outcome = await self._change("key_reserve", key.workspace, key.id, options, **reservation)
        if options.validate_only:
            await self._check_free(digest)
            return outcome.result(key, options)
        try:
            await self._claim(digest, f"{key.workspace}/{key.id}/{reservation['tip']}")
            outcome = await self._change(
                "key_activate",
                key.workspace,
                key.id,
                options,
                fields=API_KEY.encode_resource(key) | {"folded": casefold_name(key.display_name)},
                **reservation,
            )
        except (AlreadyExists, Conflict, LimitExceeded, NotFound):
            with suppress(Unavailable):
                await self.abandon(
                    key.workspace, key.id, digest=digest, reserved=reservation["tip"], mine=True
                )
            raise
        return outcome.result(read_key(outcome, key.workspace, outcome.view), options)

    async def get(self, workspace: str, key: str) -> ApiKey:
        """Return a key.

        Raises: NotFound.
        """
        outcome = await self.scripts.read(
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
        return await self.scripts.page(
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
        outcome = await self._change("key_update", workspace, key, options, set=stored)
        return outcome.result(read_key(outcome, workspace, outcome.view), options)

    async def set_lists(
        self, workspace: str, key: str, lists: Sequence[str], options: WriteOptions
    ) -> WriteResult[ApiKey]:
        """Replace the links of a key by the ids `lists`.

        Raises: NotFound, Conflict, FailedPrecondition.
        """
        outcome = await self._change(
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
        outcome = await self._change("key_delete", workspace, key, options, tip=tip)
        if not options.validate_only:
            entry = f"{workspace}/{key}/{outcome.view['indexed']}"
            try:
                await self._replace(outcome.view["digest"], entry, "")
                await self._change("key_forget", workspace, key, deleted=tip)
            except Unavailable:
                # The key is deleted, and what is left decides nothing: `ipgate doctor` removes it.
                log.warning("clean-up after a deletion failed api_key=%s", key_name(workspace, key))
        return outcome.result(read_key(outcome, workspace, outcome.view), options)

    async def drop_entry(self, digest: str, entry: str) -> None:
        """Remove an index entry that leads to no key.

        Raises: AlreadyExists if one stands behind it.
        """
        if entry.count("/") != 2 or await self._check_free(digest) == entry:
            await self._replace(digest, entry, "")

    async def restore_entry(self, key: ApiKey, digest: str, indexed: str) -> None:
        """Put the index entry of a live key back, the creation `indexed` of which is given.

        Raises: AlreadyExists if another key has the digest.
        """
        entry = f"{key.workspace}/{key.id}/{indexed}"
        await self._claim(digest, entry)
        outcome = await self._change(
            "key_announce", key.workspace, key.id, indexed=indexed, digest=digest
        )
        if not outcome.view["live"]:
            await self._replace(digest, entry, "")

    async def abandon(
        self, workspace: str, key: str, *, digest: str, reserved: str, mine: bool = False
    ) -> None:
        """Undo an interrupted or rejected creation.

        `mine`: it is the caller's own, and need not be old.
        """
        await self._replace(digest, f"{workspace}/{key}/{reserved}", "")
        await self._change("key_abandon", workspace, key, reserved=reserved, mine=mine)

    async def forget(self, workspace: str, key: str, *, digest: str, deleted: str) -> None:
        """Complete an interrupted deletion."""
        try:
            former = await self._check_free(digest)
        except AlreadyExists:
            former = None  # the credential was registered again
        if former is not None:
            await self._replace(digest, former, "")
        await self._change("key_forget", workspace, key, deleted=deleted)

    async def _claim(self, digest: str, entry: str) -> None:
        """Make `entry` the index entry of `digest`.

        Raises: AlreadyExists.
        """
        while True:
            if await self._replace(digest, "", entry):
                return
            former = await self._check_free(digest)
            if former is not None and await self._replace(digest, former, entry):
                return

    async def _check_free(self, digest: str) -> str | None:
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

    async def _replace(self, digest: str, former: str, entry: str) -> bool:
        """Replace the index entry `former` by `entry`, "" for none; False if another one is there."""
        return bool(await self.scripts.write(key_names.digest(digest), _REPLACE, former, entry))

    async def _change(
        self,
        script: str,
        workspace: str,
        key: str,
        options: WriteOptions = MAINTENANCE,
        **args: Any,
    ) -> Outcome:
        return await self.scripts.change(
            script,
            shard_of(workspace),
            options,
            API_KEY,
            workspace=workspace,
            id=key,
            name=key_name(workspace, key),
            **args,
        )


def read_key(outcome: Outcome, workspace: str, view: Any) -> ApiKey:
    fields = view["fields"]
    lists = tuple(sorted(view["lists"]))
    with reading(key_name(workspace, view["id"])):
        return ApiKey(
            workspace=workspace,
            id=view["id"],
            lists=lists,
            access=_access(lists, WORKSPACE.decode(view["workspace"])),
            meta=outcome.meta(fields),
            **API_KEY.decode(fields),
        )


def _access(lists: tuple[str, ...], workspace: dict[str, Any]) -> Access:
    if lists:
        return Access.LISTS
    if workspace["default_enabled"]:
        return Access.DEFAULT
    return Access.CLOSED if workspace["require_allow_list"] else Access.UNRESTRICTED
