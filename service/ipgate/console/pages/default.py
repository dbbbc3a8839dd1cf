"""API Keys: the panel *Manage default Allow list*."""

from typing import Any

from ipgate_client import CallFailed
from starlette.responses import Response

from ipgate.console import words
from ipgate.console.changes import Change, make
from ipgate.console.page import CONFLICT, THEIRS, Page, errors_of
from ipgate.console.pages.lists import show_listing
from ipgate.domain.names import list_name
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

MAX_CHOICES = 1000
"""Allow lists in the menu."""


async def manage(page: Page) -> Response:
    """Show the panel, and set the default Allow list."""
    workspace = await page.call("GetWorkspace", admin.GetWorkspaceRequest(name=page.parent))
    default = workspace.default_allow_list
    if page.request.method == "GET":
        chosen = page.query("list")
        values = {
            "enabled": "1" if default.enabled or chosen else "",
            "allow_list": list_name(page.workspace, chosen) if chosen else default.allow_list,
            "report_only": "1" if default.report_only else "",
            "etag": workspace.etag,
        }
        return await _panel(page, values)
    entered = {name: page.field(name) for name in ("enabled", "allow_list", "report_only", "etag")}
    if page.is_set("edit"):
        return await _panel(page, entered)
    if not (entered["enabled"] or default.enabled) and entered["allow_list"] != default.allow_list:
        problem = {"enabled": "It is off: switch it on to set the default."}
        return await _panel(page, entered, problem, status=400)
    if entered["enabled"] and not entered["allow_list"]:
        problem = {"allow_list": "Select the Allow list to set as the default."}
        return await _panel(page, entered, problem, status=400)
    request = admin.UpdateDefaultAllowListRequest(
        workspace=page.parent,
        etag=entered["etag"],
        default_allow_list=resources.DefaultAllowList(
            enabled=page.is_set("enabled"),
            allow_list=entered["allow_list"],
            report_only=page.is_set("report_only"),
        ),
    )
    change = Change(
        method="UpdateDefaultAllowList",
        request=request,
        question=await _question(page, entered),
        entered={},
        done="Saved.",
        then=page.url("lists"),
    )
    try:
        return await make(page, change)
    except CallFailed as error:
        problems = errors_of(error, {"default_allow_list.allow_list": "allow_list"})
    if problems.get("") == CONFLICT:
        # With their etag, so that the next one to save decides.
        entered["etag"] = workspace.etag
        return await _panel(page, entered, {"": THEIRS}, status=409, theirs=default)
    return await _panel(page, entered, problems, status=400)


async def _question(page: Page, entered: dict[str, str]) -> str:
    if not entered["enabled"]:
        return "Do without a default Allow list?"
    name = entered["allow_list"]
    title = (await page.titles([name])).get(name, words.identifier(name))
    return f"Set {words.quoted(title)} as the default Allow list?"


async def _panel(
    page: Page,
    values: dict[str, str],
    problems: dict[str, str] | None = None,
    **shown: Any,
) -> Response:
    request = admin.ListAllowListsRequest(parent=page.parent, page_size=MAX_CHOICES)
    listed = await page.call("ListAllowLists", request)
    chosen = values["allow_list"]
    is_listed = not chosen or any(choice.name == chosen for choice in listed.allow_lists)
    return await show_listing(
        page,
        panel="default",
        choices=listed.allow_lists,
        other="" if is_listed else chosen,
        values=values,
        problems=problems or {},
        **shown,
    )
