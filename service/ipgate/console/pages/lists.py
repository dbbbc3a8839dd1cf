"""API Keys: the tab *IP Allow lists*, and the panel of one list."""

from typing import Any

from ipgate_client import CallFailed
from starlette.datastructures import UploadFile
from starlette.responses import PlainTextResponse, Response

from ipgate.console import words
from ipgate.console.changes import Change, make
from ipgate.console.page import CONFLICT, Page, errors_of
from ipgate.console.ranges import BadText, format_ranges, keep_dates, parse_file, parse_text
from ipgate.domain.names import list_name
from ipgate.domain.range_files import FORMATS
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

PAGE_SIZE = 50
RANGES_SHOWN = 200
EDITABLE = 5000
"""Ranges up to which a list is edited as a text in the page."""

_FIELDS = {
    "allow_list.display_name": "name",
    "allow_list.description": "description",
    "allow_list.ranges": "ranges",
    "allow_list_id": "id",
    "ranges": "ranges",
}


async def show_all(page: Page) -> Response:
    """List the Allow lists of the workspace."""
    return await _listing(page)


async def new(page: Page) -> Response:
    """Show the panel *Create a new IP Allow list*, and create it."""
    if page.request.method == "GET" or page.is_set("edit"):
        return await _listing(page, panel="list_new", values=_values(page))
    try:
        ranges = await _entered(page)
    except BadText as bad:
        return await _listing(
            page, panel="list_new", status=400, values=_values(page), bad_lines=bad.lines,
            problems={"ranges": bad.summary()},
        )  # fmt: skip
    request = admin.CreateAllowListRequest(
        parent=page.parent,
        allow_list_id=page.field("id"),
        allow_list=resources.AllowList(
            display_name=page.field("name"), description=page.field("description"), ranges=ranges
        ),
    )
    change = Change(
        method="CreateAllowList",
        request=request,
        question=f"Create the IP Allow list {words.visible(page.field('name'))}?",
        entered={"ranges": format_ranges(ranges)},
        done=f"Created {words.visible(page.field('name'))}.",
        then=page.url("lists"),
    )
    return await _make(page, change, "list_new")


async def show(page: Page) -> Response:
    """Show the panel of an Allow list: its ranges, and the API keys that are linked to it."""
    return await _listing(page, panel="list", **await _panel(page))


async def edit(page: Page) -> Response:
    """Change the name, description and ranges of an Allow list."""
    allow_list = await _list(page)
    is_editable = allow_list.range_count <= EDITABLE
    if page.request.method == "GET":
        values = await _values_of(page, allow_list)
        return await _listing(page, panel="list_edit", allow_list=allow_list, values=values)
    if page.is_set("edit"):
        return await _listing(page, panel="list_edit", allow_list=allow_list, values=_values(page))
    request = admin.UpdateAllowListRequest(
        allow_list=resources.AllowList(
            name=allow_list.name,
            display_name=page.field("name"),
            description=page.field("description"),
            etag=page.field("etag"),
        )
    )
    request.update_mask.paths.extend(["display_name", "description"])
    try:
        ranges = await _entered(page)
    except BadText as bad:
        return await _listing(
            page, panel="list_edit", status=400, allow_list=allow_list,
            values=_values(page), bad_lines=bad.lines, problems={"ranges": bad.summary()},
        )  # fmt: skip
    if is_editable or ranges:
        keep_dates(ranges, await _ranges(page, allow_list, allow_list.range_count))
        request.allow_list.ranges.extend(ranges)
        request.update_mask.paths.append("ranges")
    change = Change(
        method="UpdateAllowList",
        request=request,
        question=f"Change the IP Allow list {words.title(allow_list)}?",
        entered={"ranges": format_ranges(ranges)},
        done="Saved.",
        then=page.url("lists", page.path("list")),
    )
    return await _make(page, change, "list_edit", allow_list=allow_list)


async def delete(page: Page) -> Response:
    """Delete an Allow list."""
    allow_list = await _list(page)
    change = Change(
        method="DeleteAllowList",
        request=admin.DeleteAllowListRequest(name=allow_list.name, etag=page.field("etag")),
        question=f"Delete the IP Allow list {words.title(allow_list)}?",
        done=f"Deleted {words.title(allow_list)}.",
        then=page.url("lists"),
        asks=True,
    )
    return await _make(page, change, "list", **await _panel(page))


async def link(page: Page) -> Response:
    """Link the chosen API keys to an Allow list."""
    allow_list = await _list(page)
    request = admin.LinkApiKeysRequest(allow_list=allow_list.name, api_keys=page.fields("api_key"))
    return await _link(page, allow_list, "LinkApiKeys", request, "Linked.")


async def unlink(page: Page) -> Response:
    """Unlink the chosen API keys from an Allow list."""
    allow_list = await _list(page)
    request = admin.UnlinkApiKeysRequest(
        allow_list=allow_list.name, api_keys=page.fields("api_key")
    )
    return await _link(page, allow_list, "UnlinkApiKeys", request, "Unlinked.")


async def download(page: Page) -> Response:
    """Return the ranges of an Allow list as a text file, with their notes."""
    allow_list = await _list(page)
    ranges = await _ranges(page, allow_list, allow_list.range_count)
    name = page.path("list")
    return PlainTextResponse(
        format_ranges(ranges),
        headers={"Content-Disposition": f'attachment; filename="{name}.txt"'},
    )


async def _link(page: Page, allow_list: Any, method: str, request: Any, done: str) -> Response:
    change = Change(
        method=method,
        request=request,
        question=f"Change which API keys the IP Allow list {words.title(allow_list)} applies to?",
        done=done,
        then=page.url("lists", page.path("list")),
    )
    return await _make(page, change, "list", **await _panel(page))


async def _make(page: Page, change: Change, panel: str, **context: Any) -> Response:
    """Make a change, and show what is wrong with the form in its panel."""
    try:
        return await make(page, change)
    except CallFailed as error:
        problems = errors_of(error, _FIELDS)
    if problems.get("") == CONFLICT and panel == "list_edit":
        # With their etag, so that the next one to save decides.
        theirs = await _values_of(page, context["allow_list"])
        return await _listing(
            page,
            panel=panel,
            status=409,
            values=_values(page) | {"etag": theirs["etag"]},
            problems=problems,
            theirs=theirs,
            **context,
        )
    return await _listing(
        page, panel=panel, status=400, values=_values(page), problems=problems, **context
    )


async def _panel(page: Page) -> dict[str, Any]:
    """Return what the panel of an Allow list shows."""
    allow_list = await _list(page)
    ranges = await page.call(
        "ListRanges",
        admin.ListRangesRequest(
            allow_list=allow_list.name, page_size=RANGES_SHOWN, page_token=page.query("ranges")
        ),
    )
    linked = await page.call(
        "ListLinkedApiKeys",
        admin.ListLinkedApiKeysRequest(
            allow_list=allow_list.name, page_size=PAGE_SIZE, page_token=page.query("linked")
        ),
    )
    choices = None
    if page.query("link"):
        found = await page.call(
            "ListApiKeys",
            admin.ListApiKeysRequest(
                parent=page.parent, page_size=PAGE_SIZE, query=page.query("key")
            ),
        )
        choices = [key for key in found.api_keys if allow_list.name not in key.allow_lists]
    return {
        "allow_list": allow_list,
        "ranges": ranges.ranges,
        "next_ranges": ranges.next_page_token,
        "linked": linked.api_keys,
        "next_linked": linked.next_page_token,
        "choices": choices,
        "key_query": page.query("key"),
    }


async def _values_of(page: Page, allow_list: Any) -> dict[str, str]:
    """Return what the form of a list has; the ranges of a large list are not edited as a text."""
    is_editable = allow_list.range_count <= EDITABLE
    ranges = await _ranges(page, allow_list, EDITABLE) if is_editable else []
    return {
        "name": allow_list.display_name,
        "description": allow_list.description,
        "ranges": format_ranges(ranges),
        "etag": allow_list.etag,
    }


async def _list(page: Page) -> Any:
    name = list_name(page.workspace, page.path("list"))
    return await page.call("GetAllowList", admin.GetAllowListRequest(name=name))


async def _ranges(page: Page, allow_list: Any, most: int) -> list[Any]:
    """Return the ranges of a list, whether the list came with them or not."""
    if not allow_list.ranges_omitted:
        return list(allow_list.ranges)
    request = admin.ListRangesRequest(allow_list=allow_list.name)
    ranges: list[Any] = []
    async for range_ in page.session.client.pages("ListRanges", request, "ranges"):
        ranges.append(range_)
        if len(ranges) >= most:
            break
    return ranges


async def _entered(page: Page) -> list[resources.Range]:
    """Return the ranges that were entered, and those of an uploaded file after them.

    Raises: BadText.
    """
    text, file = page.field("ranges"), page.form.get("file")
    ranges = parse_text(text) if text.strip() else []
    if isinstance(file, UploadFile) and file.filename:
        form = page.field("format")
        ranges += parse_file(
            await file.read(),
            form=form if form in FORMATS else "auto",
            column=page.field("column").strip(),
            note_column=page.field("note_column").strip(),
            name=words.visible(file.filename),
        )
    return ranges


async def _listing(page: Page, *, panel: str = "", status: int = 200, **context: Any) -> Response:
    """Show a page of the Allow lists, with a panel beside them."""
    request = admin.ListAllowListsRequest(
        parent=page.parent,
        page_size=PAGE_SIZE,
        page_token=page.query("after"),
        query=page.query("q"),
    )
    workspace = await page.call("GetWorkspace", admin.GetWorkspaceRequest(name=page.parent))
    listed = await page.call("ListAllowLists", request)
    return page.render(
        "lists.html",
        status=status,
        section="lists",
        panel=panel,
        lists=listed.allow_lists,
        total=listed.total_size,
        next_page=listed.next_page_token,
        default=workspace.default_allow_list,
        q=page.query("q"),
        **{"problems": {}, "values": {}, "bad_lines": []} | context,
    )


def _values(page: Page) -> dict[str, str]:
    """Return what was entered, except for a file."""
    return {name: page.field(name) for name in ("id", "name", "description", "ranges", "etag")}
