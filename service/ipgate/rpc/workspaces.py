"""AdminService: the methods about workspaces."""

from dataclasses import dataclass
from typing import Any

from ipgate import cooperative
from ipgate.admin.workspaces import Workspaces
from ipgate.domain.errors import InvalidArgument
from ipgate.domain.names import ALLOW_LISTS, parse_sibling, parse_workspace
from ipgate.domain.resources import Workspace
from ipgate.domain.writing import WriteOptions, WriteResult
from ipgate.rpc.call_info import CallInfo
from ipgate.rpc.convert import all_in_steps, changes_in, workspace_in, workspace_out
from ipgate.rpc.paging import page_size, page_token, parse_page_token
from ipgate.rpc.writing import change_out
from ipgate.store.workspaces import WorkspaceStore
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources


@dataclass(frozen=True, slots=True)
class WorkspaceServicer:
    workspaces: Workspaces
    store: WorkspaceStore

    async def CreateWorkspace(
        self, request: admin.CreateWorkspaceRequest, options: WriteOptions
    ) -> admin.CreateWorkspaceResponse:
        workspace = workspace_in(request.workspace, request.workspace_id)
        result = await self.workspaces.create(workspace, options)
        return admin.CreateWorkspaceResponse(**_changed(result))

    async def GetWorkspace(
        self, request: admin.GetWorkspaceRequest, _info: CallInfo
    ) -> resources.Workspace:
        return workspace_out(await self.store.get(parse_workspace("name", request.name)))

    async def ListWorkspaces(
        self, request: admin.ListWorkspacesRequest, info: CallInfo
    ) -> admin.ListWorkspacesResponse:
        listing = "workspaces"
        page = await self.workspaces.page(
            parse_page_token(listing, request.page_token),
            page_size(request.page_size),
            confined_to=info.caller.workspace,
        )
        return admin.ListWorkspacesResponse(
            workspaces=await cooperative.run(all_in_steps(page.items, workspace_out)),
            next_page_token=page_token(listing, page.next_after),
        )

    async def UpdateWorkspace(
        self, request: admin.UpdateWorkspaceRequest, options: WriteOptions
    ) -> admin.UpdateWorkspaceResponse:
        result = await self.workspaces.update(
            parse_workspace("workspace.name", request.workspace.name),
            changes_in("workspace", request.workspace, request.update_mask),
            options,
        )
        return admin.UpdateWorkspaceResponse(**_changed(result))

    async def UpdateDefaultAllowList(
        self, request: admin.UpdateDefaultAllowListRequest, options: WriteOptions
    ) -> admin.UpdateDefaultAllowListResponse:
        workspace = parse_workspace("workspace", request.workspace)
        if not request.HasField("default_allow_list"):
            raise InvalidArgument.of("default_allow_list", "is required; give the new default")
        default = request.default_allow_list
        result = await self.workspaces.update_default(
            workspace,
            options,
            enabled=default.enabled,
            allow_list=_list_of(workspace, default.allow_list),
            report_only=default.report_only,
        )
        return admin.UpdateDefaultAllowListResponse(**_changed(result))

    async def DeleteWorkspace(
        self, request: admin.DeleteWorkspaceRequest, options: WriteOptions
    ) -> admin.DeleteWorkspaceResponse:
        result = await self.workspaces.delete(parse_workspace("name", request.name), options)
        return admin.DeleteWorkspaceResponse(**_changed(result))


def _changed(result: WriteResult[Workspace]) -> dict[str, Any]:
    """Return the fields of the response to a change of a workspace."""
    return {"workspace": workspace_out(result.resource), **change_out(result, result.resource.id)}


def _list_of(workspace: str, name: str) -> str:
    """Return the id of a list of that workspace, "" for none.

    Raises: InvalidArgument for another's.
    """
    if not name:
        return ""
    return parse_sibling("default_allow_list.allow_list", name, ALLOW_LISTS, workspace)
