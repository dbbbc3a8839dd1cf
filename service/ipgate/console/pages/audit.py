"""The audit log of a workspace."""

import json
from typing import Any

from google.protobuf.json_format import MessageToDict
from ipgate_client import CallFailed
from starlette.responses import Response

from ipgate.console.page import Page
from ipgate.v1 import admin_pb2 as admin

PAGE_SIZE = 50


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
    try:
        listed = await page.call("ListAuditEvents", request)
    except CallFailed as error:
        if error.reason != "INVALID_ARGUMENT":
            raise
        listed = admin.ListAuditEventsResponse()
    return page.render(
        "audit.html",
        section="audit",
        events=listed.events,
        next_page=listed.next_page_token,
        filters={name: page.query(name) for name in ("resource", "actor", "method")},
    )


def value(change: Any, side: str) -> str:
    """Return a value of an attribute before or after a change."""
    if not change.HasField(side):
        return "none"
    return json.dumps(MessageToDict(getattr(change, side)), ensure_ascii=False)
