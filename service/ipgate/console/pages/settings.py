"""The settings of a workspace: its name, IPv6, and what holds for API keys without a list."""

from typing import Any

from ipgate_client import CallFailed
from starlette.responses import Response

from ipgate.console import words
from ipgate.console.changes import Asks, Change, make
from ipgate.console.page import CONFLICT, THEIRS, Page, errors_of
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

_SETTINGS = ("display_name", "require_allow_list", "ipv6_enabled")


async def edit(page: Page) -> Response:
    """Show the settings, and change them."""
    workspace = await page.call("GetWorkspace", admin.GetWorkspaceRequest(name=page.parent))
    if page.request.method == "GET":
        return await _show(page, workspace, _values_of(workspace))
    values = {name: page.field(name) for name in ("name", "require", "ipv6", "etag")}
    if page.is_set("edit"):
        return await _show(page, workspace, values)
    request = admin.UpdateWorkspaceRequest(
        workspace=resources.Workspace(
            name=page.parent,
            display_name=values["name"],
            require_allow_list=bool(values["require"]),
            ipv6_enabled=bool(values["ipv6"]),
            etag=values["etag"],
        )
    )
    request.update_mask.paths.extend(_SETTINGS)
    change = Change(
        method="UpdateWorkspace",
        request=request,
        question="Change the settings of the workspace?",
        entered={},
        done="Saved.",
        then=page.url("settings"),
    )
    try:
        return await make(page, change)
    except CallFailed as error:
        names = {"workspace.display_name": "name", "workspace.ipv6_enabled": "ipv6"}
        problems = errors_of(error, names)
    theirs = None
    if problems.get("") == CONFLICT:
        theirs = _values_of(workspace)
        values["etag"] = theirs["etag"]
        problems = {"": THEIRS}
    return await _show(page, workspace, values, problems, theirs)


async def delete(page: Page) -> Response:
    """Delete the workspace."""
    workspace = await page.call("GetWorkspace", admin.GetWorkspaceRequest(name=page.parent))
    change = Change(
        method="DeleteWorkspace",
        request=admin.DeleteWorkspaceRequest(name=page.parent, etag=page.field("etag")),
        question=f"Delete the workspace {words.named(workspace)}?",
        done=f"Deleted {words.named(workspace)}.",
        then="/workspaces",
        asks=Asks.ALWAYS,
    )
    try:
        return await make(page, change)
    except CallFailed as error:
        return await _show(page, workspace, _values_of(workspace), errors_of(error, {}))


async def _show(
    page: Page,
    workspace: Any,
    values: dict[str, str],
    problems: dict[str, str] | None = None,
    theirs: dict[str, str] | None = None,
) -> Response:
    return page.render(
        "settings.html",
        status=409 if theirs else 400 if problems else 200,
        section="settings",
        settings=workspace,
        values=values,
        problems=problems or {},
        theirs=theirs,
    )


def _values_of(workspace: Any) -> dict[str, str]:
    return {
        "name": workspace.display_name,
        "require": "1" if workspace.require_allow_list else "",
        "ipv6": "1" if workspace.ipv6_enabled else "",
        "etag": workspace.etag,
    }
