"""The access tokens of a workspace, and of all of them for root."""

from typing import Any

from ipgate_client import CallFailed
from starlette.responses import Response

from ipgate.console import words
from ipgate.console.changes import Asks, Change, in_force, make
from ipgate.console.dates import parse_day
from ipgate.console.page import Page, errors_of
from ipgate.domain.names import token_name, workspace_name
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

PAGE_SIZE = 50

_FIELDS = {
    "access_token.display_name": "name",
    "access_token.role": "role",
    "access_token.workspace": "workspace",
    "access_token.expire_time": "expires",
    "access_token_id": "id",
}


async def show_all(page: Page) -> Response:
    """List the access tokens."""
    own = page.session.person.workspace
    if own and not page.workspace:
        return page.go(f"/w/{own}/tokens")
    return await _listing(page)


async def new(page: Page) -> Response:
    """Show the panel for a new access token, and create it."""
    names = ("id", "name", "role", "workspace", "expires")
    values = {name: page.field(name) for name in names}
    if page.request.method == "GET":
        return await _listing(page, panel="token_new")
    if not page.workspace and not values["workspace"] and values["role"] != "ROLE_AUTHORIZER":
        problem = "Enter the workspace: only a backend can have a token for all."
        return await _listing(
            page, panel="token_new", values=values, problems={"workspace": problem}
        )
    expires, problem = parse_day(values["expires"])
    if problem:
        return await _listing(page, panel="token_new", values=values, problems={"expires": problem})
    role: Any = values["role"] if values["role"] in words.ROLES else None
    request = admin.CreateAccessTokenRequest(
        access_token_id=values["id"],
        access_token=resources.AccessToken(
            display_name=values["name"],
            role=role,
            workspace=_owner(page),
            expire_time=expires,
        ),
    )
    try:
        created = await page.call("CreateAccessToken", request)
    except CallFailed as error:
        problems = errors_of(error, _FIELDS)
        return await _listing(page, panel="token_new", values=values, problems=problems)
    done = f"Created {words.named(created.access_token)}."
    return page.reveal(
        heading=f"The access token {words.title(created.access_token)}",
        secret=created.token,
        done=f"{done} {await in_force(page, created.revision)}".strip(),
        whose="whoever will use it",
        back=_path(page),
        section="tokens",
    )


async def revoke(page: Page) -> Response:
    """Revoke an access token."""
    identifier = page.field("token")
    own = " It is the one that you are logged in with." if _is_own(page, identifier) else ""
    change = Change(
        method="RevokeAccessToken",
        request=admin.RevokeAccessTokenRequest(name=token_name(identifier)),
        question=f"Revoke the access token {identifier}? Calls with it fail from then on.{own}",
        done=f"Revoked {identifier}.",
        then=_path(page),
        asks=Asks.ALWAYS,
    )
    return await make(page, change)


def _is_own(page: Page, identifier: str) -> bool:
    return identifier == page.session.person.token


def _path(page: Page) -> str:
    return page.url("tokens") if page.workspace else "/tokens"


def _owner(page: Page) -> str:
    """Return the workspace that a new token works for, "" for all."""
    entered = page.field("workspace").strip()
    return page.parent if page.workspace else workspace_name(entered) if entered else ""


async def _listing(
    page: Page,
    *,
    panel: str = "",
    values: dict[str, str] | None = None,
    problems: dict[str, str] | None = None,
) -> Response:
    request = admin.ListAccessTokensRequest(
        workspace=page.parent if page.workspace else "",
        page_size=PAGE_SIZE,
        page_token=page.query("after"),
    )
    listed = await page.call("ListAccessTokens", request)
    return page.render(
        "tokens.html",
        status=400 if problems else 200,
        section="tokens",
        panel=panel,
        tokens=listed.access_tokens,
        next_page=listed.next_page_token,
        roles=words.ROLES,
        path=_path(page),
        values={"role": "ROLE_AUTHORIZER"} | (values or {}),
        problems=problems or {},
    )
