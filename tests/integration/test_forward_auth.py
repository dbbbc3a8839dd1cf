"""Forward auth: by a plain HTTP client, and by nginx and Caddy themselves with the configurations of examples/."""

import http.client
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from ipgate.domain.forwarded import NO_PROXIES, TrustedProxies, client_address
from ipgate.v1 import admin_pb2 as admin

from tests.harness import gateways
from tests.harness.forwarded import cases, files
from tests.harness.gateways import Answer, Headers
from tests.harness.groups import free_ports, freeze, thaw
from tests.harness.servers import ROOT_TOKEN, Client, Server, rejection, serving
from tests.harness.sources import ROOT
from tests.harness.stores import StoreServer
from tests.harness.waiting import eventually

INSIDE, OUTSIDE, PROXY = "127.0.0.1", "127.0.0.2", "127.0.0.3"
CLIENT = "192.0.2.1"
EXAMPLES = ROOT / "examples"
GATEWAYS = {
    "nginx": ("nginx/nginx.conf", ("nginx", "-p", ".", "-c", "nginx.conf")),
    "caddy": (
        "caddy/Caddyfile",
        ("caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"),
    ),
}
SPOOFED = ("x-ipgate-api-key", "x-ipgate-reason", "x-ipgate-allow-list")


@dataclass(frozen=True)
class Running:
    """`port`: of forward auth, or of the gateway that uses it."""

    port: int
    server: Server
    client: Client
    workspace: str
    token: Any
    keys: dict[str, str]

    def ask(self, key: str = "", *headers: tuple[str, str], **options: Any) -> Answer:
        named = [("x-api-key", self.keys.get(key, key))] if key else []
        return gateways.ask(self.port, [*named, *headers], **options)


@contextmanager
def forward_auth(directory: Path, *flags: str, inside: str = INSIDE) -> Iterator[Running]:
    port, server_port = free_ports(2)
    listen = ("--listen", f"127.0.0.1:{server_port}", "--check-listen", f"127.0.0.1:{port}")
    with serving(directory, *listen, *flags) as server:
        client = server.client()
        workspace = client.workspace()
        keys = gateways.create_keys(client, workspace, inside)
        token = client.access_token("AUTHORIZER", workspace)
        yield Running(port, server, client, workspace, token, keys)


def test_forward_auth_answers_gateways_that_show_their_token(tmp_path: Path) -> None:
    """200 with headers for the upstream, 401 without a key, 403 for a denial, 503 without a decision."""
    with forward_auth(tmp_path, inside=CLIENT) as running:
        token, inside = ("x-ipgate-token", running.token.token), ("x-forwarded-for", CLIENT)

        def check(key: str, *headers: tuple[str, str], path: str = "/check") -> Answer:
            return running.ask(key, token, *headers, path=path)

        allowed = check("ci", inside)
        assert (allowed.status, allowed.body) == (200, "")
        assert {name: allowed.headers.get(name) for name in SPOOFED} == {
            "x-ipgate-api-key": f"{running.workspace}/apiKeys/ci",
            "x-ipgate-reason": "LINKED_LIST_MATCH",
            "x-ipgate-allow-list": f"{running.workspace}/allowLists/office",
        }
        assert check("open", inside).headers["x-ipgate-allow-list"] == ""
        reported = check("reporting", ("x-forwarded-for", OUTSIDE))
        assert (reported.status, reported.headers["x-ipgate-reason"]) == (
            200,
            "NOT_IN_LINKED_LISTS",
        )
        missing = check("", inside)
        assert (missing.status, missing.headers["www-authenticate"]) == (401, "ApiKey")
        for denied in (
            check("ci"),
            check("ci", ("x-forwarded-for", OUTSIDE)),
            check("ci", inside, ("forwarded", f"for={OUTSIDE}")),
            check("off", inside),
            check("unknown", inside),
            check("k" * 3000, inside),
        ):
            assert (denied.status, denied.body) == (403, '{"detail":"Forbidden"}')
            assert not [name for name in denied.headers if "ipgate" in name]
        assert check("ci", inside, path="/").status == 404
        assert check("ci", inside, path="/check/x").status == 404

        viewer = running.client.access_token("WORKSPACE_VIEWER", running.workspace).token
        foreign = running.client.access_token("AUTHORIZER", running.client.workspace()).token
        for tokens, status in (
            ([], 503),
            (["wrong"], 503),
            ([viewer], 503),
            ([ROOT_TOKEN, ROOT_TOKEN], 503),
            ([foreign], 403),
            ([ROOT_TOKEN], 200),
        ):
            shown = [("x-ipgate-token", text) for text in tokens]
            assert running.ask("ci", inside, *shown, path="/check").status == status, tokens
        log = running.server.log.read_text()
        assert log.count("forward auth cannot decide") == 1, "one warning"
        assert viewer not in log
        assert running.keys["ci"] not in log


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ([("X-My-Key", "KEY")], "/check"),
        ([("Authorization", "Bearer KEY")], "/check"),
        ([], "/check?k=KEY"),
        ([("X-Forwarded-Uri", "/orders?a=b&k=KEY")], "/check"),
    ],
)
def test_a_key_is_where_the_setting_says(tmp_path: Path, headers: Headers, path: str) -> None:
    """As with Envoy."""
    with forward_auth(tmp_path, "--gateway-key", "x-my-key,authorization,?k") as running:
        key = running.keys["ci"]
        asked = [(name, value.replace("KEY", key)) for name, value in headers]
        token = ("x-ipgate-token", running.token.token)
        path = path.replace("KEY", key)
        for address, status in ((INSIDE, 200), (OUTSIDE, 403)):
            hop = ("x-forwarded-for", address)
            assert running.ask("", token, hop, *asked, path=path).status == status
        assert running.ask("ci", token, path="/check").status == 401


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_the_address_follows_as_everywhere(path: Path, tmp_path: Path) -> None:
    """By the shared cases of trusted peers, which a gateway with a token is, as far as HTTP can carry them."""
    wanted = cases(path)
    trusted = TrustedProxies(wanted[0].trusted_proxies)
    with forward_auth(
        tmp_path, "--trusted-proxies", ",".join(wanted[0].trusted_proxies)
    ) as running:
        token = ("x-ipgate-token", running.token.token)
        for case in wanted:
            peer = client_address(case.peer, (), (), NO_PROXIES)
            is_trusted = (
                trusted.unix if case.peer == "unix" else peer is not None and peer in trusted
            )
            sent = case.headers()
            if not is_trusted or not all(_is_carried(value) for _, value in sent):
                continue
            answer = running.ask("open", token, *sent, path="/check")
            assert answer.status == (200 if case.address else 403), case.name


def _is_carried(value: str) -> bool:
    return len(value) < 60_000 and value.isascii()


def test_a_port_that_is_taken_is_an_error(tmp_path: Path) -> None:
    """With the remedy, before anything is served."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = rejection("--data-dir", str(tmp_path), "--check-listen", f"127.0.0.1:{port}")
    assert f"--check-listen 127.0.0.1:{port}: Address already in use; choose another" in said


def test_silent_connections_keep_no_gateway_out(tmp_path: Path) -> None:
    """Those that wait for the longest are closed for new ones."""
    with forward_auth(tmp_path, "--max-concurrent-calls", "20") as running, ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(socket.create_connection(("127.0.0.1", running.port)))
        headers = (("x-ipgate-token", running.token.token), ("x-forwarded-for", INSIDE))
        eventually(
            lambda: running.ask("ci", *headers, path="/check").status == 200,
            "a gateway has its answer",
        )


def test_headers_may_come_in_pieces(tmp_path: Path) -> None:
    """As large as gateways pass them on."""
    with forward_auth(tmp_path) as running:
        lines = (
            "GET /check HTTP/1.1\r\nhost: a\r\nconnection: close\r\n"
            f"x-ipgate-token: {running.token.token}\r\nx-api-key: {running.keys['ci']}\r\n"
            f"x-forwarded-for: {INSIDE}\r\nx: {'x' * 60_000}\r\n\r\n"
        ).encode()
        with socket.create_connection(("127.0.0.1", running.port)) as connection:
            for start in range(0, len(lines), 10_000):
                connection.sendall(lines[start : start + 10_000])
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 200")


def test_a_worker_that_waits_for_the_store_takes_no_gateway(tmp_path: Path) -> None:
    """Its connections would hang until it serves, while other workers could answer."""
    (port,) = free_ports(1)
    store = StoreServer(tmp_path / "store").start()
    options = ("--redis-url", store.url, "--workers", "2", "--check-listen", f"127.0.0.1:{port}")
    try:
        with serving(tmp_path / "server", *options) as server:
            client = server.client()
            key = client.key(client.workspace(), "k").credential
            headers = [("x-ipgate-token", ROOT_TOKEN), ("x-forwarded-for", INSIDE)]

            def status() -> int:
                return gateways.ask(port, [*headers, ("x-api-key", key)], path="/check").status

            for _ in range(20):
                assert status() == 200
            workers = server.workers()
            freeze(store)
            os.kill(workers[0], signal.SIGKILL)
            eventually(lambda: set(server.workers()) - set(workers), "another worker starts")
            # The new worker waits for the store now; what is asked in the meantime has an answer.
            for _ in range(20):
                assert status() in (200, 503)
            thaw(store)
    finally:
        thaw(store)
        store.stop()


def test_forward_auth_has_the_tls_of_the_server(tmp_path: Path) -> None:
    """And takes other files while it serves."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trusted = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))

    def issue() -> bytes:
        certificate = authority.issue_cert("127.0.0.1")
        certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
        certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
        return ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())

    def served(port: int) -> tuple[bytes | None, int]:
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=trusted, timeout=10)
        connection.request("GET", "/check")
        shown = connection.sock.getpeercert(binary_form=True)
        status = connection.getresponse().status
        connection.close()
        return shown, status

    (port,) = free_ports(1)
    first = issue()
    files = ("--tls-cert", f"{tmp_path}/cert.pem", "--tls-key", f"{tmp_path}/key.pem")
    with serving(tmp_path / "server", "--check-listen", f"127.0.0.1:{port}", *files):
        assert served(port) == (first, 503)
        second = issue()
        eventually(lambda: served(port) == (second, 503), "the new certificate is served")


@pytest.fixture(params=GATEWAYS)
def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """nginx or Caddy by its example, with an upstream behind it."""
    file, command = GATEWAYS[request.param]
    (port,) = free_ports(1)
    with (
        gateways.upstream() as backend,
        forward_auth(tmp_path, "--envoy-external-address") as running,
    ):
        text = (EXAMPLES / file).read_text().replace("TOKEN", running.token.token)
        for old, new in ((8080, port), (9191, running.port), (8000, backend)):
            assert f":{old}" in text
            text = text.replace(f":{old}", f":{new}")
        (tmp_path / Path(file).name).write_text(text)
        with gateways.running(list(command), port, tmp_path / "gateway.log"):
            yield Running(
                port, running.server, running.client, running.workspace, running.token, running.keys
            )


def test_a_gateway_lets_only_allowed_requests_through(gateway: Running, tmp_path: Path) -> None:
    """Whatever a client sends, and whatever becomes of ipgate."""
    _decisions(gateway)
    _spoofed(gateway)
    _faults(gateway)
    assert gateway.keys["ci"] not in (tmp_path / "gateway.log").read_text()


def _decisions(gateway: Running) -> None:
    allowed = gateway.ask("ci")
    assert allowed.upstream
    assert {name: allowed.upstream.get(name) for name in SPOOFED} == {
        "x-ipgate-api-key": [f"{gateway.workspace}/apiKeys/ci"],
        "x-ipgate-reason": ["LINKED_LIST_MATCH"],
        "x-ipgate-allow-list": [f"{gateway.workspace}/allowLists/office"],
    }
    assert "x-ipgate-token" not in allowed.upstream
    for key in ("ci", "off", "unknown"):
        denied = gateway.ask(key, source=OUTSIDE)
        assert denied.status == 403
        assert not [name for name in denied.headers if "ipgate" in name]
    missing = gateway.ask()
    assert (missing.status, missing.headers["www-authenticate"]) == (401, "ApiKey")
    assert gateway.ask("reporting", source=OUTSIDE).status == 200
    assert gateway.ask("", path="/healthz").status == 200
    for path in ("/healthz/", "/healthz/x", "/ipgate", "/check"):
        assert gateway.ask("", path=path).status in (401, 404), path


def _spoofed(gateway: Running) -> None:
    names = (*SPOOFED, *SPOOFED, *(name.replace("-", "_") for name in SPOOFED), "x-ipgate_reason")
    copies = [(name, "spoofed") for name in names]
    without_key = gateway.ask("", *copies, path="/healthz")
    assert without_key.status == 200
    assert "spoofed" not in without_key.body
    for key in ("ci", "open"):
        upstream = gateway.ask(key, *copies).upstream
        assert upstream
        values = [value for name in SPOOFED for value in upstream.get(name, [])]
        assert "spoofed" not in ",".join(values)
        assert len([value for value in values if value]) == (3 if key == "ci" else 2)
        assert "spoofed" not in str(upstream)
    hop = ("Connection", ", ".join(SPOOFED))
    named = gateway.ask("ci", hop)
    assert named.status == 400 or (named.upstream or {})["x-ipgate-reason"] == ["LINKED_LIST_MATCH"]
    for path in ("/orders/..%2fhealthz", "/orders/%2e%2e/healthz", "//healthz", "/HEALTHZ"):
        answer = gateway.ask("", path=path)
        if answer.upstream is not None:
            assert answer.upstream["seen-path"] == ["/healthz"], path
    for header, value in (
        ("X-Forwarded-For", INSIDE),
        ("X-Forwarded-For", f"{INSIDE}, {INSIDE}"),
        ("X_Forwarded_For", INSIDE),
        ("Forwarded", f"for={INSIDE}"),
        ("X-Real-Ip", INSIDE),
        ("X-Envoy-External-Address", INSIDE),
        ("X-Forwarded-Uri", "/check"),
        ("X-Ipgate-Token", ROOT_TOKEN),
    ):
        assert gateway.ask("ci", (header, value), source=OUTSIDE).status == 403, header
        assert gateway.ask("ci", (header, value)).status == 200, header
    assert gateway.ask("ci", ("x-api-key", "k")).status in (401, 403)


def _faults(gateway: Running) -> None:
    workers = gateway.server.workers()
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    assert gateway.ask("ci").status == 503
    for worker in workers:
        os.kill(worker, signal.SIGCONT)
    eventually(lambda: gateway.ask("ci").status == 200, "it answers again")
    request = admin.RevokeAccessTokenRequest(name=gateway.token.access_token.name)
    revision = gateway.client.call("RevokeAccessToken", request).revision
    gateway.client.call("WaitForRevision", admin.WaitForRevisionRequest(revision=revision))
    for key in ("ci", "open", "unknown", ""):
        assert gateway.ask(key).status == 503
    gateway.server.stop()
    for key in ("ci", "open", "unknown", ""):
        assert gateway.ask(key).status == 503
