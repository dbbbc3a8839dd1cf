"""API Keys: the tab *IP Allow lists*, and the panels to create and edit a list."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ipgate_client import CallFailed
from starlette.datastructures import UploadFile
from starlette.responses import Response

from ipgate.console import words
from ipgate.console.changes import Asks, Change, make
from ipgate.console.page import CONFLICT, THEIRS, Page, errors_of
from ipgate.console.ranges import BadText, format_ranges, keep_dates, parse_file, parse_text
from ipgate.domain.names import list_name
from ipgate.domain.range_files import FORMATS
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

PAGE_SIZE = 50
EDITABLE = 5000
"""Ranges up to which a list is edited as a text in the page."""

ONE_MESSAGE = 3 << 20
"""Bytes of ranges that are sent in one message; servers take 4 MB unless they are set to take less or more."""

_PART = 5000
"""Ranges of one message of many."""

_FIELDS = {
    "allow_list.display_name": "name",
    "allow_list.description": "description",
    "allow_list.ranges": "ranges",
    "allow_list_id": "id",
    "ranges": "ranges",
}


async def show_all(page: Page) -> Response:
    """List the Allow lists of the workspace."""
    return await show_listing(page)


async def new(page: Page) -> Response:
    """Show the panel *Create a new IP Allow list*, and create it."""
    if page.request.method == "GET" or page.is_set("edit"):
        return await _form(page, "list_new", _values(page))
    if page.is_set("add_own"):
        return await _add_own(page, "list_new")
    try:
        ranges = await _entered(page)
    except BadText as bad:
        return await _bad_text(page, "list_new", bad)
    request = admin.CreateAllowListRequest(
        parent=page.parent,
        allow_list_id=page.field("id"),
        allow_list=resources.AllowList(
            display_name=page.field("name"), description=page.field("description"), ranges=ranges
        ),
    )
    if request.ByteSize() > ONE_MESSAGE:
        text = (
            f"{len(ranges):,} addresses and ranges with their notes are too many for one step. Create the list with some of "
            "them; then upload all of them with Edit."
        )
        return await _form(page, "list_new", _values(page), {"ranges": text})
    change = Change(
        method="CreateAllowList",
        request=request,
        question=f"Create the IP Allow list {words.quoted(page.field('name'))}?",
        entered={"ranges": format_ranges(ranges)},
        done=f"Created {words.quoted(page.field('name'))}.",
        then=page.url("lists"),
        asks=Asks.CONSENT,
    )
    return await _make(page, change, "list_new")


async def edit(page: Page) -> Response:
    """Change the name, description and ranges of an Allow list."""
    allow_list = await get_list(page)
    shown = {"allow_list": allow_list}
    if page.request.method == "GET":
        return await _form(page, "list_edit", await _values_of(page, allow_list), **shown)
    if page.is_set("edit"):
        return await _form(page, "list_edit", _values(page), **shown)
    if page.is_set("add_own"):
        return await _add_own(page, "list_edit", **shown)
    try:
        ranges = await _entered(page)
    except BadText as bad:
        return await _bad_text(page, "list_edit", bad, **shown)
    keeps_ranges = not ranges and allow_list.range_count > EDITABLE
    if not keeps_ranges:
        keep_dates(ranges, await get_ranges(page, allow_list))
    attributes: dict[str, Any] = {
        "display_name": page.field("name"),
        "description": page.field("description"),
    }
    change = Change(
        method="UpdateAllowList",
        request=_update(page, allow_list.name, attributes, None if keeps_ranges else ranges),
        question=f"Change the IP Allow list {words.named(allow_list)}?",
        entered={"ranges": format_ranges(ranges)},
        done="Saved.",
        then=page.url("lists", page.path("list")),
    )
    if change.request.ByteSize() > ONE_MESSAGE:
        if any(getattr(allow_list, name) != value for name, value in attributes.items()):
            text = "These are too many to change them together with the name or the description. Change one after the other."
            return await _form(page, "list_edit", _values(page), {"ranges": text}, **shown)
        first, *rest = _parts(page, allow_list.name, ranges)
        change = replace(change, method="ReplaceRanges", request=first, rest=rest)
    return await _make(page, change, "list_edit", **shown)


def _update(
    page: Page, name: str, attributes: Mapping[str, Any], ranges: Sequence[Any] | None
) -> admin.UpdateAllowListRequest:
    request = admin.UpdateAllowListRequest(
        allow_list=resources.AllowList(
            name=name, etag=page.field("etag"), ranges=ranges, **attributes
        )
    )
    request.update_mask.paths.extend(attributes)
    if ranges is not None:
        request.update_mask.paths.append("ranges")
    return request


def _parts(
    page: Page, name: str, ranges: Sequence[resources.Range]
) -> list[admin.ReplaceRangesRequest]:
    """Return the messages that replace the ranges of a large list."""
    parts = [
        admin.ReplaceRangesRequest(ranges=ranges[first : first + _PART])
        for first in range(0, len(ranges), _PART)
    ]
    parts[0].allow_list, parts[0].etag = name, page.field("etag")
    return parts


async def _make(page: Page, change: Change, panel: str, **shown: Any) -> Response:
    """Make a change, and show what is wrong with the form in its panel."""
    try:
        return await make(page, change)
    except CallFailed as error:
        problems = errors_of(error, _FIELDS)
    if problems.get("") == CONFLICT and panel == "list_edit":
        # With their etag, so that the next one to save decides.
        theirs = await _values_of(page, shown["allow_list"])
        values = _values(page) | {"etag": theirs["etag"]}
        return await _form(page, panel, values, {"": THEIRS}, status=409, theirs=theirs, **shown)
    return await _form(page, panel, _values(page), problems, **shown)


async def _form(
    page: Page,
    panel: str,
    values: dict[str, str],
    problems: Mapping[str, str] | None = None,
    *,
    status: int = 0,
    **shown: Any,
) -> Response:
    return await show_listing(
        page,
        panel=panel,
        status=status or (400 if problems else 200),
        values=values,
        problems=problems or {},
        **shown,
    )


async def _bad_text(page: Page, panel: str, bad: BadText, **shown: Any) -> Response:
    problems = {"ranges": bad.summary()}
    return await _form(page, panel, _values(page), problems, bad_lines=bad.lines, **shown)


async def _values_of(page: Page, allow_list: Any) -> dict[str, str]:
    """Return what the form of a list has; the ranges of a large list are not edited as a text."""
    is_editable = allow_list.range_count <= EDITABLE
    ranges = await get_ranges(page, allow_list) if is_editable else []
    return {
        "name": allow_list.display_name,
        "description": allow_list.description,
        "ranges": format_ranges(ranges),
        "etag": allow_list.etag,
    }


async def get_list(page: Page) -> Any:
    """Return the Allow list that the address names.

    Raises: CallFailed.
    """
    name = list_name(page.workspace, page.path("list"))
    return await page.call("GetAllowList", admin.GetAllowListRequest(name=name))


async def get_ranges(page: Page, allow_list: Any) -> list[Any]:
    """Return the ranges of a list, whether the list came with them or not.

    Raises: CallFailed.
    """
    if not allow_list.ranges_omitted:
        return list(allow_list.ranges)
    request = admin.ListRangesRequest(allow_list=allow_list.name)
    pages = page.session.client.pages("ListRanges", request, "ranges")
    return [range_ async for range_ in pages]


async def _entered(page: Page) -> list[resources.Range]:
    """Return the ranges that were entered, and those of an uploaded file after them.

    Raises: BadText.
    """
    text, file = page.field("ranges"), page.form.get("file")
    ranges = await asyncio.to_thread(parse_text, text) if text.strip() else []
    if isinstance(file, UploadFile) and file.filename:
        form = page.field("format")
        ranges += await asyncio.to_thread(
            parse_file,
            await file.read(),
            form=form if form in FORMATS else "auto",
            column=page.field("column").strip(),
            note_column=page.field("note_column").strip(),
            name=words.visible(file.filename),
        )
    return ranges


async def show_listing(page: Page, *, panel: str = "", status: int = 200, **shown: Any) -> Response:
    """Show a page of the Allow lists, with a panel beside them."""
    request = admin.ListAllowListsRequest(
        parent=page.parent,
        page_size=PAGE_SIZE,
        page_token=page.query("after"),
        query=page.query("q"),
    )
    workspace = await page.call("GetWorkspace", admin.GetWorkspaceRequest(name=page.parent))
    listed = await page.call("ListAllowLists", request)
    titles = shown.pop("titles", {})
    return page.render(
        "lists.html",
        status=status,
        section="lists",
        panel=panel,
        lists=listed.allow_lists,
        total=listed.total_size,
        next_page=listed.next_page_token,
        default=workspace.default_allow_list,
        titles=titles | await page.titles([workspace.default_allow_list.allow_list]),
        q=page.query("q"),
        **{"problems": {}, "values": {}, "bad_lines": []} | shown,
    )


def _values(page: Page) -> dict[str, str]:
    """Return what was entered, except for a file."""
    names = ("id", "name", "description", "ranges", "etag", "format", "column", "note_column")
    return {name: page.field(name) for name in names}


async def _add_own(page: Page, panel: str, **shown: Any) -> Response:
    """Show the form with the address of the person's browser added, in a line of its own.

    What was in a file comes into the text, since a page cannot choose it again.
    """
    values = _values(page)
    if _has_file(page):
        try:
            values["ranges"] = format_ranges(await _entered(page))
        except BadText as bad:
            return await _bad_text(page, panel, bad, **shown)
    text = values["ranges"]
    separator = "" if not text or text.endswith("\n") else "\n"
    values["ranges"] = f"{text}{separator}{page.own_address}\n"
    return await _form(page, panel, values, **shown)


def _has_file(page: Page) -> bool:
    file = page.form.get("file")
    return isinstance(file, UploadFile) and bool(file.filename)
