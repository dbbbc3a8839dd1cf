"""The Envoy engine, as seen from the interpreter inside Envoy: Authorize and BatchAuthorize come
through ASGI, all other methods through grpc.aio behind the same Envoy."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ipgate.authorizer.identity import Identity
from ipgate.engines import grpcio
from ipgate.engines.asgi import AsgiCalls
from ipgate.engines.envoy_config import (
    HOSTED,
    SERVICE,
    STARTED,
    UNDER_WAY,
    admin_socket,
    inner_socket,
)
from ipgate.engines.health import Health
from ipgate.engines.messages import too_many_calls
from ipgate.engines.room import Room
from ipgate.rpc.pipeline import Method
from ipgate.settings import Settings

_POLL = 0.02
_PATIENCE = 2.0
"""Seconds within which Envoy must answer a command."""

_MANY = 1 << 20
"""Connections to grpc.aio, which are Envoy's; it bounds those of the callers."""


_NO_TABLE = ("grpc.http2.hpack_table_size.decoder", 0)
"""All callers share Envoy's connections to grpc.aio. Its core remembers in the table of headers that
one could not be parsed, and would refuse whoever sends another value of it next (grpcio 1.85)."""


@dataclass(frozen=True, slots=True)
class EnvoyEngine:
    """`built`: called when this side is ready, so that Envoy may begin to listen."""

    inner: grpcio.GrpcioEngine
    calls: AsgiCalls
    admin: Path
    built: Callable[[], None]

    @property
    def health(self) -> Health:
        return self.inner.health

    async def start(self) -> None:
        await self.inner.start()
        self.built()
        while not await self._listens():  # noqa: ASYNC110  it is another program that is waited for
            await asyncio.sleep(_POLL)

    async def stop(self, grace: float) -> None:
        """Takes no more calls; those under way get `grace` seconds."""
        # Callers are told with their next answer to go elsewhere.
        await self._told("POST", "/healthcheck/fail")
        await self._told("POST", "/drain_listeners")
        await asyncio.gather(self._idle(grace), self.inner.stop(grace))

    async def _idle(self, grace: float) -> None:
        """Returns when all callers have their answers, or the grace is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self.calls.idle()
                while await self._sends():  # noqa: ASYNC110  it is another program that is waited for
                    await asyncio.sleep(_POLL)

    async def _sends(self) -> bool:
        """Whether Envoy has answers that are not yet with their callers."""
        counts = await self._told("GET", f"/stats?filter={UNDER_WAY}")
        found = [line for line in counts.splitlines() if f".{UNDER_WAY}: " in line]
        return any(
            not line.startswith("http.admin.") and not line.endswith(": 0") for line in found
        )

    async def ended(self) -> None:
        await self.inner.ended()

    async def _listens(self) -> bool:
        return f"{STARTED}: 1" in await self._told("GET", f"/stats?filter={STARTED}")

    async def _told(self, method: str, path: str) -> str:
        """Envoy's answer to a command; "" if it does not answer."""
        request = f"{method} {path} HTTP/1.1\r\nHost: ipgate\r\nConnection: close\r\n\r\n"
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                reader, writer = await asyncio.open_unix_connection(self.admin)
                try:
                    writer.write(request.encode())
                    return (await reader.read()).decode()
                finally:
                    writer.close()
        return ""


def build(
    settings: Settings,
    _port: int,
    methods: Mapping[str, Method],
    identity: Identity,
    *,
    directory: Path,
    calls: AsgiCalls,
    built: Callable[[], None],
) -> EnvoyEngine:
    """The engine of a worker whose Envoy was told to use `directory`."""
    room = Room(settings.max_concurrent_calls, too_many_calls)
    inner = grpcio.unbound(settings, methods, identity, _MANY, room, _NO_TABLE)
    inner.server.add_insecure_port(f"unix:{inner_socket(directory)}")
    hosted = {path: method for path, method in methods.items() if path in _HOSTED}
    calls.open(hosted, room, most_bytes=settings.max_message_bytes)
    return EnvoyEngine(inner, calls, admin_socket(directory), built)


_HOSTED = frozenset(SERVICE + name for name in HOSTED)
