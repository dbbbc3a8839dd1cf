"""AdminService: the methods about workspaces."""

from dataclasses import dataclass

from ipgate.admin.workspaces import Workspaces
from ipgate.domain.errors import InvalidArgument, shown
from ipgate.domain.names import ALLOW_LISTS, list_name, parse_child, parse_workspace, workspace_name
from ipgate.domain.resources import Caller, Workspace
from ipgate.rpc.convert import changes_in, workspace_out
from ipgate.rpc.guard import Call
from ipgate.rpc.paging import page_size, page_token, parse_page_token
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources


@dataclass(frozen=True, slots=True)
class WorkspaceServicer:
    workspaces: Workspaces

    async def CreateWorkspace(
        self, request: admin.CreateWorkspaceRequest, _caller: Caller, _call: Call
    ) -> resources.Workspace:
        given = request.workspace
        workspace = Workspace(
            id=request.workspace_id,
            display_name=given.display_name,
            require_allow_list=given.require_allow_list,
            default_enabled=given.default_allow_list.enabled,
            default_list=given.default_allow_list.allow_list,
        )
        return workspace_out(
            await self.workspaces.create(workspace, validate_only=request.validate_only)
        )

    async def GetWorkspace(
        self, request: admin.GetWorkspaceRequest, _caller: Caller, _call: Call
    ) -> resources.Workspace:
        return workspace_out(await self.workspaces.get(parse_workspace("name", request.name)))

    async def ListWorkspaces(
        self, request: admin.ListWorkspacesRequest, caller: Caller, _call: Call
    ) -> admin.ListWorkspacesResponse:
        listing = "workspaces"
        page = await self.workspaces.page(
            parse_page_token(listing, request.page_token),
            page_size(request.page_size),
            confined_to=caller.workspace,
        )
        return admin.ListWorkspacesResponse(
            workspaces=map(workspace_out, page.items),
            next_page_token=page_token(listing, page.next_after),
        )

    async def UpdateWorkspace(
        self, request: admin.UpdateWorkspaceRequest, _caller: Caller, _call: Call
    ) -> resources.Workspace:
        given = request.workspace
        permitted = ("display_name", "require_allow_list")
        updated = await self.workspaces.update(
            parse_workspace("workspace.name", given.name),
            changes_in("workspace", given, request.update_mask, permitted),
            etag=given.etag,
            validate_only=request.validate_only,
        )
        return workspace_out(updated)

    async def UpdateDefaultAllowList(
        self, request: admin.UpdateDefaultAllowListRequest, _caller: Caller, _call: Call
    ) -> resources.Workspace:
        workspace = parse_workspace("workspace", request.workspace)
        if not request.HasField("default_allow_list"):
            raise InvalidArgument.of("default_allow_list", "is required; give the new default")
        default = request.default_allow_list
        updated = await self.workspaces.update_default(
            workspace,
            enabled=default.enabled,
            allow_list=_list_of(workspace, default.allow_list),
            etag=request.etag,
            validate_only=request.validate_only,
        )
        return workspace_out(updated)

    async def DeleteWorkspace(
        self, request: admin.DeleteWorkspaceRequest, _caller: Caller, _call: Call
    ) -> admin.DeleteWorkspaceResponse:
        revision = await self.workspaces.delete(
            parse_workspace("name", request.name),
            etag=request.etag,
            validate_only=request.validate_only,
        )
        return admin.DeleteWorkspaceResponse(revision=revision)


def _list_of(workspace: str, name: str) -> str:
    """The id of a list of that workspace, "" for none. Raises InvalidArgument for another's."""
    if not name:
        return ""
    field = "default_allow_list.allow_list"
    found = parse_child(field, name, ALLOW_LISTS)
    if found.workspace != workspace:
        text = f"{shown(name)} is not in {workspace_name(workspace)}"
        raise InvalidArgument.of(field, f"{text}; use {list_name(workspace, '{id}')}")
    return found.id
