"""One range of an Allow list: its note, its dates, and whether it is off."""

from typing import Any

from ipgate_client import CallFailed
from starlette.responses import Response

from ipgate.console import words
from ipgate.console.changes import Change, make
from ipgate.console.dates import parse_day
from ipgate.console.page import Page, errors_of
from ipgate.domain.names import list_name
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

_ATTRIBUTES = ("note", "start_time", "expire_time", "disabled")


async def edit(page: Page) -> Response:
    """Show a range of an Allow list, and change its attributes."""
    name = list_name(page.workspace, page.path("list"))
    allow_list = await page.call("GetAllowList", admin.GetAllowListRequest(name=name))
    cidr = page.query("range") or page.field("range")
    if page.request.method == "GET":
        range_ = await _find(page, allow_list, cidr)
        if range_ is None:
            return page.render("missing.html", status=404)
        return _show(page, allow_list, cidr, _values_of(range_))
    values = {name: page.field(name) for name in ("note", "starts", "expires", "disabled", "etag")}
    if page.is_set("edit"):
        return _show(page, allow_list, cidr, values)
    problems: dict[str, str] = {}
    starts, problem = parse_day(values["starts"])
    problems |= {"starts": problem} if problem else {}
    expires, problem = parse_day(values["expires"])
    problems |= {"expires": problem} if problem else {}
    if problems:
        return _show(page, allow_list, cidr, values, problems)
    request = admin.UpdateRangesRequest(
        allow_list=allow_list.name,
        ranges=[
            resources.Range(
                cidr=cidr,
                note=values["note"],
                start_time=starts,
                expire_time=expires,
                disabled=bool(values["disabled"]),
            )
        ],
        etag=values["etag"],
    )
    request.update_mask.paths.extend(_ATTRIBUTES)
    change = Change(
        method="UpdateRanges",
        request=request,
        question=f"Change {words.visible(cidr)}?",
        entered={},
        done="Saved.",
        then=page.url("lists", page.path("list")),
    )
    try:
        return await make(page, change)
    except CallFailed as error:
        return _show(page, allow_list, cidr, values, errors_of(error, {}))


def _show(
    page: Page,
    allow_list: Any,
    cidr: str,
    values: dict[str, str],
    problems: dict[str, str] | None = None,
) -> Response:
    return page.render(
        "range.html",
        status=400 if problems else 200,
        section="lists",
        allow_list=allow_list,
        cidr=cidr,
        values={"etag": allow_list.etag} | values,
        problems=problems or {},
    )


async def _find(page: Page, allow_list: Any, cidr: str) -> Any:
    """Return a range of a list, None if the list does not have it."""
    if not allow_list.ranges_omitted:
        return next((range_ for range_ in allow_list.ranges if range_.cidr == cidr), None)
    request = admin.ListRangesRequest(allow_list=allow_list.name)
    async for range_ in page.session.client.pages("ListRanges", request, "ranges"):
        if range_.cidr == cidr:
            return range_
    return None


def _values_of(range_: Any) -> dict[str, str]:
    return {
        "note": range_.note,
        "starts": words.day(range_.start_time) if range_.HasField("start_time") else "",
        "expires": words.day(range_.expire_time) if range_.HasField("expire_time") else "",
        "disabled": "1" if range_.disabled else "",
    }
