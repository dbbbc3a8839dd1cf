"""Texts that would forge lines of the log, or command the terminal of who reads them."""

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import redis
from ipgate.domain.shards import shard_of

from tests.harness.servers import IPGATE, ROOT_TOKEN, Client, Server
from tests.integration.test_access import METHODS, about
from tests.integration.test_bad_input import fill, raw

pytestmark = pytest.mark.engine

FORGED = "2026-01-01T00:00:00.000Z INFO forged"
HOSTILE = [f"x{character}{FORGED}" for character in
           ("\n", "\r", "\x1b[2J\x1b[31m", "\x9b31m", "\u2028", "\u2029", "\u0085", "\v", "\b\b", "\u202e",
            "\u2066", "\ufeff", "\U000e0041", "%s%(levelname)s{0}", "\x7f")]  # fmt: skip


def logged_since(server: Server, start: int) -> str:
    return server.log.read_bytes()[start:].decode()


@pytest.fixture
def clean_log(server: Server) -> Iterator[None]:
    """The log of that time has no forged line, and nothing that a terminal would obey."""
    start = server.log.stat().st_size
    yield
    log = logged_since(server, start)
    assert all(char.isprintable() or char == "\n" for char in log)
    assert not any(line.startswith(FORGED[:10]) for line in log.split("\n"))


@pytest.mark.usefixtures("clean_log")
@pytest.mark.parametrize("method", METHODS)
def test_no_field_of_a_request_gets_into_the_log_as_it_is(client: Client, method: str) -> None:
    """Each text in all fields of each method, and in its real fields one by one."""
    workspace = client.workspace()
    for text in HOSTILE:
        request: Any = METHODS[method]()
        fill(request, text)
        code = raw(client, method, request.SerializeToString())
        assert code != "OK" or not request.ListFields(), "a method without fields has no bad ones"
        sane = about(workspace).get(method)
        if sane is not None:
            for field, value in sane.ListFields():
                if isinstance(value, str):
                    request = type(sane)()
                    request.CopyFrom(sane)
                    setattr(request, field.name, value + text)
                    raw(client, method, request.SerializeToString())


@pytest.mark.usefixtures("clean_log")
def test_no_metadata_get_into_the_log(client: Client, server: Server) -> None:
    """Tokens, made-up headers and binary ones leave no trace."""
    start = server.log.stat().st_size
    call = client.channel.unary_unary("/ipgate.v1.AdminService/ListWorkspaces")
    for metadata in (
        [("authorization", "Bearer marked-1 \x7e")],
        [("authorization", f"Bearer {client.token}"), ("x-marked", "marked-2")],
        [("authorization", "Bearer x"), ("marked-bin", b"\n\x1b[31mmarked-3\xff")],
    ):
        try:
            call(b"", metadata=metadata, timeout=10)
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "marked" not in logged_since(server, start)


def test_the_commands_show_nothing_that_a_terminal_obeys(
    server: Server, client: Client, workspace: str, shared_url: str
) -> None:
    """Whatever stands in the store, even what ipgate would never have let in."""
    client.allow_list(workspace, "l", ["1.2.3.4"])
    client.key(workspace, "k")
    token = client.access_token("AUTHORIZER", workspace).access_token.name.rpartition("/")[2]
    name = workspace.rpartition("/")[2]
    prefix = f"ipgate:{{s{shard_of(name):02}}}:ws:{name}"
    store = redis.Redis.from_url(shared_url, decode_responses=True)
    digest: Any = store.hget("ipgate:{s00}:token-ids", token)
    hostile = "".join(text for text in HOSTILE if "\n" not in text)
    for key in (prefix, f"{prefix}:list:l", f"{prefix}:key:k", f"ipgate:{{s00}}:token:{digest}"):
        store.hset(key, "display_name", hostile)
    store.hset(f"{prefix}:list:l", "description", hostile)
    store.close()
    for command in ("workspace show", "workspace ls", "list show l", "list ls", "key show k", "key ls",
                    "token ls", "default show", "list show \x1b[31m", "key show \u202e"):  # fmt: skip
        for form in ((), ("--json",)):
            shown = run(server, name, *command.split(), *form)
            assert all(char.isprintable() or char == "\n" for char in shown), command
            assert not any(line.startswith("2026-01-01T00") for line in shown.split("\n"))


def run(server: Server, workspace: str, *arguments: str) -> str:
    """The output of a command, whether it succeeded or not."""
    environment = os.environ | {
        "IPGATE_SERVER": server.address,
        "IPGATE_TOKEN": ROOT_TOKEN,
        "IPGATE_WORKSPACE": workspace,
        "NO_COLOR": "1",
    }
    if arguments[:2] == ("workspace", "show"):
        arguments = (*arguments[:2], workspace, *arguments[2:])
    done = subprocess.run(
        [IPGATE, *arguments], capture_output=True, check=False, env=environment, timeout=30
    )
    return (done.stdout + done.stderr).decode()
