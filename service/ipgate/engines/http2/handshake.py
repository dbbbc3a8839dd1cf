"""The beginning of a connection with TLS."""

import asyncio
import ssl
from typing import Any

from ipgate.engines import bounds
from ipgate.engines.http2.connection import Connection


class TlsHandshake(asyncio.Protocol):
    """Puts TLS between the transport and a connection, with the files that are in force now: a listener
    keeps those that it began with."""

    def __init__(self, context: ssl.SSLContext, connection: Connection) -> None:
        self._context = context
        self._connection = connection
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: Any) -> None:
        transport.pause_reading()
        self._task = self._connection.loop.create_task(self._shake_hands(transport))

    async def _shake_hands(self, transport: Any) -> None:
        try:
            secured = await self._connection.loop.start_tls(
                transport,
                self._connection,
                self._context,
                server_side=True,
                ssl_handshake_timeout=bounds.HANDSHAKE,
            )
        except (OSError, TimeoutError):
            transport.abort()  # a stranger's doing, so nothing is logged
            return
        assert secured is not None
        self._connection.connection_made(secured)
