"""All connections of the http2 engine together: who may connect, and how they end."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

from ipgate.authorizer.authentication import Authenticator
from ipgate.engines import transport_limits
from ipgate.engines.health import CHECK, LIST, MAX_CHECKS, WATCH, Health, too_many_checks
from ipgate.engines.http2.call import Call
from ipgate.engines.http2.connection import Connection
from ipgate.engines.messages import too_many_calls
from ipgate.engines.room import Room
from ipgate.rpc.pipeline import Method

_CHECK_EVERY = 1.0
_LAST_WORDS = 1.0
"""Seconds for the last bytes of connections that are ended."""


class Http2Server:
    """`most_connections`: there are a few more for health calls alone."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        authenticator: Authenticator,
        *,
        most_calls: int,
        most_connections: int,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.methods = {path.encode(): method for path, method in methods.items()}
        self.health = Health()
        self.health_paths = frozenset(path.encode() for path in (CHECK, LIST, WATCH))
        self.room = Room(most_calls, too_many_calls)
        self.checks = Room(MAX_CHECKS, too_many_checks)
        self._authenticator = authenticator
        self._most = most_connections
        self._connections: dict[Connection, None] = {}
        self._strangers: dict[Connection, None] = {}
        self._spares: set[Connection] = set()
        self._hosts = Counter[str]()
        self._conversing = Counter[str]()
        self._none_left = asyncio.Event()
        self.checking = self.loop.create_task(self._check_all())
        """Applies the bounds of time. A server must not outlive it."""

    def accepts(self, connection: Connection) -> bool:
        """Whether a new connection may stay. A stranger makes room for it if there is one."""
        address = connection.transport.get_extra_info("peername")
        connection.host = address[0] if address else ""
        if len(self._connections) >= self._most:
            oldest = self._oldest_stranger(connection.host)
            if oldest is not None:
                self._evict(oldest)
        connection.spare = len(self._connections) >= self._most
        if not connection.spare:
            self._connections[connection] = None
            self._strangers[connection] = None
            self._hosts[connection.host] += 1
        elif len(self._spares) < transport_limits.SPARE_CONNECTIONS:
            self._spares.add(connection)
        else:
            return False
        return True

    def trusts(self, connection: Connection) -> None:
        """Takes note that a connection is no stranger's."""
        if self._strangers.pop(connection, connection) is None:
            self._hosts[connection.host] -= 1
            if not self._hosts[connection.host]:
                del self._hosts[connection.host]

    def lost(self, connection: Connection) -> None:
        """Takes note that a connection has ended."""
        self.trusts(connection)
        self._connections.pop(connection, None)
        self._spares.discard(connection)
        if not self._connections and not self._spares:
            self._none_left.set()

    def _oldest_stranger(self, host: str) -> Connection | None:
        """That of the same address if many come from there: a flood takes no places from others."""
        if not self._is_crowded(host):
            return next(iter(self._strangers), None)
        return next(stranger for stranger in self._strangers if stranger.host == host)

    def _is_crowded(self, host: str) -> bool:
        return host != "" and self._hosts[host] > transport_limits.STRANGERS_OF_A_HOST

    def _evict(self, connection: Connection) -> None:
        self.lost(connection)
        connection.transport.abort()

    def knows(self, call: Call) -> bool:
        """Whether the token of a call is good."""
        return self._authenticator.try_authenticate(call.authorization) is not None

    def enter(self, method: Method) -> bool:
        """Whether there is room for one more conversation of a method, which then counts."""
        if method.most_open is not None and self._conversing[method.name] >= method.most_open:
            return False
        self._conversing[method.name] += 1
        return True

    def leave(self, method: Method) -> None:
        self._conversing[method.name] -= 1

    async def stop(self, grace: float) -> None:
        """Sends all callers elsewhere; calls in flight have `grace` seconds to end."""
        for connection in self._all():
            connection.drain()
        await self._all_lost(grace)
        for connection in self._all():
            connection.end()
        await self._all_lost(_LAST_WORDS)
        self.checking.cancel()

    async def _all_lost(self, within: float) -> None:
        """Returns when no connection is left, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._all():
                    self._none_left.clear()
                    await self._none_left.wait()

    def _all(self) -> list[Connection]:
        return [*self._connections, *self._spares]

    async def _check_all(self) -> None:
        while True:
            await asyncio.sleep(_CHECK_EVERY)
            now = self.loop.time()
            for connection in self._all():
                connection.check(now)
            for stranger in list(self._strangers):
                age = now - stranger.life.began
                if age > transport_limits.STRANGER_HASTE and self._is_crowded(stranger.host):
                    self._evict(stranger)
