"""The audit log of a workspace."""

from urllib.parse import urlencode

from ipgate_client import CallFailed
from starlette.responses import Response

from ipgate.console.dates import parse_day
from ipgate.console.page import Page, errors_of
from ipgate.v1 import admin_pb2 as admin

PAGE_SIZE = 50

_CHANGING = (
    "Add", "Create", "Delete", "Link", "Remove", "Replace", "Revoke", "Rotate", "Set", "Unlink", "Update",
)  # fmt: skip

_METHODS = sorted(
    method.name
    for method in admin.DESCRIPTOR.services_by_name["AdminService"].methods
    if method.name.startswith(_CHANGING)
)
"""The methods that make changes."""

_FIELDS = {
    "resource": "resource",
    "actor": "actor",
    "method": "method",
    "start_time": "since",
    "end_time": "until",
}


async def show(page: Page) -> Response:
    """Show a page of the events, the latest first."""
    request = admin.ListAuditEventsRequest(
        parent=page.parent,
        page_size=PAGE_SIZE,
        page_token=page.query("after"),
        resource=page.query("resource"),
        actor=page.query("actor"),
        method=page.query("method"),
    )
    filters = {name: page.query(name) for name in ("resource", "actor", "method", "since", "until")}
    problems: dict[str, str] = {}
    for name, field in (("since", request.start_time), ("until", request.end_time)):
        instant, problem = parse_day(filters[name])
        if problem:
            problems[name] = problem
        if instant is not None:
            field.CopyFrom(instant)
    try:
        listed = await page.call("ListAuditEvents", request)
    except CallFailed as error:
        if error.reason != "INVALID_ARGUMENT":
            raise
        problems |= errors_of(error, _FIELDS)
        listed = admin.ListAuditEventsResponse()
    return page.render(
        "audit.html",
        section="audit",
        events=listed.events,
        next_page=listed.next_page_token,
        titles=await page.titles(event.resource for event in listed.events),
        filters=filters,
        methods=_METHODS,
        problems=problems,
        addresses=urlencode({name: value for name, value in filters.items() if value}),
    )
