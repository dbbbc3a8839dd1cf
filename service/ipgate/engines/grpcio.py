"""The grpc.aio engine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc
from grpc_reflection.v1alpha._async import ReflectionServicer

from ipgate.authorizer.identity import Identity
from ipgate.rpc.guard import guarded_stream, handlers
from ipgate.settings import Settings
from ipgate.v1 import admin_pb2, authorize_pb2

ADMIN = "ipgate.v1.AdminService"
AUTHORIZE = "ipgate.v1.AuthorizeService"
_REFLECTION = "grpc.reflection.v1alpha.ServerReflection"

_MAX_METADATA = 16 << 10
_MAX_STREAMS = 1000


@dataclass(frozen=True, slots=True)
class GrpcioEngine:
    """A server that is built and bound, but not started. `port`: where it listens."""

    server: grpc.aio.Server
    health: health.aio.HealthServicer
    port: int

    async def start(self) -> None:
        await self.server.start()

    async def report(self, service: str, *, serving: bool) -> None:
        """Sets the health of a service, "" for all together."""
        status = health_pb2.HealthCheckResponse
        await self.health.set(service, status.SERVING if serving else status.NOT_SERVING)

    async def drain(self) -> None:
        """NOT_SERVING for good, while calls are still answered."""
        await self.health.enter_graceful_shutdown()

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
    server = grpc.aio.server(
        options=(
            ("grpc.so_reuseport", 1),
            ("grpc.max_receive_message_length", settings.max_message_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_metadata_size", _MAX_METADATA),
            ("grpc.max_concurrent_streams", _MAX_STREAMS),
        )
    )
    server.add_generic_rpc_handlers(
        (
            handlers(admin_pb2.DESCRIPTOR.services_by_name["AdminService"], admin, identity),
            handlers(
                authorize_pb2.DESCRIPTOR.services_by_name["AuthorizeService"], authorize, identity
            ),
        )
    )
    health_servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    reflected = ReflectionServicer((ADMIN, AUTHORIZE, health.SERVICE_NAME, reflection.SERVICE_NAME))
    reflected.ServerReflectionInfo = guarded_stream(
        f"{_REFLECTION}/ServerReflectionInfo", reflected.ServerReflectionInfo, identity
    )
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflected, server)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{host}:{port}"
    if settings.tls_cert:
        bound = server.add_secure_port(address, _credentials(settings))
    else:
        bound = server.add_insecure_port(address)
    return GrpcioEngine(server, health_servicer, bound)


def _credentials(settings: Settings) -> Any:
    pair = (Path(settings.tls_key).read_bytes(), Path(settings.tls_cert).read_bytes())
    ca = Path(settings.tls_client_ca).read_bytes() if settings.tls_client_ca else None
    return grpc.ssl_server_credentials([pair], ca, require_client_auth=ca is not None)
