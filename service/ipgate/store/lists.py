"""Allow lists and links in the store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ipgate.domain.names import list_name, workspace_name
from ipgate.domain.resources import AllowList, ApiKey, Page
from ipgate.domain.shards import shard_of
from ipgate.domain.text_validation import casefold_name
from ipgate.domain.writing import WriteOptions, WriteResult
from ipgate.store import key_names
from ipgate.store.attribute_indexes import Scan
from ipgate.store.broken import reading
from ipgate.store.key_scripts import read_key
from ipgate.store.range_changes import RangeChange
from ipgate.store.schema import ALLOW_LIST
from ipgate.store.scripts import Outcome, Scripts
from ipgate.store.search import by_prefix, search

MAX_UNLINKED = 50_000
"""Maximum of keys that a forced deletion unlinks: it is one script, which blocks the store."""


@dataclass(frozen=True, slots=True)
class ListStore:
    """Every method raises Unavailable when the store cannot be used."""

    scripts: Scripts

    async def create(
        self, allow_list: AllowList, ranges: RangeChange, options: WriteOptions, *, limit: int
    ) -> WriteResult[AllowList]:
        """`limit`: lists of a workspace.

        Raises: NotFound for the workspace, AlreadyExists, LimitExceeded; StagingLost, to be tried again.
        """
        outcome = await self._change(
            "list_create",
            allow_list.workspace,
            allow_list.id,
            options,
            parent=workspace_name(allow_list.workspace),
            fields=ALLOW_LIST.encode_resource(allow_list)
            | {"folded": casefold_name(allow_list.display_name)},
            limit=limit,
            **ranges.arguments(),
        )
        if not options.validate_only:
            allow_list = read_list(outcome, allow_list.workspace, outcome.view)
        return outcome.result(allow_list, options)

    async def get(self, workspace: str, allow_list: str) -> AllowList:
        """Without its ranges.

        Raises: NotFound.
        """
        outcome = await self.scripts.read(
            "get",
            shard_of(workspace),
            kind="list",
            workspace=workspace,
            id=allow_list,
            key=key_names.of("list", workspace, allow_list),
            name=list_name(workspace, allow_list),
        )
        return read_list(outcome, workspace, outcome.view)

    async def page(
        self, workspace: str, after: str, size: int, *, query: str = ""
    ) -> Page[AllowList]:
        """Return lists without their ranges; with a `query`, those whose id or name begins with it.

        Raises: NotFound for the workspace.
        """
        if query:
            return await search(
                partial(self._page, workspace),
                [*by_prefix("lists", "lists-by-name", query)],
                after,
                size,
            )
        return await self._page(workspace, Scan("lists"), after, size)

    async def _page(
        self,
        workspace: str,
        scan: Scan,
        after: str,
        size: int,
        accept: Callable[[AllowList], bool] = lambda _: True,
    ) -> Page[AllowList]:
        return await self.scripts.page(
            shard_of(workspace),
            lambda outcome, view: read_list(outcome, workspace, view),
            scan,
            accept=accept,
            kind="list",
            workspace=workspace,
            owner=key_names.of("workspace", workspace),
            name=workspace_name(workspace),
            index=key_names.of(scan.index, workspace),
            after=after,
            size=size,
        )

    async def update(
        self,
        workspace: str,
        allow_list: str,
        options: WriteOptions,
        *,
        changes: dict[str, Any],
        expected: str | None = None,
        ranges: RangeChange | None = None,
    ) -> WriteResult[AllowList]:
        """Change attributes, and ranges from those that the list had at the etag `expected`.

        Raises: NotFound, Conflict, AlreadyExists; ListChanged if the list has another etag than `expected`, and
        StagingLost: both to be tried again.
        """
        stored = ALLOW_LIST.encode(changes)
        if "display_name" in changes:
            stored["folded"] = casefold_name(changes["display_name"])
        outcome = await self._change(
            "list_update",
            workspace,
            allow_list,
            options,
            set=stored,
            expected=expected,
            **(ranges.arguments() if ranges else {}),
        )
        return outcome.result(read_list(outcome, workspace, outcome.view), options)

    async def delete(
        self, workspace: str, allow_list: str, options: WriteOptions
    ) -> WriteResult[AllowList]:
        """Delete a list and its links.

        Raises: NotFound, Conflict, FailedPrecondition.
        """
        outcome = await self._change(
            "list_delete", workspace, allow_list, options, most=MAX_UNLINKED
        )
        return outcome.result(read_list(outcome, workspace, outcome.view), options)

    async def link(
        self,
        workspace: str,
        allow_list: str,
        api_keys: Sequence[str],
        options: WriteOptions,
        *,
        link: bool,
        limit: int,
    ) -> WriteResult[AllowList]:
        """Link or unlink keys by their ids.

        Raises: NotFound, LimitExceeded, FailedPrecondition.
        """
        outcome = await self._change(
            "link",
            workspace,
            allow_list,
            options,
            parent=workspace_name(workspace),
            ids=list(api_keys),
            link=link,
            limit=limit,
        )
        return outcome.result(read_list(outcome, workspace, outcome.view), options)

    async def linked(self, workspace: str, allow_list: str, after: str, size: int) -> Page[ApiKey]:
        """Return a page of the keys that are linked to a list.

        Raises: NotFound for the list.
        """
        return await self.scripts.page(
            shard_of(workspace),
            lambda outcome, view: read_key(outcome, workspace, view),
            Scan("list-keys"),
            kind="key",
            workspace=workspace,
            owner=key_names.of("list", workspace, allow_list),
            name=list_name(workspace, allow_list),
            index=key_names.of("list-keys", workspace, allow_list),
            after=after,
            size=size,
        )

    async def _change(
        self,
        script: str,
        workspace: str,
        allow_list: str,
        options: WriteOptions,
        **args: Any,
    ) -> Outcome:
        return await self.scripts.change(
            script,
            shard_of(workspace),
            options,
            ALLOW_LIST,
            workspace=workspace,
            id=allow_list,
            name=list_name(workspace, allow_list),
            **args,
        )


def read_list(outcome: Outcome, workspace: str, view: Any) -> AllowList:
    fields = view["fields"]
    with reading(list_name(workspace, view["id"])):
        return AllowList(
            workspace=workspace,
            id=view["id"],
            ranges_omitted=True,
            range_count=view["range_count"],
            linked_api_key_count=view["linked"],
            meta=outcome.meta(fields),
            **ALLOW_LIST.decode(fields),
        )
