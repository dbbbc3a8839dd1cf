"""A Starlette application for allowed API keys: `uvicorn starlette_app:app --no-proxy-headers`."""

import os

from ipgate_client import AsyncClient
from ipgate_client.asgi import IpgateMiddleware
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

client = AsyncClient(
    os.environ.get("IPGATE_SERVER", "127.0.0.1:50051"),
    token_file=os.environ.get("IPGATE_TOKEN_FILE", "token"),
)
proxies = os.environ.get("TRUSTED_PROXIES", "").split()
exempt = ["/healthz"]


async def orders(request: Request) -> JSONResponse:
    return JSONResponse({"api_key": request.state.ipgate.api_key})


app = Starlette(
    routes=[Route("/orders", orders), Route("/healthz", PlainTextResponse("ok"))],
    middleware=[Middleware(IpgateMiddleware, client, trusted_proxies=proxies, exempt=exempt)],
)
