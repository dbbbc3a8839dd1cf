"""The grpc.aio engine."""

import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from ipgate.authorizer.identity import Identity
from ipgate.engines.calls import Door
from ipgate.engines.health import SERVICE as HEALTH
from ipgate.engines.health import Health
from ipgate.engines.reflection import reflecting
from ipgate.engines.unfazed import Server
from ipgate.rpc.guard import guarded
from ipgate.settings import Settings
from ipgate.v1 import admin_pb2, authorize_pb2

ADMIN = "ipgate.v1.AdminService"
AUTHORIZE = "ipgate.v1.AuthorizeService"

_MAX_METADATA = 16 << 10

_OTHER_FILES = 200
"""Files that a worker needs open aside from its connections; those to the store are most of them."""

_LIMITS = (
    ("grpc.max_metadata_size", _MAX_METADATA),
    ("grpc.absolute_max_metadata_size", _MAX_METADATA),
    ("grpc.max_concurrent_streams", 256),
    # A connection that does not get as far as HTTP/2.
    ("grpc.server_handshake_timeout_ms", 10_000),
    # One whose peer is gone without a word, or has nothing to ask. Age ends calls that never would.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.max_connection_idle_ms", 600_000),
    ("grpc.max_connection_age_ms", 3_600_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
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

    async def stop(self, grace: float) -> None:
        """Takes no more calls; those under way get `grace` seconds."""
        await self.server.stop(grace)


def build(
    settings: Settings,
    port: int,
    identity: Identity,
    *,
    admin: list[object],
    authorize: list[object],
) -> GrpcioEngine:
    """The server for `settings`, at `port`. Raises RuntimeError if it cannot listen there."""
    server = Server(
        (
            ("grpc.so_reuseport", 1),
            ("grpc.max_receive_message_length", settings.max_message_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_allowed_incoming_connections", _connections(settings.max_connections)),
            *_LIMITS,
        ),
        settings.max_concurrent_calls,
    )
    methods = guarded(admin_pb2.DESCRIPTOR.services_by_name["AdminService"], admin, identity)
    methods |= guarded(
        authorize_pb2.DESCRIPTOR.services_by_name["AuthorizeService"], authorize, identity
    )
    reflection = reflecting((ADMIN, AUTHORIZE, HEALTH), identity)
    methods[f"/{reflection.name}"] = reflection
    health = Health()
    server.add_paths(*methods, f"/{HEALTH}/Check", f"/{HEALTH}/Watch")
    server.add_generic_rpc_handlers((Door(methods, identity), health.handlers()))
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{host}:{port}"
    if settings.tls_cert:
        bound = server.add_secure_port(address, _credentials(settings))
    else:
        bound = server.add_insecure_port(address)
    return GrpcioEngine(server, health, bound)


def _connections(wanted: int) -> int:
    """How many connections there may be, so that there are always files left for the store."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - _OTHER_FILES))


def _credentials(settings: Settings) -> Any:
    pair = (Path(settings.tls_key).read_bytes(), Path(settings.tls_cert).read_bytes())
    ca = Path(settings.tls_client_ca).read_bytes() if settings.tls_client_ca else None
    return grpc.ssl_server_credentials([pair], ca, require_client_auth=ca is not None)
