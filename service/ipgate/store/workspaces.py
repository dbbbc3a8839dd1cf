"""Workspaces in the store."""

import asyncio
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from ipgate.domain.names import list_name, workspace_name
from ipgate.domain.resources import Page, Workspace
from ipgate.domain.shards import SHARDS, shard_of
from ipgate.domain.writing import WriteOptions, WriteResult
from ipgate.store import key_names
from ipgate.store.broken import reading
from ipgate.store.schema import WORKSPACE
from ipgate.store.scripts import Outcome, Scripts


@dataclass(frozen=True, slots=True)
class WorkspaceStore:
    """Every method raises Unavailable when the store cannot be used."""

    scripts: Scripts

    async def create(self, workspace: Workspace, options: WriteOptions) -> WriteResult[Workspace]:
        """Store a new workspace.

        Raises: AlreadyExists.
        """
        outcome = await self.scripts.change(
            "workspace_create",
            shard_of(workspace.id),
            options,
            WORKSPACE,
            workspace=workspace.id,
            name=workspace_name(workspace.id),
            fields=WORKSPACE.encode_resource(workspace),
        )
        if not options.validate_only:
            workspace = read_workspace(outcome, outcome.view)
        return outcome.result(workspace, options)

    async def get(self, workspace: str) -> Workspace:
        """Return a workspace.

        Raises: NotFound.
        """
        outcome = await self.scripts.read(
            "get",
            shard_of(workspace),
            kind="workspace",
            id=workspace,
            key=key_names.of("workspace", workspace),
            name=workspace_name(workspace),
        )
        return read_workspace(outcome, outcome.view)

    async def page(self, after: str, size: int) -> Page[Workspace]:
        """Return the workspaces of all shards in the order of their ids."""
        outcomes = await asyncio.gather(
            *(
                self.scripts.read(
                    "page",
                    shard,
                    kind="workspace",
                    index=key_names.of_shard("workspaces", shard),
                    low=f"({after}" if after else "-",
                    high="+",
                    size=size,
                )
                for shard in range(SHARDS)
            )
        )
        views = [
            (view["id"], outcome, view)
            for outcome in outcomes
            for view in outcome.view["items"] or ()
        ]
        views.sort(key=itemgetter(0))
        more = len(views) > size or any(outcome.view["more"] for outcome in outcomes)
        items = tuple(read_workspace(outcome, view) for _, outcome, view in views[:size])
        return Page(items, items[-1].id if more else "")

    async def update(
        self, workspace: str, changes: dict[str, Any], options: WriteOptions
    ) -> WriteResult[Workspace]:
        """Change attributes.

        Raises: NotFound, also for a default list, and Conflict.
        """
        default = changes.get("default_list")
        outcome = await self.scripts.change(
            "workspace_update",
            shard_of(workspace),
            options,
            WORKSPACE,
            workspace=workspace,
            name=workspace_name(workspace),
            default_name=list_name(workspace, default) if default else None,
            set=WORKSPACE.encode(changes),
        )
        return outcome.result(read_workspace(outcome, outcome.view), options)

    async def delete(self, workspace: str, options: WriteOptions) -> WriteResult[Workspace]:
        """Delete a workspace that is empty.

        Raises: NotFound, Conflict, FailedPrecondition.
        """
        outcome = await self.scripts.change(
            "workspace_delete",
            shard_of(workspace),
            options,
            WORKSPACE,
            workspace=workspace,
            name=workspace_name(workspace),
        )
        return outcome.result(read_workspace(outcome, outcome.view), options)


def read_workspace(outcome: Outcome, view: Any) -> Workspace:
    fields = view["fields"]
    with reading(workspace_name(view["id"])):
        return Workspace(
            id=view["id"],
            meta=outcome.meta(fields),
            **WORKSPACE.decode(fields),
        )
