"""The grpc.aio engine: the reference, and the exit if the http2 engine should fail."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from ipgate.authorizer.authentication import Authenticator
from ipgate.engines import transport_limits
from ipgate.engines.call_limit import CallLimit
from ipgate.engines.engine import Usage
from ipgate.engines.grpcio.handlers import Handlers
from ipgate.engines.grpcio.hardened import harden
from ipgate.engines.health import CHECK, LIST, WATCH, Health
from ipgate.engines.health import SERVICE as HEALTH
from ipgate.engines.listen_address import UNIX_UMASK, ListenAddress
from ipgate.engines.messages import too_many_calls
from ipgate.engines.reflection import reflecting
from ipgate.engines.tls import TlsFiles
from ipgate.metrics.families import ADMIN, AUTHORIZE
from ipgate.rpc.pipeline import Method
from ipgate.settings import Settings

_LIMITS = (
    ("grpc.max_metadata_size", transport_limits.MAX_METADATA),
    ("grpc.absolute_max_metadata_size", transport_limits.MAX_METADATA),
    ("grpc.max_concurrent_streams", transport_limits.MAX_STREAMS),
    # The core would widen the windows of streams without regard to whether anybody reads them.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.server_handshake_timeout_ms", transport_limits.HANDSHAKE_TIMEOUT * 1000),
    ("grpc.keepalive_time_ms", transport_limits.KEEPALIVE_TIME * 1000),
    ("grpc.keepalive_timeout_ms", transport_limits.KEEPALIVE_TIMEOUT * 1000),
    ("grpc.max_connection_idle_ms", transport_limits.IDLE_TIMEOUT * 1000),
    ("grpc.max_connection_age_ms", transport_limits.MAX_AGE * 1000),
    ("grpc.max_connection_age_grace_ms", transport_limits.MAX_AGE_GRACE * 1000),
    # Clients may ping every 10 s, in calls or between them; the third ping too many ends it.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 2),
)


@dataclass(frozen=True, slots=True)
class GrpcioEngine:
    """A server that is built and bound, but not started.

    `port`: where it listens.
    """

    server: grpc.aio.Server
    handlers: Handlers
    port: int
    certificates: "Certificates"

    @property
    def health(self) -> Health:
        return self.handlers.health

    def usage(self) -> Usage:
        return self.handlers.usage()

    async def start(self) -> None:
        await self.server.start()

    async def ended(self) -> None:
        """Return when the server has ended, by `stop` or unexpectedly."""
        await self.server.wait_for_termination()

    def replace_tls(self, files: TlsFiles) -> None:
        """Serve new connections with these."""
        self.certificates.replace(files)

    async def stop(self, grace: float) -> None:
        """Take no more calls; those in flight get `grace` seconds."""
        await self.server.stop(grace)


def build(
    settings: Settings,
    listen_address: ListenAddress,
    methods: Mapping[str, Method],
    authenticator: Authenticator,
    tls: TlsFiles | None = None,
) -> GrpcioEngine:
    """Return the server for `settings`.

    Raises: RuntimeError if it cannot listen there.
    """
    certificates = Certificates(tls)
    # A name is not left to the core: it counts connections for each address separately.
    hosts = [] if listen_address.path else settings.addresses()
    most = transport_limits.usable_connections(
        settings.max_connections, forward_auth=bool(settings.check_listen)
    ) // max(1, len(hosts))
    server, handlers = _server(settings, methods, authenticator, max(1, most))
    addresses = [
        f"[{host}]:{listen_address.port}" if ":" in host else f"{host}:{listen_address.port}"
        for host in hosts
    ]
    bound = listen_address.port
    former = os.umask(UNIX_UMASK) if listen_address.path else None
    for address in addresses or [f"unix:{listen_address.path}"]:
        if tls is not None:
            bound = server.add_secure_port(address, certificates.credentials())
        else:
            bound = server.add_insecure_port(address)
    if former is not None:
        os.umask(former)
    return GrpcioEngine(server, handlers, bound, certificates)


def _server(
    settings: Settings,
    methods: Mapping[str, Method],
    authenticator: Authenticator,
    connections: int,
) -> tuple[grpc.aio.Server, Handlers]:
    """Return the server, which listens nowhere yet."""
    harden()
    server = grpc.aio.server(
        options=(
            ("grpc.so_reuseport", 1),
            ("grpc.max_receive_message_length", settings.max_message_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_allowed_incoming_connections", connections),
            *_LIMITS,
        )
    )
    limit = CallLimit(settings.max_concurrent_calls, too_many_calls)
    handlers = Handlers(limit, Health())
    by_path = {
        path: handlers.of(method)
        for path, method in {
            **methods,
            **reflecting((ADMIN, AUTHORIZE, HEALTH), authenticator),
        }.items()
    }
    by_path |= {path: handlers.check(path) for path in (CHECK, LIST)}
    by_path[WATCH] = handlers.watch()
    for path, handler in by_path.items():
        _, service, name = path.split("/")
        server.add_registered_method_handlers(service, {name: handler})
    return server, handlers


class Certificates:
    """What new connections are served with."""

    def __init__(self, files: TlsFiles | None) -> None:
        self._files = files
        self._is_new = False

    def replace(self, files: TlsFiles) -> None:
        self._files = files
        self._is_new = True

    def credentials(self) -> Any:
        """Ask `_latest` at each handshake, from a thread of gRPC's core."""
        assert self._files is not None
        return grpc.dynamic_ssl_server_credentials(
            self._configuration(),
            self._latest,
            require_client_authentication=bool(self._files.client_ca),
        )

    def _latest(self) -> Any:
        """Return None if nothing has changed."""
        if not self._is_new:
            return None
        self._is_new = False
        return self._configuration()

    def _configuration(self) -> Any:
        files = self._files
        assert files is not None
        return grpc.ssl_server_certificate_configuration(
            [(files.key.encode(), files.chain.encode())],
            files.client_ca.encode() if files.client_ca else None,
        )
