"""The http2 engine: gRPC over libnghttp2 on the event loop of the worker."""

import asyncio
import socket
from collections.abc import Mapping
from typing import Any

from ipgate.authorizer.authentication import Authenticator
from ipgate.engines import transport_limits
from ipgate.engines.engine import Usage
from ipgate.engines.health import SERVICE as HEALTH
from ipgate.engines.health import Health
from ipgate.engines.http2.connection import Connection
from ipgate.engines.http2.server import Http2Server
from ipgate.engines.listen_address import ListenAddress
from ipgate.engines.reflection import reflecting
from ipgate.engines.tls import LatestTls, TlsFiles
from ipgate.metrics.families import ADMIN, AUTHORIZE
from ipgate.rpc.pipeline import Method
from ipgate.settings import Settings

_BACKLOG = 1024


class Http2Engine:
    """A server that is built, but not started.

    `port`: where it listens once it is.
    """

    def __init__(
        self,
        settings: Settings,
        listen_address: ListenAddress,
        server: Http2Server,
        tls: TlsFiles | None,
    ) -> None:
        self.port = listen_address.port
        self._listen_address = listen_address
        self._tls = None if tls is None else LatestTls(tls)
        self._settings = settings
        self._server = server
        self._listeners: list[asyncio.Server] = []
        self._ended = asyncio.get_running_loop().create_future()

    @property
    def health(self) -> Health:
        return self._server.health

    def usage(self) -> Usage:
        return self._server.usage()

    async def start(self) -> None:
        loop, tls = asyncio.get_running_loop(), self._tls and self._tls.listening()
        secured: dict[str, Any] = {
            "ssl": tls,
            "ssl_handshake_timeout": transport_limits.HANDSHAKE_TIMEOUT if tls else None,
        }
        if self._listen_address.path:
            bound = socket.socket(fileno=self._listen_address.descriptor)
            listener = await loop.create_unix_server(self._connected, sock=bound, **secured)
            self._listeners.append(listener)
            return
        for address in self._settings.addresses():
            listener = await loop.create_server(
                self._connected, address, self.port, reuse_port=True, backlog=_BACKLOG, **secured
            )
            self._listeners.append(listener)
            self.port = listener.sockets[0].getsockname()[1]

    def _connected(self) -> Connection:
        return Connection(self._server)

    def replace_tls(self, files: TlsFiles) -> None:
        """Serve new connections with these.

        Raises: OSError.
        """
        if self._tls is not None:
            self._tls.replace(files)

    async def stop(self, grace: float) -> None:
        """Take no more calls; those in flight get `grace` seconds."""
        for listener in self._listeners:
            listener.close()
        await self._server.stop(grace)
        self._ended.set_result(None)

    async def ended(self) -> None:
        """Return when the server has ended by `stop`, or nothing applies the bounds of time any more."""
        ends: list[asyncio.Future[None]] = [self._ended, self._server.checking]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not self._ended.done():
            await self._server.checking  # raises what ended it
        await self._ended


def build(
    settings: Settings,
    listen_address: ListenAddress,
    methods: Mapping[str, Method],
    authenticator: Authenticator,
    tls: TlsFiles | None = None,
) -> Http2Engine:
    """Return the server for `settings`, which will listen at `listen_address`."""
    server = Http2Server(
        {**methods, **reflecting((ADMIN, AUTHORIZE, HEALTH), authenticator)},
        authenticator,
        max_calls=settings.max_concurrent_calls,
        max_connections=transport_limits.usable_connections(
            settings.max_connections, forward_auth=bool(settings.check_listen)
        ),
    )
    return Http2Engine(settings, listen_address, server, tls)
