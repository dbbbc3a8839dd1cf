"""API Keys: the panel *Manage default Allow list*."""

from typing import Any

from ipgate_client import CallFailed
from starlette.responses import Response

from ipgate.console.changes import Change, make
from ipgate.console.page import Page, errors_of
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

MAX_CHOICES = 1000
"""Allow lists in the menu."""


async def manage(page: Page) -> Response:
    """Show the panel, and set the default Allow list."""
    workspace = await page.call("GetWorkspace", admin.GetWorkspaceRequest(name=page.parent))
    default = workspace.default_allow_list
    values = {
        "enabled": "1" if default.enabled else "",
        "allow_list": default.allow_list,
        "report_only": "1" if default.report_only else "",
    }
    if page.request.method == "GET":
        return await _panel(page, default, values)
    entered = {name: page.field(name) for name in values}
    if page.is_set("edit"):
        return await _panel(page, default, entered)
    if entered["enabled"] and not entered["allow_list"]:
        problem = {"allow_list": "Select the Allow list to set as the default."}
        return await _panel(page, default, entered, problem)
    request = admin.UpdateDefaultAllowListRequest(
        workspace=page.parent,
        default_allow_list=resources.DefaultAllowList(
            enabled=page.is_set("enabled"),
            allow_list=entered["allow_list"],
            report_only=page.is_set("report_only"),
        ),
    )
    change = Change(
        method="UpdateDefaultAllowList",
        request=request,
        question="Change the default Allow list?",
        entered={},
        done="Saved.",
        then=page.url("lists"),
    )
    try:
        return await make(page, change)
    except CallFailed as error:
        problems = errors_of(error, {"default_allow_list.allow_list": "allow_list"})
        return await _panel(page, default, entered, problems)


async def _panel(
    page: Page, default: Any, values: dict[str, str], problems: dict[str, str] | None = None
) -> Response:
    request = admin.ListAllowListsRequest(parent=page.parent, page_size=MAX_CHOICES)
    listed = await page.call("ListAllowLists", request)
    return page.render(
        "lists.html",
        status=400 if problems else 200,
        section="lists",
        panel="default",
        lists=listed.allow_lists[:50],
        choices=listed.allow_lists,
        total=listed.total_size,
        next_page="",
        default=default,
        q="",
        values=values,
        problems=problems or {},
    )
