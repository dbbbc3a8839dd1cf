"""The guard of FastAPI's routes, as a dependency.

    guard = IpgateGuard(AsyncClient(...), trusted_proxies=["10.0.0.0/8"])

    @app.get("/orders")
    async def orders(verdict: Annotated[Verdict, Depends(guard)]): ...

README.md of the distribution has a whole example.
"""

from collections.abc import Iterable
from typing import Any

from fastapi import HTTPException
from fastapi.openapi.models import APIKey, APIKeyIn, HTTPBearer
from fastapi.requests import HTTPConnection
from fastapi.security.base import SecurityBase

from ipgate_client.asgi import header_values, peer_of
from ipgate_client.async_client import AsyncClient
from ipgate_client.guard import DEFAULT_KEY, Guard, KeySource
from ipgate_client.verdict import Verdict


class IpgateGuard(SecurityBase):
    """Gives a route the verdict on its request, or answers 401, 403 or 503 in its place.

    `key`: see KeySource; a function gets the request. `trusted_proxies`: CIDR ranges of the proxies whose headers
    are believed, or `unix`. The documentation of the API shows where the key belongs. Raises ConfigError.
    """

    def __init__(
        self,
        client: AsyncClient,
        *,
        key: KeySource = DEFAULT_KEY,
        trusted_proxies: Iterable[str] = (),
    ) -> None:
        self._client = client
        self._guard = Guard(key, trusted_proxies)
        self.model = _described(key)
        self.scheme_name = "ipgate"

    async def __call__(self, request: HTTPConnection) -> Verdict:
        question = self._guard.question(
            request,
            lambda name: header_values(request.scope, name),
            query=request.scope.get("query_string", b"").decode("latin-1"),
            peer=peer_of(request.scope),
        )
        verdict = (
            question if isinstance(question, Verdict) else await self._client.check(**question)
        )
        rejection = self._guard.rejection(verdict)
        if rejection is not None:
            headers = {"www-authenticate": rejection.challenge} if rejection.challenge else None
            raise HTTPException(rejection.status, rejection.phrase, headers)
        return verdict


def _described(key: KeySource) -> APIKey | HTTPBearer:
    first = DEFAULT_KEY if callable(key) else key.split(",")[0].strip()
    if first.lower() == "authorization":
        return HTTPBearer()
    place = APIKeyIn.query if first.startswith("?") else APIKeyIn.header
    fields: dict[str, Any] = {"in": place, "name": first.removeprefix("?")}
    return APIKey(**fields)
