"""Logging in with an access token, and out."""

import secrets
from dataclasses import dataclass

from ipgate_client import CallFailed, ConfigError
from ipgate_client.async_admin import AsyncAdminClient
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.templating import Jinja2Templates

from ipgate.console.config import ConsoleConfig
from ipgate.console.sessions import Attempts, Person, Sessions
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

TIMEOUT = 10.0
"""Seconds that a call of the console may take."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Whose token it is, and a client with it; or why it cannot log in. `is_guess`: nobody has such a token."""

    problem: str = ""
    is_guess: bool = False
    person: Person | None = None
    client: AsyncAdminClient | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """`cookie`: the name of the one with the session's id."""

    config: ConsoleConfig
    sessions: Sessions
    attempts: Attempts
    templates: Jinja2Templates
    cookie: str

    async def show(self, request: Request) -> Response:
        """Show the page to log in."""
        if self.sessions.get(request.cookies.get(self.cookie, "")):
            return RedirectResponse(_next(request.query_params.get("next", "")), 303)
        return self._form(request)

    async def log_in(self, request: Request) -> Response:
        """Begin a session with the access token that was entered."""
        form = await request.form(max_files=0, max_fields=10)
        entered, expected = (
            str(form.get("form_token", "")),
            request.cookies.get(self._form_cookie(), ""),
        )
        if not expected or not secrets.compare_digest(entered.encode(), expected.encode()):
            return self._form(request, "This page was open for too long. Please try again.", 403)
        address = request.client.host if request.client else ""
        token = str(form.get("token", "")).strip()
        if not token:
            return self._form(request, "Enter an access token.", 400)
        if not self.attempts.begin(address, token):
            text = "There were too many attempts. Wait a minute, and try again."
            return self._form(request, text, 429)
        outcome = await self._person(token)
        if not outcome.is_guess:
            self.attempts.did_not_fail(address, token, logged_in=outcome.person is not None)
        if outcome.person is None or outcome.client is None:
            return self._form(request, outcome.problem, 400)
        await self.sessions.end(request.cookies.get(self.cookie, ""))
        identifier = await self.sessions.begin(outcome.client, outcome.person)
        response = RedirectResponse(_next(str(form.get("next", ""))), 303)
        self._set(response, self.cookie, identifier)
        self._set(response, self._form_cookie(), "")
        return response

    async def log_out(self, request: Request) -> Response:
        """End the session."""
        form = await request.form(max_files=0, max_fields=10)
        identifier = request.cookies.get(self.cookie, "")
        session = self.sessions.get(identifier)
        if session is not None:
            entered = str(form.get("form_token", ""))
            if not secrets.compare_digest(entered.encode(), session.form_token.encode()):
                return self.templates.TemplateResponse(request, "expired.html", status_code=403)
            await self.sessions.end(identifier)
        response = RedirectResponse("/login?out=1", 303)
        self._set(response, self.cookie, "")
        return response

    async def _person(self, token: str) -> _Outcome:
        try:
            client = AsyncAdminClient(
                self.config.server, token, tls=self.config.server_tls, timeout=TIMEOUT
            )
        except ConfigError:
            return _Outcome("This is not an access token of ipgate.", is_guess=True)
        try:
            caller = await client.call("GetCaller", admin.GetCallerRequest())
        except CallFailed as error:
            await client.close()
            if error.code.name == "UNAUTHENTICATED":
                text = "This access token is not known, has expired or was revoked."
                return _Outcome(text, is_guess=True)
            return _Outcome("ipgate does not answer. Try again in a moment.")
        role = resources.AccessToken.Role.Name(caller.role).removeprefix("ROLE_")
        if role == "AUTHORIZER":
            await client.close()
            return _Outcome(
                "This is the token of a backend: it may ask for decisions, and nothing else. Log in with the "
                "token of an administrator or a viewer."
            )
        identifier = caller.access_token.removeprefix("accessTokens/") or "root"
        workspace = caller.workspace.removeprefix("workspaces/")
        return _Outcome(person=Person(identifier, role, workspace), client=client)

    def _form(self, request: Request, problem: str = "", status: int = 200) -> Response:
        form_token = secrets.token_urlsafe(32)
        response = self.templates.TemplateResponse(
            request,
            "login.html",
            {
                "problem": problem,
                "form_token": form_token,
                "next": _next(request.query_params.get("next", "")),
                "out": "out" in request.query_params,
                "ended": "ended" in request.query_params,
            },
            status_code=status,
        )
        self._set(response, self._form_cookie(), form_token)
        return response

    def _form_cookie(self) -> str:
        return f"{self.cookie}-form"

    def _set(self, response: Response, name: str, value: str) -> None:
        """Set a cookie, or remove it if the value is empty; browsers take both with the same attributes only."""
        response.set_cookie(
            name,
            value,
            max_age=None if value else 0,
            httponly=True,
            samesite="strict",
            secure=self.config.is_secure(),
        )


def _next(path: str) -> str:
    """Return the address of a page of the console to go on with."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and "\\" not in path
    return path if is_ours else "/"
