"""The examples of the client library, started as their users start them, and attacked."""

import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from ipgate.v1 import admin_pb2 as admin

from tests.harness.examples import COMMANDS, DIRECTORY, Example, get, running
from tests.harness.servers import Server, serving
from tests.harness.waiting import eventually

INSIDE, OUTSIDE = "192.0.2.1", "198.51.100.1"
LONGEST = 30


def test_each_integration_has_an_example() -> None:
    """Of at most 30 lines."""
    examples = {path.stem: path.read_text() for path in DIRECTORY.glob("*.py")}
    assert set(examples) == set(COMMANDS)
    for name, text in examples.items():
        assert len(text.splitlines()) <= LONGEST, name


@pytest.mark.parametrize("name", COMMANDS)
def test_an_example_lets_only_allowed_requests_through(
    name: str, tmp_path: Path, free_port: int
) -> None:
    """Whoever attacks it by keys, headers, paths or faults of ipgate gets 401, 403 or 503."""
    address = _free_address()
    token_file = tmp_path / "token"
    with serving(tmp_path / "server", "--listen", address) as server:
        client = server.client()
        workspace = client.workspace()
        created = client.key(workspace, "ci")
        client.link(client.allow_list(workspace, "office", [INSIDE]).name, created.api_key.name)
        token = client.access_token("AUTHORIZER")
        token_file.write_text(token.token)
        with running(name, address, token_file, free_port, tmp_path) as example:
            _attack(example, str(created.credential), str(created.api_key.name))
            _freeze(example, server, str(created.credential))
            _revoke(example, server, token, token_file, str(created.credential))
            server.stop()
            assert _allowed(example, str(created.credential)) == 503
            with serving(tmp_path / "server", "--listen", address):
                eventually(
                    lambda: _allowed(example, str(created.credential)) == 200,
                    "it answers again",
                )
            assert str(created.credential) not in example.log.read_text()


def _allowed(example: Example, key: str) -> int:
    """The status that the owner of the key gets."""
    headers = [("X-Api-Key", key), ("X-Forwarded-For", INSIDE)]
    return example.ask(headers, proxied=True)[0]


def _attack(example: Example, key: str, name: str) -> None:
    key_header, inside = ("X-Api-Key", key), ("X-Forwarded-For", INSIDE)

    def ask(*headers: tuple[str, str]) -> int:
        return example.ask(list(headers), proxied=True)[0]

    status, body = example.ask([key_header, inside], proxied=True)
    assert status == 200
    assert name in body

    assert ask(inside) == 401
    assert ask(("X-Api-Key", ""), inside) == 401
    assert ask(("Authorization", f"Bearer {key}"), inside) == 401
    assert ask(("X-Api-Key", "wrong"), inside) == 403
    assert ask(("X-Api-Key", name), inside) == 403, "a name is no credential"
    assert ask(("X-Api-Key", "k" * 5000), inside) in (403, 431)
    assert ask(key_header, key_header, inside) in (401, 403)

    assert example.ask([key_header, inside])[0] == 403, "the peer is no proxy"
    assert ask(key_header) == 403
    assert ask(key_header, ("X-Forwarded-For", OUTSIDE)) == 403
    assert ask(key_header, ("X-Forwarded-For", f"{INSIDE}, {OUTSIDE}")) == 403
    assert ask(key_header, inside, ("X-Forwarded-For", OUTSIDE)) == 403
    assert ask(key_header, ("X-Forwarded-For", f"{INSIDE}, unknown")) == 403
    assert ask(key_header, ("X-Forwarded-For", OUTSIDE), ("Forwarded", f"for={INSIDE}")) == 403
    assert ask(key_header, inside, ("Forwarded", f"for={INSIDE}")) == 200
    assert ask(key_header, ("X-Real-Ip", INSIDE)) == 403

    if example.is_grpc:
        return
    # Both names are one to WSGI, and the proxy knows only the first.
    assert ask(key_header, ("X-Forwarded-For", OUTSIDE), ("X_Forwarded_For", INSIDE)) == 403
    status, body = example.ask([("X-Api-Key", "wrong"), inside], proxied=True)
    assert (status, body) == (403, '{"detail":"Forbidden"}'), "it says nothing more"
    for path in ("/orders/", "//orders", "/healthz/", "//healthz", "/healthz/../orders", "/none"):
        status, body = get(example.port, path, [])
        # Some servers make one slash of two before the application sees it.
        assert status != 200 or body == "ok", path
    if example.name != "fastapi_app":
        assert get(example.port, "/healthz", []) == (200, "ok")
        assert get(example.port, "/healthz?/orders", [])[0] == 200


def _freeze(example: Example, server: Server, key: str) -> None:
    """A worker that does not answer is a denial, and no longer than it does not."""
    workers = server.workers()
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    assert _allowed(example, key) == 503
    for worker in workers:
        os.kill(worker, signal.SIGCONT)
    eventually(lambda: _allowed(example, key) == 200, "it answers again")


def _revoke(example: Example, server: Server, token: Any, file: Path, key: str) -> None:
    """A revoked token is a denial, until the file has another one."""
    client = server.client()
    request = admin.RevokeAccessTokenRequest(name=token.access_token.name)
    revision = client.call("RevokeAccessToken", request).revision
    client.call("WaitForRevision", admin.WaitForRevisionRequest(revision=revision))
    assert _allowed(example, key) == 503
    file.write_text(client.access_token("AUTHORIZER").token)
    assert _allowed(example, key) == 200


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
