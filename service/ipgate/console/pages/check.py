"""Checks an address: which Allow lists have it, and what is decided for it."""

import asyncio
from typing import Any

from ipgate_client import CallFailed
from starlette.responses import Response

from ipgate.console.page import Page, errors_of
from ipgate.console.ranges import BadText, parse_text
from ipgate.domain.names import key_name, list_name
from ipgate.v1 import admin_pb2 as admin

PAGE_SIZE = 50

_FIELDS = {"address": "address", "draft.ranges": "ranges", "api_key": "api_key"}


async def check(page: Page) -> Response:
    """Show the form, and what was found."""
    values = {
        name: page.field(name) or page.query(name)
        for name in ("address", "api_key", "list", "ranges", "after")
    }
    shown: dict[str, Any] = {
        "section": "check",
        "values": values,
        "problems": {},
        "answer": None,
    }
    if page.is_set("add_own"):
        values["address"] = page.own_address
    if not values["address"]:
        return page.render("check.html", **shown)
    question = admin.CheckAccessRequest(
        parent=page.parent,
        address=values["address"].strip(),
        page_size=PAGE_SIZE,
        page_token=values["after"],
    )
    if values["api_key"]:
        question.api_key = key_name(page.workspace, values["api_key"])
    try:
        if values["ranges"].strip():
            question.draft.ranges.extend(await asyncio.to_thread(parse_text, values["ranges"]))
            if values["list"]:
                question.draft.allow_list = list_name(page.workspace, values["list"])
        answer = await page.call("CheckAccess", question)
    except BadText as bad:
        problems = {"ranges": bad.summary()}
        return page.render(
            "check.html", status=400, **shown | {"problems": problems, "bad_lines": bad.lines}
        )
    except CallFailed as error:
        if error.reason not in ("INVALID_ARGUMENT", "RESOURCE_NOT_FOUND"):
            raise
        problems = errors_of(error, _FIELDS)
        return page.render("check.html", status=400, **shown | {"problems": problems})
    titles = await page.titles(key.decision.allow_list for key in answer.api_keys)
    return page.render(
        "check.html",
        **shown | {"answer": answer, "is_draft": bool(question.draft.ranges), "titles": titles},
    )
