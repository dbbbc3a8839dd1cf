"""The grpc.aio engine: the reference, and the exit if the http2 engine should fail."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from ipgate.authorizer.identity import Identity
from ipgate.engines import bounds
from ipgate.engines.engine import ADMIN, AUTHORIZE
from ipgate.engines.grpcio.handlers import Handlers
from ipgate.engines.grpcio.hardened import harden
from ipgate.engines.health import CHECK, LIST, WATCH, Health
from ipgate.engines.health import SERVICE as HEALTH
from ipgate.engines.messages import too_many_calls
from ipgate.engines.reflection import reflecting
from ipgate.engines.room import Room
from ipgate.rpc.pipeline import Method
from ipgate.settings import Settings

_LIMITS = (
    ("grpc.max_metadata_size", bounds.MAX_METADATA),
    ("grpc.absolute_max_metadata_size", bounds.MAX_METADATA),
    ("grpc.max_concurrent_streams", bounds.MAX_STREAMS),
    # The core would widen the windows of streams without regard to whether anybody reads them.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.server_handshake_timeout_ms", bounds.HANDSHAKE * 1000),
    ("grpc.keepalive_time_ms", bounds.PING_AFTER * 1000),
    ("grpc.keepalive_timeout_ms", bounds.PING_TIMEOUT * 1000),
    ("grpc.max_connection_idle_ms", bounds.IDLE * 1000),
    ("grpc.max_connection_age_ms", bounds.AGE * 1000),
    ("grpc.max_connection_age_grace_ms", bounds.AGE_GRACE * 1000),
    # Clients may ping every 10 s, in calls or between them; the third ping too many ends it.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 2),
)


@dataclass(frozen=True, slots=True)
class GrpcioEngine:
    """A server that is built and bound, but not started. `port`: where it listens."""

    server: grpc.aio.Server
    health: Health
    port: int

    async def start(self) -> None:
        await self.server.start()

    async def ended(self) -> None:
        """Returns when the server has ended, by `stop` or by itself."""
        await self.server.wait_for_termination()

    async def stop(self, grace: float) -> None:
        """Takes no more calls; those under way get `grace` seconds."""
        await self.server.stop(grace)


def build(
    settings: Settings, port: int, methods: Mapping[str, Method], identity: Identity
) -> GrpcioEngine:
    """The server for `settings`, at `port`. Raises RuntimeError if it cannot listen there."""
    # A name is not left to the core: it counts connections for each address apart.
    addresses = settings.addresses()
    most = bounds.most_connections(settings.max_connections) // len(addresses)
    room = Room(settings.max_concurrent_calls, too_many_calls)
    engine = unbound(settings, methods, identity, max(1, most), room)
    bound = port
    for each in addresses:
        address = f"[{each}]:{port}" if ":" in each else f"{each}:{port}"
        if settings.tls_cert:
            bound = engine.server.add_secure_port(address, _credentials(settings))
        else:
            bound = engine.server.add_insecure_port(address)
    return replace(engine, port=bound)


def unbound(
    settings: Settings,
    methods: Mapping[str, Method],
    identity: Identity,
    connections: int,
    room: Room,
    *options: tuple[str, int],
) -> GrpcioEngine:
    """The server for `settings`, which listens nowhere yet. `options`: more of the core's."""
    harden()
    server = grpc.aio.server(
        options=(
            ("grpc.so_reuseport", 1),
            ("grpc.max_receive_message_length", settings.max_message_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_allowed_incoming_connections", connections),
            *_LIMITS,
            *options,
        )
    )
    health = Health()
    handlers = Handlers(room, health)
    by_path = {
        path: handlers.of(method)
        for path, method in {
            **methods,
            **reflecting((ADMIN, AUTHORIZE, HEALTH), identity),
        }.items()
    }
    by_path |= {path: handlers.check(path) for path in (CHECK, LIST)}
    by_path[WATCH] = handlers.watch()
    for path, handler in by_path.items():
        _, service, name = path.split("/")
        server.add_registered_method_handlers(service, {name: handler})
    return GrpcioEngine(server, health, port=0)


def _credentials(settings: Settings) -> Any:
    pair = (Path(settings.tls_key).read_bytes(), Path(settings.tls_cert).read_bytes())
    ca = Path(settings.tls_client_ca).read_bytes() if settings.tls_client_ca else None
    return grpc.ssl_server_credentials([pair], ca, require_client_auth=ca is not None)
