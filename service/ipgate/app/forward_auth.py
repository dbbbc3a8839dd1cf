"""Forward auth: `GET /check` over HTTP/1.1, for nginx, Caddy, Traefik and HAProxy."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ipgate.app.http_call import HttpCall
from ipgate.authorizer.authentication import Authenticator
from ipgate.authorizer.authorizer import Verdict
from ipgate.domain.errors import IpgateError
from ipgate.engines.tls import HTTP1, LatestTls, TlsFiles
from ipgate.engines.transport_limits import CHECK_CONNECTIONS, HANDSHAKE_TIMEOUT
from ipgate.http_deadlines import BoundedProtocol, Waiting
from ipgate.metrics.families import EXT_AUTHZ
from ipgate.rpc.access import RULES, check_role
from ipgate.rpc.call_info import CALL
from ipgate.rpc.decisions import Decisions
from ipgate.rpc.gateway import GatewayRules, headers_of
from ipgate.settings import Settings

log = logging.getLogger(__name__)

_URI = "x-forwarded-uri"

_METHOD = f"{EXT_AUTHZ}/Check"
_BACKLOG = 1024
_MAX_HEADERS = 128 << 10
_KEEP_ALIVE = 180
"""Seconds that an idle connection stays open: longer than gateways keep theirs, so that none asks on one that ends."""

_TIMEOUT = 5
"""Seconds for an answer."""

_WARN_EVERY = 60.0


@dataclass(frozen=True, slots=True)
class CheckEndpoint:
    """Answers 200, 401 without an API key, 403 for a denial, and 503 where there is no decision."""

    decisions: Decisions
    rules: GatewayRules
    authenticator: Authenticator
    warnings: "_Warnings"

    async def check(self, request: Request) -> Response:
        info = HttpCall(request)
        CALL.set(info)
        try:
            async with asyncio.timeout(_TIMEOUT):
                info.caller = await self.authenticator.authenticate(info.authorization)
                check_role(RULES[_METHOD], info.caller, _METHOD)
                return await self._answer(request, info)
        except IpgateError as error:
            self.warnings.warn(error)
        except TimeoutError:
            log.warning("forward auth took too long seconds=%d", _TIMEOUT)
        except Exception:
            log.exception("forward auth failed")
        return _rejection(503, "Service Unavailable")

    async def _answer(self, request: Request, info: HttpCall) -> Response:
        headers = request.headers
        uri = headers.get(_URI)
        query = _query(request) if uri is None else uri.partition("?")[2]
        # The token shows that the peer is a gateway, so its last hop is believed.
        question = self.rules.question(lambda name: _texts(headers.getlist(name)), query, None)
        if question is None:
            challenge = {"www-authenticate": self.rules.keys.challenge()}
            return _rejection(401, "Unauthorized", challenge)
        verdict = self.decisions.try_decide(question, info)
        if verdict is None:
            verdict = await self.decisions.resolve(question, info, _TIMEOUT)
        return _response(verdict)


class _Warnings:
    """Of requests that cannot be decided: one in so many seconds."""

    def __init__(self) -> None:
        self._last = -_WARN_EVERY

    def warn(self, error: IpgateError) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._last >= _WARN_EVERY:
            self._last = now
            log.warning(
                "forward auth cannot decide, answering 503; send the token of an authorizer in X-Ipgate-Token "
                "error=%r",
                str(error),
            )


class ForwardAuthServer:
    """Serves one port together with the other workers."""

    def __init__(
        self, listen: tuple[str, int], endpoint: CheckEndpoint, tls: LatestTls | None
    ) -> None:
        host, port = listen
        self._tls = tls
        # A connection would wait in vain until the worker serves, so it listens only then.
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        for option in (socket.SO_REUSEPORT, socket.SO_REUSEADDR):
            self._socket.setsockopt(socket.SOL_SOCKET, option, 1)
        self._socket.bind((host, port))
        # What strangers send is no event of ours.
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
        self._server = _Server(
            uvicorn.Config(
                Starlette(routes=[Route("/check", endpoint.check, methods=["GET"])]),
                http=_Protocol,
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=CHECK_CONNECTIONS + 1,
                timeout_keep_alive=_KEEP_ALIVE,
                h11_max_incomplete_event_size=_MAX_HEADERS,
                backlog=_BACKLOG,
            ),
            None if tls is None else tls.listening(),
        )

    async def start(self) -> "asyncio.Future[None]":
        """Return, once gateways can reach it, what ends with it."""
        self._task = asyncio.ensure_future(self._server.serve([self._socket]))
        listening = asyncio.ensure_future(self._server.listening.wait())
        await asyncio.wait((self._task, listening), return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        return self._task

    async def stop(self, grace: float) -> None:
        """Take no more requests; those in flight get `grace` seconds."""
        self._server.config.timeout_graceful_shutdown = max(1, round(grace))
        self._server.should_exit = True
        await self._task

    def replace_tls(self, files: TlsFiles) -> None:
        """Serve new connections with these.

        Raises: OSError.
        """
        if self._tls is not None:
            self._tls.replace(files)


class _Protocol(BoundedProtocol):
    waiting = Waiting(most=CHECK_CONNECTIONS // 2, check_every=_KEEP_ALIVE + 30)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, tls: ssl.SSLContext | None) -> None:
        super().__init__(config)
        self._tls = tls
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, with a bound on the handshake, for which uvicorn has no option."""
        assert sockets
        listener = await asyncio.get_running_loop().create_server(
            lambda: _Protocol(config=self.config, server_state=self.server_state, app_state={}),
            sock=sockets[0],
            backlog=self.config.backlog,
            ssl=self._tls,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT if self._tls else None,
        )
        self.servers = [listener]
        self.started = True
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them to the worker."""
        yield


def build(
    settings: Settings,
    decisions: Decisions,
    rules: GatewayRules,
    authenticator: Authenticator,
    tls: TlsFiles | None,
) -> ForwardAuthServer:
    """Return the server for `settings`, which has its port and does not listen yet.

    Raises: OSError.
    """
    return ForwardAuthServer(
        settings.checking(),
        CheckEndpoint(decisions, rules, authenticator, _Warnings()),
        None if tls is None else LatestTls(tls, HTTP1),
    )


def _query(request: Request) -> str:
    query: bytes = request.scope["query_string"]
    return query.decode("latin-1")


def _texts(values: list[str]) -> list[str]:
    """Return values of headers as the UTF-8 that they are, where Starlette has one character for each byte."""
    return [value.encode("latin-1").decode("utf-8", "replace") for value in values]


def _response(verdict: Verdict) -> Response:
    if not verdict.decision.allowed:
        return _rejection(403, "Forbidden")
    # Some gateways pass on the client's header where the answer has none, so it has all of them.
    return Response(headers=headers_of(verdict))


def _rejection(status: int, phrase: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"detail": phrase}, status, headers)
