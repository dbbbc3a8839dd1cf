"""A request of somebody who is logged in, and the answers to it."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote

from ipgate_client import CallFailed
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.templating import Jinja2Templates

from ipgate.console import words
from ipgate.console.sessions import Session, Sessions
from ipgate.domain.names import workspace_name
from ipgate.v1 import admin_pb2 as admin

MAX_FIELDS = 2000
"""Fields of a form: many API keys can be chosen at a time."""

MAX_FIELD_BYTES = 8 << 20

MAX_TEXT = 4000

_LINES = frozenset({"ranges", "ids"})

_MAX_HELD = 20
"""Forms, notices and secrets of a session that are remembered."""

MAX_TITLES = 50
"""Resources of a page whose display names are asked for."""

_IN_WORKSPACE = 3
"""Slashes in the name of a resource of a workspace."""

_FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip", "via")
"""Headers that proxies add."""


@dataclass(frozen=True, slots=True)
class Page:
    """`workspace`: the id of the one that the address names, "" for none."""

    request: Request
    session: Session
    templates: Jinja2Templates
    form: FormData

    @property
    def workspace(self) -> str:
        return str(self.request.path_params.get("workspace", ""))

    @property
    def parent(self) -> str:
        return workspace_name(self.workspace)

    @property
    def own_address(self) -> str:
        """The address that the console sees the browser at."""
        client = self.request.client
        return client.host if client else ""

    @property
    def own_address_is(self) -> str:
        """What that address is, if it is not the one that servers elsewhere see: "" if it may be."""
        if any(name in self.request.headers for name in _FORWARDED):
            return "that of a proxy in front of the console: yours is another one"
        try:
            address = ip_address(self.own_address)
        except ValueError:
            return ""
        if address.is_loopback:
            return "that of this machine itself: servers elsewhere see another one"
        return "a private one: servers elsewhere see another one" if address.is_private else ""

    def path(self, name: str) -> str:
        """Return a part of the address, such as the id of a list."""
        return str(self.request.path_params[name])

    def query(self, name: str) -> str:
        return self.request.query_params.get(name, "")

    def field(self, name: str) -> str:
        """Return a text field of the form; nothing valid is longer than `MAX_TEXT`, but for lists of lines."""
        value = self.form.get(name, "")
        if not isinstance(value, str):
            return ""
        return (value if name in _LINES else value[:MAX_TEXT]).replace("\r\n", "\n")

    def fields(self, name: str) -> list[str]:
        return [value for value in self.form.getlist(name) if isinstance(value, str)]

    def is_set(self, name: str) -> bool:
        """Return whether a box of the form is ticked."""
        return bool(self.field(name))

    async def call(self, method: str, request: Any) -> Any:
        """Call AdminService with the person's token.

        Raises: CallFailed.
        """
        return await self.session.client.call(method, request)

    async def titles(self, names: Iterable[str]) -> dict[str, str]:
        """Return the display names of Allow lists and API keys that exist, by their resource names; of `MAX_TITLES`."""

        async def title(name: str) -> str:
            is_list = "/allowLists/" in name
            try:
                if is_list:
                    return words.title(
                        await self.call("GetAllowList", admin.GetAllowListRequest(name=name))
                    )
                return words.title(await self.call("GetApiKey", admin.GetApiKeyRequest(name=name)))
            except CallFailed:
                return ""

        asked = [name for name in dict.fromkeys(names) if name.count("/") == _IN_WORKSPACE]
        found = await asyncio.gather(*map(title, asked[:MAX_TITLES]))
        return {name: text for name, text in zip(asked, found, strict=False) if text}

    def render(self, template: str, *, status: int = 200, **context: Any) -> Response:
        session = self.session
        notice = session.notices.pop(self.request.url.path, "")
        shown: dict[str, Any] = {
            "person": session.person,
            "may_change": session.person.may_change(),
            "form_token": session.form_token,
            "notice": notice,
            "workspace": self.workspace,
            "titles": {},
            "own_address": self.own_address,
            "own_address_is": self.own_address_is,
        }
        return self.templates.TemplateResponse(
            self.request, template, shown | context, status_code=status
        )

    def go(self, path: str, notice: str = "") -> Response:
        """Send the browser to another page, which shows the notice."""
        if notice:
            _remember(self.session.notices, path, notice)
        return RedirectResponse(path, 303)

    def reveal(self, **shown: Any) -> Response:
        """Send the browser to the page that shows a secret, this once."""
        path = f"/revealed/{secrets.token_urlsafe(12)}"
        _remember(self.session.secrets, path, shown | {"workspace": self.workspace})
        return RedirectResponse(path, 303)

    def url(self, *parts: str) -> str:
        """Return the address of a page of the workspace."""
        return "/".join(["", "w", self.workspace, *(quote(part, safe="") for part in parts)])


def _remember(held: MutableMapping[str, Any], key: str, value: Any) -> None:
    held[key] = value
    while len(held) > _MAX_HELD:
        del held[next(iter(held))]


Handler = Callable[[Page], Awaitable[Response]]


def signed_in(
    handler: Handler, sessions: Sessions, templates: Jinja2Templates, cookie: str
) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of a page that needs a login.

    Others are sent to the page to log in. A form without the token of its session is rejected.
    """

    async def endpoint(request: Request) -> Response:
        identifier = request.cookies.get(cookie, "")
        session = sessions.get(identifier)
        if session is None:
            return RedirectResponse(f"/login?next={quote(_local(request), safe='')}", 303)
        form = FormData()
        if request.method == "POST":
            form = await request.form(
                max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES
            )
            sent = form.get("form_token")
            if not isinstance(sent, str) or not secrets.compare_digest(
                sent.encode(), session.form_token.encode()
            ):
                return templates.TemplateResponse(request, "expired.html", status_code=403)
        page = Page(request, session, templates, form)
        person = session.person
        if page.workspace and person.workspace not in ("", page.workspace):
            return page.render("missing.html", status=404)
        try:
            return await _once(page, handler)
        except CallFailed as error:
            if error.reason in ("TOKEN_INVALID", "TOKEN_EXPIRED", "TOKEN_MISSING"):
                await sessions.end(identifier)
                return RedirectResponse("/login?ended=1", 303)
            return failed(page, error)
        except (asyncio.CancelledError, Exception):
            task = asyncio.current_task()
            if sessions.get(identifier) or (task and task.cancelling()):
                raise
            # The session has ended in the meantime, and its client with it.
            return RedirectResponse("/login", 303)

    return endpoint


async def _once(page: Page, handler: Handler) -> Response:
    """Answer a form that is sent twice, as by a double click, with what the first time led to."""
    sent, form = page.session.sent, page.field("once")
    if not form:
        return await handler(page)
    first = sent.get(form)
    if first is not None:
        path = await asyncio.shield(first)
        return RedirectResponse(path, 303) if path else await handler(page)
    led_to: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    _remember(sent, form, led_to)
    try:
        response = await handler(page)
        led_to.set_result(response.headers.get("location", ""))
    finally:
        if not led_to.done():
            led_to.set_result("")
        if not led_to.result():
            sent.pop(form, None)  # a question or a fault: it is sent again
    return response


async def back(page: Page) -> Response:
    """Go to the page whose form was sent to this address."""
    return page.go(page.request.url.path.rpartition("/")[0])


def failed(page: Page, error: CallFailed) -> Response:
    """Return the page for a call that failed, where no form shows it."""
    if any(violation.field == "page_token" for violation in error.violations):
        return page.go(page.request.url.path)  # a page of what has changed since: begin again
    if error.reason == "RESOURCE_NOT_FOUND":
        return page.render("missing.html", status=404)
    status = {"PERMISSION_DENIED": 403, "UNAVAILABLE": 503}.get(error.code.name, 400)
    return page.render("failed.html", status=status, error=error)


def _local(request: Request) -> str:
    """Return the address of a page that can be come back to; that of a form leads to the form."""
    query = f"?{request.url.query}" if request.url.query else ""
    return request.url.path + query


_NOT_OF_THE_FORM = frozenset({"PERMISSION_DENIED", "UNAUTHENTICATED", "UNAVAILABLE"})

CONFLICT = (
    "Somebody else has changed it since you opened it. Open it again, and repeat your change."
)

THEIRS = (
    "Somebody else has changed it since you opened it. Theirs is shown below what you entered; save to replace "
    "theirs, or open it again to keep theirs."
)
"""Where the page shows both."""

_PLAIN = (
    ("set ipv6_enabled of the workspace", "switch IPv6 on in the general settings"),
    ("send a dotted quad or an IPv6 address", "enter it as in 198.51.100.73"),
)
"""Remedies of the API, and what they are on the pages."""


def errors_of(error: CallFailed, names: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with the fields of a form, by their names; "" has what belongs to no field.

    `names`: the field of the form for a field of the request.

    Raises: the error itself, if no other input would avoid it.
    """
    if error.code.name in _NOT_OF_THE_FORM:
        raise error
    if error.reason == "ETAG_MISMATCH":
        return {"": CONFLICT}
    problems: dict[str, list[str]] = {}
    for violation in error.violations:
        field = violation.field.partition("[")[0]
        problems.setdefault(names.get(field, ""), []).append(_plain(violation.description))
    if not problems:
        problems[""] = [_plain(error.message)]
    return {name: "\n".join(texts) for name, texts in problems.items()}


def _plain(text: str) -> str:
    for remedy, plain in _PLAIN:
        text = text.replace(remedy, plain)
    return text
