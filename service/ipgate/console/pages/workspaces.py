"""Workspaces, for root; everybody else has one."""

from ipgate_client import CallFailed
from starlette.responses import Response

from ipgate.console.page import Page, errors_of
from ipgate.domain.names import workspace_name
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

PAGE_SIZE = 50


async def first(page: Page) -> Response:
    """Go to the API keys of the person's workspace, or to the list of workspaces."""
    workspace = page.session.person.workspace
    return page.go(f"/w/{workspace}/keys" if workspace else "/workspaces")


async def show_all(page: Page) -> Response:
    """List the workspaces, and create one."""
    if page.session.person.workspace:
        return await first(page)
    if page.request.method == "GET":
        return await _listing(page)
    request = admin.CreateWorkspaceRequest(
        workspace_id=page.field("id"),
        workspace=resources.Workspace(display_name=page.field("name")),
    )
    try:
        created = await page.call("CreateWorkspace", request)
    except CallFailed as error:
        names = {"workspace_id": "id", "workspace.display_name": "name"}
        return await _listing(page, errors_of(error, names), 400)
    return page.go(f"/w/{created.workspace.name.removeprefix(workspace_name(''))}/keys")


async def _listing(
    page: Page, problems: dict[str, str] | None = None, status: int = 200
) -> Response:
    listed = await page.call(
        "ListWorkspaces",
        admin.ListWorkspacesRequest(page_size=PAGE_SIZE, page_token=page.query("after")),
    )
    return page.render(
        "workspaces.html",
        status=status,
        section="workspaces",
        workspaces=listed.workspaces,
        next_page=listed.next_page_token,
        problems=problems or {},
        values={name: page.field(name) for name in ("id", "name")},
    )
