"""Workspaces in the store."""

import asyncio
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from ipgate.domain.names import list_name, workspace_name
from ipgate.domain.resources import Page, Workspace
from ipgate.domain.shards import SHARDS, shard_of
from ipgate.domain.writing import WriteOptions, WriteResult
from ipgate.store.broken import reading
from ipgate.store.key_names import shard_prefix
from ipgate.store.scripts import Outcome, Scripts


@dataclass(frozen=True, slots=True)
class WorkspaceStore:
    """Every method raises Unavailable when the store cannot be used."""

    scripts: Scripts

    async def create(self, workspace: Workspace, options: WriteOptions) -> WriteResult[Workspace]:
        """Raises AlreadyExists."""
        outcome = await self.scripts.change(
            "workspace_create",
            shard_of(workspace.id),
            options,
            workspace=workspace.id,
            name=workspace_name(workspace.id),
            display_name=workspace.display_name,
            require=_flag(workspace.require_allow_list),
        )
        if not options.validate_only:
            workspace = read_workspace(outcome, outcome.view)
        return outcome.result(workspace, options)

    async def get(self, workspace: str) -> Workspace:
        """Raises NotFound."""
        shard = shard_of(workspace)
        outcome = await self.scripts.read(
            "get",
            shard,
            kind="workspace",
            id=workspace,
            key=f"{shard_prefix(shard)}ws:{workspace}",
            name=workspace_name(workspace),
        )
        return read_workspace(outcome, outcome.view)

    async def page(self, after: str, size: int) -> Page[Workspace]:
        """The workspaces of all shards in the order of their ids."""
        outcomes = await asyncio.gather(
            *(
                self.scripts.read(
                    "page",
                    shard,
                    kind="workspace",
                    index=shard_prefix(shard) + "workspaces",
                    after=after,
                    size=size,
                )
                for shard in range(SHARDS)
            )
        )
        views = [
            (view["id"], outcome, view) for outcome in outcomes for view in outcome.view["items"]
        ]
        views.sort(key=itemgetter(0))
        more = len(views) > size or any(outcome.view["more"] for outcome in outcomes)
        found = tuple(read_workspace(outcome, view) for _, outcome, view in views[:size])
        return Page(found, found[-1].id if more else "")

    async def update(
        self,
        workspace: str,
        options: WriteOptions,
        *,
        display_name: str | None = None,
        require_allow_list: bool | None = None,
        default: tuple[bool, str] | None = None,
    ) -> WriteResult[Workspace]:
        """Changes what is given; `default` is on or off, and a list's id. Raises NotFound, Conflict."""
        changes: dict[str, str | None] = {
            "display_name": display_name,
            "require": None if require_allow_list is None else _flag(require_allow_list),
        }
        if default is not None:
            changes |= {"default_on": _flag(default[0]), "default": default[1]}
        outcome = await self.scripts.change(
            "workspace_update",
            shard_of(workspace),
            options,
            workspace=workspace,
            name=workspace_name(workspace),
            default_name=list_name(workspace, default[1]) if default else None,
            set={field: value for field, value in changes.items() if value is not None},
        )
        return outcome.result(read_workspace(outcome, outcome.view), options)

    async def delete(self, workspace: str, options: WriteOptions) -> WriteResult[Workspace]:
        """Raises NotFound, Conflict, FailedPrecondition."""
        outcome = await self.scripts.change(
            "workspace_delete",
            shard_of(workspace),
            options,
            workspace=workspace,
            name=workspace_name(workspace),
        )
        return outcome.result(read_workspace(outcome, outcome.view), options)


def read_workspace(outcome: Outcome, view: Any) -> Workspace:
    fields = view["fields"]
    with reading(workspace_name(view["id"])):
        return Workspace(
            id=view["id"],
            display_name=fields["display_name"],
            require_allow_list=fields["require"] == "1",
            default_enabled=fields["default_on"] == "1",
            default_list=fields["default"],
            stamps=outcome.stamps(fields),
        )


def _flag(value: bool) -> str:
    return "1" if value else "0"
