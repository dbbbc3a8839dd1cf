"""All connections of the http2 engine together: who may connect, and how they end."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

from ipgate.authorizer.authentication import Authenticator
from ipgate.engines import transport_limits
from ipgate.engines.call_limit import CallLimit
from ipgate.engines.engine import Usage
from ipgate.engines.health import CHECK, LIST, MAX_CHECKS, WATCH, Health, too_many_checks
from ipgate.engines.http2.call import Call
from ipgate.engines.http2.connection import Connection
from ipgate.engines.messages import too_many_calls
from ipgate.rpc.pipeline import Method

_CHECK_EVERY = 1.0
_FLUSH_TIMEOUT = 1.0
"""Seconds for the last bytes of connections that are ended."""


class Http2Server:
    """`max_connections`: there are a few more for health calls alone."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        authenticator: Authenticator,
        *,
        max_calls: int,
        max_connections: int,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.methods = {path.encode(): method for path, method in methods.items()}
        self.health = Health()
        self.health_paths = frozenset(path.encode() for path in (CHECK, LIST, WATCH))
        self.call_limit = CallLimit(max_calls, too_many_calls)
        self.check_limit = CallLimit(MAX_CHECKS, too_many_checks)
        self._authenticator = authenticator
        self._most = max_connections
        self._connections: dict[Connection, None] = {}
        self._unauthenticated: dict[Connection, None] = {}
        self._spares: set[Connection] = set()
        self._hosts = Counter[str]()
        self._open_streams = Counter[str]()
        self._refused_connections = self._refused_streams = 0
        self._all_closed = asyncio.Event()
        self.checking = self.loop.create_task(self._check_all())
        """Applies the bounds of time. A server must not outlive it."""

    def accept(self, connection: Connection) -> bool:
        """Return whether a new connection may stay.

        An unauthenticated connection is evicted for it if there is one.
        """
        address = connection.transport.get_extra_info("peername")
        connection.host = address[0] if address else ""
        if len(self._connections) >= self._most:
            oldest = self._oldest_unauthenticated(connection.host)
            if oldest is not None:
                self._evict(oldest)
        connection.spare = len(self._connections) >= self._most
        if not connection.spare:
            self._connections[connection] = None
            self._unauthenticated[connection] = None
            self._hosts[connection.host] += 1
        elif len(self._spares) < transport_limits.SPARE_CONNECTIONS:
            self._spares.add(connection)
        else:
            self._refused_connections += 1
            return False
        return True

    def mark_authenticated(self, connection: Connection) -> None:
        """Note that a connection has presented a valid token or made a health call."""
        if self._unauthenticated.pop(connection, connection) is None:
            self._hosts[connection.host] -= 1
            if not self._hosts[connection.host]:
                del self._hosts[connection.host]

    def connection_closed(self, connection: Connection) -> None:
        """Take note that a connection has ended."""
        self.mark_authenticated(connection)
        self._connections.pop(connection, None)
        self._spares.discard(connection)
        if not self._connections and not self._spares:
            self._all_closed.set()

    def _oldest_unauthenticated(self, host: str) -> Connection | None:
        """Return the connection to evict, if any.

        It is one of the same address if many come from there, so a flood evicts no connection of others.
        """
        if not self._is_crowded(host):
            return next(iter(self._unauthenticated), None)
        return next(connection for connection in self._unauthenticated if connection.host == host)

    def _is_crowded(self, host: str) -> bool:
        return host != "" and self._hosts[host] > transport_limits.MAX_UNAUTHENTICATED_PER_HOST

    def _evict(self, connection: Connection) -> None:
        self.connection_closed(connection)
        connection.transport.abort()

    def has_valid_token(self, call: Call) -> bool:
        """Return whether the token of a call is good."""
        return self._authenticator.try_authenticate(call.authorization) is not None

    def open_stream(self, method: Method) -> bool:
        """Return whether there is room for one more conversation of a method, which then counts."""
        if method.max_open is not None and self._open_streams[method.name] >= method.max_open:
            self._refused_streams += 1
            return False
        self._open_streams[method.name] += 1
        return True

    def close_stream(self, method: Method) -> None:
        self._open_streams[method.name] -= 1

    def usage(self) -> Usage:
        """Return what is open, and what was rejected."""
        return Usage(
            connections=len(self._connections) + len(self._spares),
            calls=self.call_limit.most - self.call_limit.left,
            streams=self._open_streams.total(),
            refused_connections=self._refused_connections,
            refused_calls=self.call_limit.refused,
            refused_streams=self._refused_streams,
        )

    async def stop(self, grace: float) -> None:
        """Send all callers elsewhere; calls in flight have `grace` seconds to end."""
        for connection in self._all():
            connection.drain()
        await self._wait_until_closed(grace)
        for connection in self._all():
            connection.end()
        await self._wait_until_closed(_FLUSH_TIMEOUT)
        self.checking.cancel()

    async def _wait_until_closed(self, within: float) -> None:
        """Return when no connection is left, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._all():
                    self._all_closed.clear()
                    await self._all_closed.wait()

    def _all(self) -> list[Connection]:
        return [*self._connections, *self._spares]

    async def _check_all(self) -> None:
        while True:
            await asyncio.sleep(_CHECK_EVERY)
            now = self.loop.time()
            for connection in self._all():
                connection.check(now)
            for connection in list(self._unauthenticated):
                age = now - connection.lifetime.began
                if age > transport_limits.CROWDED_TIMEOUT and self._is_crowded(connection.host):
                    self._evict(connection)
