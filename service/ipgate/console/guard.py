"""What holds for every request and every response, whichever page it is about (docs/security.md, "The console")."""

import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 8 << 20
"""Bytes of a request: 100,000 ranges with notes, pasted or uploaded."""

MAX_SMALL_BODY = 16 << 10
"""Bytes of a request to log in or out, which anybody may send."""

_SMALL = frozenset({"/login", "/logout"})

_FORM = re.compile(r"application/x-www-form-urlencoded(; ?charset=utf-8)?", re.IGNORECASE)

# With a charset, its decoder would be whatever the request names, however slow.
_FILES = re.compile(r"multipart/form-data; ?boundary=[0-9A-Za-z'()+_,./:=? -]{1,70}", re.IGNORECASE)

_HOST = re.compile(r"([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")

_SAFE = frozenset({"GET", "HEAD"})

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # With no-referrer browsers would send `Origin: null` with forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Rejects requests that no page of the console makes, and adds the headers that bind the browser.

    `hosts`: the names that the console has, against DNS rebinding.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str], secure: bool) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                if self._secure:
                    headers["Strict-Transport-Security"] = "max-age=31536000"
                if "cache-control" not in headers:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        most = MAX_SMALL_BODY if scope["path"] in _SMALL else MAX_BODY
        problem = self._problem(scope["method"], Headers(scope=scope), most)
        if problem is not None:
            await problem(scope, receive, send_guarded)
            return
        await self._app(scope, _bounded(receive, most), send_guarded)

    def _problem(self, method: str, headers: Headers, most: int) -> PlainTextResponse | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _name(hosts[0]) not in self._hosts:
            text = "This address is not one of the console. Open it by the address that it printed at its start, or add this one with --name."
            return PlainTextResponse(text, 421)
        if method not in _SAFE and method != "POST":
            return PlainTextResponse("Method not allowed", 405)
        if method == "POST" and not self._is_ours(hosts[0], headers):
            return PlainTextResponse("This form does not come from a page of the console.", 403)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > most:
            text = f"This has more than {most:,} bytes, and was not read. Go back, and send less: a smaller file, or fewer lines."
            return PlainTextResponse(text, 413)
        kind = headers.get("content-type", "")
        takes_files = most == MAX_BODY
        if method == "POST" and not (
            _FORM.fullmatch(kind) or (takes_files and _FILES.fullmatch(kind))
        ):
            return PlainTextResponse("This is not a form of the console.", 415)
        return None

    def _is_ours(self, host: str, headers: Headers) -> bool:
        """Return whether the browser says that a page of this console sends the form, or says nothing."""
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return False
        # Without TLS of its own, a proxy in front may have it.
        origins = [f"https://{host}"] + ([] if self._secure else [f"http://{host}"])
        return headers.get("origin", origins[0]) in origins


def _bounded(receive: Receive, most: int) -> Receive:
    """Return what receives a request, and rejects one without a length that has more bytes than any may have."""
    read = 0

    async def bounded() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > most:
            raise HTTPException(413)
        return message

    return bounded


def _name(host: str) -> str:
    """Return the name in a Host header, without its port; "" if the header is malformed."""
    match = _HOST.fullmatch(host.lower())
    return match[1] if match else ""
