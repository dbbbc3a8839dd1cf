"""The console as an ASGI application: which page is at which address."""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from ipgate.console import words
from ipgate.console.config import ConsoleConfig
from ipgate.console.guard import Guard
from ipgate.console.page import Handler, back, signed_in
from ipgate.console.pages import (
    audit,
    check,
    default,
    key_lists,
    keys,
    list_panel,
    lists,
    ranges,
    revealed,
    settings,
    tokens,
    workspaces,
)
from ipgate.console.pages.login import Login
from ipgate.console.sessions import Attempts, Sessions
from ipgate.console.undo import can_undo
from ipgate.version import VERSION

_HERE = Path(__file__).parent

_BOTH, _GET, _POST = ("GET", "POST"), ("GET",), ("POST",)

_PAGES: list[tuple[str, Handler, tuple[str, ...]]] = [
    ("/", workspaces.first, _GET),
    ("/workspaces", workspaces.show_all, _BOTH),
    ("/revealed/{secret}", revealed.show, _GET),
    ("/tokens", tokens.show_all, _GET),
    ("/tokens/new", tokens.new, _BOTH),
    ("/tokens/revoke", tokens.revoke, _POST),
    ("/w/{workspace}/settings", settings.edit, _BOTH),
    ("/w/{workspace}/settings/delete", settings.delete, _POST),
    ("/w/{workspace}/tokens", tokens.show_all, _GET),
    ("/w/{workspace}/tokens/new", tokens.new, _BOTH),
    ("/w/{workspace}/tokens/revoke", tokens.revoke, _POST),
    ("/w/{workspace}/keys", keys.show_all, _GET),
    ("/w/{workspace}/keys/new", keys.new, _BOTH),
    ("/w/{workspace}/keys/{key}", keys.show, _GET),
    ("/w/{workspace}/keys/{key}/lists", key_lists.edit, _BOTH),
    ("/w/{workspace}/keys/{key}/edit", keys.edit, _BOTH),
    ("/w/{workspace}/keys/{key}/rotate", keys.rotate, _BOTH),
    ("/w/{workspace}/keys/{key}/revoke", keys.revoke, _POST),
    ("/w/{workspace}/keys/{key}/delete", keys.delete, _POST),
    ("/w/{workspace}/lists", lists.show_all, _GET),
    ("/w/{workspace}/lists/new", lists.new, _BOTH),
    ("/w/{workspace}/check", check.check, _BOTH),
    ("/w/{workspace}/audit", audit.show, _GET),
    ("/w/{workspace}/default", default.manage, _BOTH),
    ("/w/{workspace}/lists/{list}", list_panel.show, _GET),
    ("/w/{workspace}/lists/{list}/edit", lists.edit, _BOTH),
    ("/w/{workspace}/lists/{list}/range", ranges.edit, _BOTH),
    ("/w/{workspace}/lists/{list}/delete", list_panel.delete, _POST),
    ("/w/{workspace}/lists/{list}/link", list_panel.link, _POST),
    ("/w/{workspace}/lists/{list}/unlink", list_panel.unlink, _POST),
    ("/w/{workspace}/lists/{list}/undo", list_panel.undo, _POST),
    ("/w/{workspace}/lists/{list}/download", list_panel.download, _GET),
]


def build(config: ConsoleConfig) -> Guard:
    """Return the application of the console.

    Raises: BadConsoleOption.
    """
    config.check()
    secure = config.is_secure()
    sessions, attempts = Sessions(time.monotonic), Attempts(time.monotonic)
    templates = _templates()
    cookie = "__Host-ipgate" if secure else "ipgate"
    login = Login(config, sessions, attempts, templates, cookie)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await sessions.end_all()

    async def not_found(request: Request, _error: Exception) -> Response:
        return templates.TemplateResponse(request, "nowhere.html", status_code=404)

    async def broken(request: Request, _error: Exception) -> Response:
        return templates.TemplateResponse(request, "broken.html", status_code=500)

    routes = [
        Route("/login", login.show, methods=_GET),
        Route("/login", login.log_in, methods=_POST),
        Route("/logout", login.log_out, methods=_POST),
        Route("/logout", login.show, methods=_GET),
        *(
            Route(path, signed_in(handler, sessions, templates, cookie), methods=methods)
            for path, handler, methods in _PAGES
        ),
        # What a browser shows after a form may be loaded again, or come back to.
        *(
            Route(path, signed_in(back, sessions, templates, cookie), methods=_GET)
            for path, _, methods in _PAGES
            if methods == _POST
        ),
        Mount("/static", _Static(directory=_HERE / "static")),
    ]
    application = Starlette(
        routes=routes, lifespan=lifespan, exception_handlers={404: not_found, 500: broken}
    )
    # It would send the browser on by the scheme of the connection, which a proxy's is not.
    application.router.redirect_slashes = False
    return Guard(application, hosts=config.hosts(), secure=secure)


class _Static(StaticFiles):
    """Files that have their version in their address, so that browsers may keep them."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def _templates() -> Jinja2Templates:
    templates = Jinja2Templates(directory=_HERE / "templates")
    environment = templates.env
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.globals["version"] = VERSION
    environment.globals["once"] = partial(secrets.token_urlsafe, 12)
    for function in (
        words.action, can_undo, words.changed, words.access, words.counts, words.day, words.decision, words.identifier, words.moment,
        words.role, words.state, words.summary, words.title, words.visible,
    ):  # fmt: skip
        environment.filters[function.__name__] = function
    return templates
