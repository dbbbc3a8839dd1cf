"""Serves the console over HTTP/1.1."""

import asyncio
import logging
import resource
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn

from ipgate.console.app import build
from ipgate.console.config import BadConsoleOption, ConsoleConfig
from ipgate.http_deadlines import MAX_WAITING, BoundedProtocol

_HANDSHAKE = 5.0
"""Seconds for the handshake of TLS."""

log = logging.getLogger(__name__)


def serve(config: ConsoleConfig, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. `announce` is called with the address.

    Raises: BadConsoleOption.
    """
    host, port = config.address()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    server = _Server(
        uvicorn.Config(
            build(config),
            host=host,
            port=port,
            http=BoundedProtocol,
            ws="none",
            loop="asyncio",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=2 * MAX_WAITING,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=5,
            ssl_certfile=config.tls_cert or None,
            ssl_keyfile=config.tls_key or None,
        ),
        lambda port: announce(f"{'https' if config.tls_cert else 'http'}://{_shown(host)}:{port}"),
    )
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise BadConsoleOption(
            f"--listen {config.listen}: {error.strerror}; choose another"
        ) from error
    try:
        server.run([listening])
    except ssl.SSLError as error:
        raise BadConsoleOption(
            f"--console-cert and --console-key cannot be used: {error}"
        ) from error


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, announce: Callable[[int], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        loop: Any = asyncio.get_running_loop()
        if self.config.ssl is not None:
            # uvicorn has no option for it, and a connection counts only after its handshake.
            loop.create_server = partial(loop.create_server, ssl_handshake_timeout=_HANDSHAKE)
        await super().startup(sockets)
        if self.started:
            self._announce(self.servers[0].sockets[0].getsockname()[1])


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
