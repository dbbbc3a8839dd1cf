"""The guard of ASGI applications: Starlette, FastAPI, Django and others.

    app.add_middleware(IpgateMiddleware, client=AsyncClient(...), trusted_proxies=["10.0.0.0/8"])

README.md of the distribution has a whole example.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from typing import Any

from ipgate.domain.forwarded import UNIX

from ipgate_client.async_client import AsyncClient
from ipgate_client.guard import DEFAULT_KEY, Guard, KeySource, Rejection
from ipgate_client.verdict import Verdict

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_POLICY_VIOLATION = 1008


class IpgateMiddleware:
    """Lets requests and WebSockets of allowed end clients through to `app`, which finds the verdict in `state.ipgate`.

    `key`: see KeySource; a function gets the scope. `trusted_proxies`: CIDR ranges of the proxies whose headers are
    believed, or `unix`. `exempt`: paths that need no API key. Raises ConfigError.
    """

    def __init__(
        self,
        app: App,
        client: AsyncClient,
        *,
        key: KeySource = DEFAULT_KEY,
        trusted_proxies: Iterable[str] = (),
        exempt: Collection[str] = (),
    ) -> None:
        self._app = app
        self._client = client
        self._guard = Guard(key, trusted_proxies, exempt)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] in self._guard.exempt:
            await self._app(scope, receive, send)
            return
        verdict = await self._verdict(scope)
        rejection = self._guard.rejection(verdict)
        if rejection is None:
            state = {**scope.get("state", {}), "ipgate": verdict}
            await self._app({**scope, "state": state}, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        else:
            await _respond(rejection, scope["method"], send)

    async def _verdict(self, scope: Scope) -> Verdict:
        question = self._guard.question(
            scope,
            lambda name: header_values(scope, name),
            query=scope.get("query_string", b"").decode("latin-1"),
            peer=peer_of(scope),
        )
        return question if isinstance(question, Verdict) else await self._client.check(**question)


def header_values(scope: Scope, name: str) -> list[str]:
    """Return the values of a header, by its name in lower case."""
    wanted = name.encode()
    return [
        value.decode("utf-8", "replace") for header, value in scope["headers"] if header == wanted
    ]


def peer_of(scope: Scope) -> str:
    """Return the other end of the connection. Servers name none for a Unix socket, which has no port."""
    client, server = scope.get("client"), scope.get("server")
    if client:
        return str(client[0])
    return UNIX if server and server[1] is None else ""


async def _respond(rejection: Rejection, method: str, send: Send) -> None:
    headers = [(name.encode(), value.encode()) for name, value in rejection.headers]
    body = b"" if method == "HEAD" else rejection.body
    await send({"type": "http.response.start", "status": rejection.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
