"""The grpc.aio engine."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc

from ipgate.authorizer.identity import Identity
from ipgate.engines import bounds
from ipgate.engines.calls import Door
from ipgate.engines.engine import ADMIN, AUTHORIZE
from ipgate.engines.health import SERVICE as HEALTH
from ipgate.engines.health import Health
from ipgate.engines.reflection import reflecting
from ipgate.engines.unfazed import Server
from ipgate.rpc.guard import Method, Stream
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

    server: Server
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
    settings: Settings, port: int, methods: Mapping[str, Method | Stream], identity: Identity
) -> GrpcioEngine:
    """The server for `settings`, at `port`. Raises RuntimeError if it cannot listen there."""
    # A name is not left to the core: it counts connections for each address apart.
    addresses = settings.addresses()
    most = bounds.most_connections(settings.max_connections) // len(addresses)
    engine = unbound(settings, methods, identity, max(1, most))
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
    methods: Mapping[str, Method | Stream],
    identity: Identity,
    connections: int,
    *options: tuple[str, int],
) -> GrpcioEngine:
    """The server for `settings`, which listens nowhere yet. `options`: more of the core's."""
    server = Server(
        (
            ("grpc.so_reuseport", 1),
            ("grpc.max_receive_message_length", settings.max_message_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_allowed_incoming_connections", connections),
            *_LIMITS,
            *options,
        ),
        settings.max_concurrent_calls,
    )
    reflection = reflecting((ADMIN, AUTHORIZE, HEALTH), identity)
    methods = {**methods, f"/{reflection.name}": reflection}
    health = Health()
    server.add_paths(*methods, f"/{HEALTH}/Check", f"/{HEALTH}/Watch")
    server.add_generic_rpc_handlers((Door(methods, identity), health.handlers()))
    return GrpcioEngine(server, health, port=0)


def _credentials(settings: Settings) -> Any:
    pair = (Path(settings.tls_key).read_bytes(), Path(settings.tls_cert).read_bytes())
    ca = Path(settings.tls_client_ca).read_bytes() if settings.tls_client_ca else None
    return grpc.ssl_server_credentials([pair], ca, require_client_auth=ca is not None)
