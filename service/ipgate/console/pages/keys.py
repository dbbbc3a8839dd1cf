"""API Keys: the tab *API keys*, and the panel of one key."""

from typing import Any

from ipgate_client import CallFailed
from starlette.responses import Response

from ipgate.console import words
from ipgate.console.changes import Asks, Change, ask, in_force, make
from ipgate.console.dates import parse_day
from ipgate.console.page import CONFLICT, THEIRS, Page, errors_of
from ipgate.domain.names import key_name
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

PAGE_SIZE = 50

OVERLAPS = {
    "0": "End it immediately",
    "3600": "For one more hour",
    "86400": "For one more day",
    "604800": "For 7 more days",
    "2592000": "For 30 more days",
}
"""How long the former credential goes on working, in seconds."""

_STATES: dict[str, Any] = {
    "enabled": admin.ListApiKeysRequest.STATE_ENABLED,
    "disabled": admin.ListApiKeysRequest.STATE_DISABLED,
    "expired": admin.ListApiKeysRequest.STATE_EXPIRED,
}

_FIELDS = {
    "api_key.display_name": "name",
    "api_key.expire_time": "expires",
    "api_key_id": "id",
}


async def show_all(page: Page) -> Response:
    """List the API keys of the workspace."""
    return await show_listing(page)


async def new(page: Page) -> Response:
    """Show the panel for a new API key, and create it."""
    if page.request.method == "GET" or page.is_set("edit"):
        return await show_listing(page, panel="key_new", values=_values(page))
    expires, problem = parse_day(page.field("expires"))
    if problem:
        return await _with_errors(page, "key_new", {"expires": problem})
    request = admin.CreateApiKeyRequest(
        parent=page.parent,
        api_key_id=page.field("id"),
        api_key=resources.ApiKey(
            display_name=page.field("name"),
            report_only=page.is_set("report_only"),
            expire_time=expires,
        ),
    )
    try:
        created = await page.call("CreateApiKey", request)
    except CallFailed as error:
        return await _with_errors(page, "key_new", errors_of(error, _FIELDS))
    return await _credential(page, created, f"Created {words.named(created.api_key)}.")


async def show(page: Page) -> Response:
    """Show the panel of an API key."""
    key = await get_key(page)
    return await show_listing(page, panel="key", key=key, titles=await page.titles(key.allow_lists))


async def edit(page: Page) -> Response:
    """Change the attributes of an API key."""
    key = await get_key(page)
    if page.request.method == "GET" or page.is_set("edit"):
        values = _values(page) if page.is_set("edit") else _values_of(key)
        return await show_listing(page, panel="key_edit", key=key, values=values)
    expires, problem = parse_day(page.field("expires"))
    if problem:
        return await _with_errors(page, "key_edit", {"expires": problem}, key=key)
    request = admin.UpdateApiKeyRequest(
        api_key=resources.ApiKey(
            name=key.name,
            display_name=page.field("name"),
            disabled=page.is_set("disabled"),
            report_only=page.is_set("report_only"),
            expire_time=expires,
            etag=page.field("etag"),
        )
    )
    request.update_mask.paths.extend(["display_name", "disabled", "report_only", "expire_time"])
    change = Change(
        method="UpdateApiKey",
        request=request,
        question=f"Change the API key {words.named(key)}?",
        entered={},
        done="Saved.",
        then=page.url("keys", page.path("key")),
    )
    try:
        return await make(page, change)
    except CallFailed as error:
        problems = errors_of(error, _FIELDS)
    if problems.get("") == CONFLICT:
        # With their etag, so that the next one to save decides.
        values = _values(page) | {"etag": key.etag}
        return await show_listing(
            page,
            panel="key_edit",
            status=409,
            key=key,
            values=values,
            problems={"": THEIRS},
            theirs=_values_of(key),
        )
    return await _with_errors(page, "key_edit", problems, key=key)


async def rotate(page: Page) -> Response:
    """Give an API key a new credential."""
    key = await get_key(page)
    if page.request.method == "GET":
        return await show_listing(page, panel="key_rotate", key=key, overlaps=OVERLAPS)
    seconds = page.field("overlap")
    if seconds == "0" and not page.is_set("confirmed"):
        question = f"Give {words.named(key)} a new credential, and end the present one immediately?"
        change = Change(
            method="",
            request=None,
            question=question,
            done="",
            then=page.url("keys", page.path("key")),
        )
        return ask(page, change, ["Calls with the present one are denied from then on"])
    request = admin.RotateApiKeyCredentialRequest(api_key=key.name, etag=page.field("etag"))
    if seconds in OVERLAPS:
        request.overlap.FromSeconds(int(seconds))
    try:
        rotated = await page.call("RotateApiKeyCredential", request)
    except CallFailed as error:
        problems = errors_of(error, {"overlap": "overlap"})
        return await show_listing(
            page, panel="key_rotate", status=400, key=key, overlaps=OVERLAPS, problems=problems
        )
    return await _credential(page, rotated, f"{words.named(key)} has a new credential.")


async def revoke(page: Page) -> Response:
    """End one of the two credentials of an API key."""
    key, which = await get_key(page), page.field("credential")
    is_current = which == "CREDENTIAL_CURRENT"
    request = admin.RevokeApiKeyCredentialRequest(
        api_key=key.name, credential="CREDENTIAL_CURRENT" if is_current else "CREDENTIAL_PREVIOUS"
    )
    what = "new" if is_current else "previous"
    change = Change(
        method="RevokeApiKeyCredential",
        request=request,
        question=f"End the {what} credential of {words.named(key)} immediately?",
        done=f"The {what} credential has ended.",
        then=page.url("keys", page.path("key")),
        asks=Asks.ALWAYS,
    )
    return await make(page, change)


async def delete(page: Page) -> Response:
    """Delete an API key."""
    key = await get_key(page)
    request = admin.DeleteApiKeyRequest(name=key.name, etag=page.field("etag"))
    change = Change(
        method="DeleteApiKey",
        request=request,
        question=f"Delete the API key {words.named(key)}? Calls with its credential are denied from then on.",
        done=f"Deleted {words.named(key)}.",
        then=page.url("keys"),
        asks=Asks.ALWAYS,
    )
    return await make(page, change)


async def _credential(page: Page, answer: Any, done: str) -> Response:
    """Show a new credential, this once."""
    key = answer.api_key
    until = ""
    if key.HasField("previous_credential_expire_time"):
        until = words.moment(key.previous_credential_expire_time)
    return page.reveal(
        heading=f"The credential of {words.title(key)}",
        secret=answer.credential,
        done=f"{done} {await in_force(page, answer.revision)}".strip(),
        until=until,
        whose="whoever calls your API",
        back=page.url("keys"),
        section="keys",
    )


async def get_key(page: Page) -> Any:
    """Return the API key that the address names.

    Raises: CallFailed.
    """
    name = key_name(page.workspace, page.path("key"))
    return await page.call("GetApiKey", admin.GetApiKeyRequest(name=name))


async def show_listing(page: Page, *, panel: str = "", status: int = 200, **shown: Any) -> Response:
    """Show a page of the API keys, with a panel beside them."""
    request = admin.ListApiKeysRequest(
        parent=page.parent,
        page_size=PAGE_SIZE,
        page_token=page.query("after"),
        query=page.query("q"),
    )
    if page.query("state") in _STATES:
        request.state = _STATES[page.query("state")]
    workspace = await page.call("GetWorkspace", admin.GetWorkspaceRequest(name=page.parent))
    try:
        listed = await page.call("ListApiKeys", request)
    except CallFailed as error:
        if error.reason != "INVALID_ARGUMENT":
            raise
        # An address with an old page, or a text that no key begins with.
        listed = admin.ListApiKeysResponse()
    return page.render(
        "keys.html",
        status=status,
        section="keys",
        panel=panel,
        keys=listed.api_keys,
        default_reports=workspace.default_allow_list.report_only,
        total=listed.total_size,
        next_page=listed.next_page_token,
        q=page.query("q"),
        state=page.query("state"),
        **{"problems": {}, "values": {}} | shown,
    )


async def _with_errors(
    page: Page, panel: str, problems: dict[str, str], **context: Any
) -> Response:
    return await show_listing(
        page, panel=panel, status=400, values=_values(page), problems=problems, **context
    )


def _values(page: Page) -> dict[str, str]:
    """Return what was entered."""
    return {
        name: page.field(name)
        for name in ("id", "name", "expires", "report_only", "disabled", "etag")
    }


def _values_of(key: Any) -> dict[str, str]:
    return {
        "name": key.display_name,
        "expires": words.day(key.expire_time) if key.HasField("expire_time") else "",
        "report_only": "1" if key.report_only else "",
        "disabled": "1" if key.disabled else "",
        "etag": key.etag,
    }
