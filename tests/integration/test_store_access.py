"""How servers get at their store: passwords in files, URLs, eviction, sockets, and its last words."""

import asyncio
import hashlib
import logging
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from ipgate import processes
from ipgate.authorizer.authorizer import Question
from ipgate.domain.resources import Caller, Role
from ipgate.store.connection import UnusableStore, connect
from ipgate.v1 import admin_pb2 as admin

from tests.harness.in_process import running_worker
from tests.harness.servers import Client, RpcFailed, rejection, serving
from tests.harness.stores import StoreServer
from tests.harness.waiting import eventually
from tests.integration.test_store_states import starting

pytestmark = pytest.mark.store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreServer]:
    running = StoreServer(tmp_path / "own").start()
    yield running
    running.stop()


FOREIGN_CALLER = Caller("t", Role.AUTHORIZER, "elsewhere")


def works(client: Client) -> bool:
    try:
        client.call("ListWorkspaces", admin.ListWorkspacesRequest(), timeout=2)
        client.workspace()
    except RpcFailed as failed:
        assert failed.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
        return False
    return True


def test_a_changed_password_needs_no_restart(tmp_path: Path, store: StoreServer) -> None:
    """The file is read again for each new connection; the password is in no log and no command line."""
    file = tmp_path / "password"
    file.write_text("first-word\n")
    with store.client() as direct:
        direct.execute_command("ACL SETUSER gate on >first-word ~* &* +@all")
        direct.execute_command("ACL SETUSER default off")
    url = f"unix://gate@{store.socket}"
    options = ("--redis-url", url, "--redis-password-file", str(file))
    admin_client = Root(store)
    with serving(tmp_path / "s", *options) as server:
        client = server.client()
        assert works(client)
        admin_client.run("ACL SETUSER gate resetpass >second-word")
        admin_client.run("CLIENT KILL TYPE normal SKIPME yes")
        eventually(lambda: not works(client), "the former password is wrong")
        file.write_text("second-word\n")
        eventually(partial(works, client), "the new one is used")
        log = server.log.read_text()
        assert "first-word" not in log
        assert "second-word" not in log
        assert "Traceback" not in log


class Root:
    """A connection that outlives the default user's end."""

    def __init__(self, store: StoreServer) -> None:
        gate: Any = redis.Redis(
            unix_socket_path=str(store.socket), username="gate", password="first-word"
        )
        gate.execute_command("ACL SETUSER root on nopass ~* &* +@all")
        self._redis: Any = redis.Redis(
            unix_socket_path=str(store.socket), username="root", password=""
        )

    def run(self, command: str) -> None:
        self._redis.execute_command(*command.split())


@pytest.mark.parametrize(
    "url",
    [
        "redis://:pa/ss@127.0.0.1:1",
        "redis://user:pa#ss@127.0.0.1:1",
        "redis://user:pa?ss@127.0.0.1:1",
        "redis://:12/34@127.0.0.1:1",
        "redis+sentinel://user:pa/ss@127.0.0.1:1/service",
        "redis+cluster://user:pa#ss@127.0.0.1:1",
    ],
)
def test_a_password_that_is_not_encoded_is_not_shown(url: str) -> None:
    """The error says how to encode it, and has no part of it."""
    with pytest.raises(UnusableStore, match="percent-encode") as error:
        connect(url, connections=1)
    for part in ("pa", "ss@", "12", "34"):
        assert part not in str(error.value).replace("pass", "")


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:1?bogus=x",
        "rediss://127.0.0.1:1?bogus=x",
        "unix:///tmp/none.sock?bogus=x",
        "redis+sentinel://127.0.0.1:1/service?bogus=x",
        "redis+cluster://127.0.0.1:1?bogus=x",
    ],
)
def test_an_option_that_no_connection_has_is_an_error(url: str, tmp_path: Path) -> None:
    """At the start, in one line."""
    with pytest.raises(UnusableStore, match="options that redis-py has"):
        connect(url, connections=1)
    if url.startswith("redis://"):
        assert "not valid" in rejection("--data-dir", str(tmp_path), "--redis-url", url)


def test_a_policy_that_evicts_nothing_of_ipgates_is_fine(
    tmp_path: Path, store: StoreServer
) -> None:
    """`volatile-lru` looks for keys with a time to live; `allkeys-lru` is rejected, also of a store that
    comes back with it: what is missing could open a key."""
    with store.client() as direct:
        direct.config_set("maxmemory-policy", "volatile-lru")
    with serving(tmp_path / "s", "--redis-url", store.url, "--max-staleness", "2") as server:
        client = server.client()
        key = client.key(client.workspace(), "k").api_key.name
        assert client.ask("192.0.2.1", api_key=key).allowed
        with store.client() as direct:
            direct.config_set("maxmemory-policy", "allkeys-lru")
            direct.execute_command("CLIENT KILL TYPE normal SKIPME yes")
        eventually(lambda: "may evict keys" in server.log.read_text(), "it is noticed")
        eventually(lambda: is_stale(client, key), "nothing is answered by such a store")
        with store.client() as direct:
            direct.config_set("maxmemory-policy", "noeviction")
        eventually(lambda: not is_stale(client, key), "it goes on")


def is_stale(client: Client, key: str) -> bool:
    try:
        return not client.ask("192.0.2.1", api_key=key).allowed
    except RpcFailed as failed:
        return failed.reason == "STALE"


def test_a_removed_socket_is_noticed_and_made_again(tmp_path: Path) -> None:
    """Open connections would hide for long that there can be no new ones."""
    with serving(tmp_path) as server:
        client = server.client()
        workspace = client.workspace()
        socket = tmp_path / "store" / "valkey.sock"
        socket.unlink()
        eventually(socket.is_socket, "the store is started again")
        eventually(partial(works, client), "it works")
        assert client.call("GetWorkspace", admin.GetWorkspaceRequest(name=workspace))
        assert "socket of the embedded store is gone" in server.log.read_text()


def test_the_last_words_of_a_store_that_does_not_start_are_told(tmp_path: Path) -> None:
    """Its own log may be on the disk that is full."""
    (tmp_path / "store" / "appendonlydir").parent.mkdir(parents=True)
    (tmp_path / "store" / "appendonlydir").write_text("in the way")
    with starting(tmp_path) as (process, log):
        assert process.wait(timeout=60) == 2
        last = log.read_text().splitlines()[-1]
        assert "the embedded store does not start: " in last
        assert "appendonlydir" in last or "append only" in last.lower()


def test_a_store_that_ends_leaves_its_last_words(tmp_path: Path) -> None:
    """They are in ipgate's log before it is started again."""
    with serving(tmp_path) as server:
        (store,) = server.stores()
        os.kill(store, signal.SIGTERM)
        eventually(lambda: server.stores() not in ([], [store]), "it is started again")
        log = server.log.read_text()
        assert "the embedded store ended, restarting it" in log
        assert "embedded store said line=" in log


async def test_a_child_that_has_just_ended_is_no_unknown_process(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """However often a stop meets a child that exits on its own, asyncio is not led astray."""

    with caplog.at_level(logging.WARNING):
        for turns in range(40):
            child = await asyncio.create_subprocess_exec("true")
            for _ in range(turns * 5):
                await asyncio.sleep(0)
            assert await processes.end(child, within=5)
            assert child.returncode in (0, -signal.SIGTERM)
    assert "Unknown child process" not in caplog.text


async def test_unknown_and_foreign_credentials_cost_the_store_the_same(store: StoreServer) -> None:
    """The time of the first answer does not show whether a credential belongs to another workspace."""

    async with running_worker(store.url) as p:
        await p.key("k", "foreign")
        await p.caught_up()
        costs = []
        for secret in ("unknown", "foreign"):
            before = commands(store)
            digest = hashlib.sha256(secret.encode()).digest()
            await p.authorizer.resolve(FOREIGN_CALLER, Question(digest, 0))
            after = commands(store)
            costs.append({name: after[name] - before.get(name, 0) for name in ("get", "evalsha")})
        assert costs[0] == costs[1] == {"get": 1, "evalsha": 1}


def commands(store: StoreServer) -> dict[str, int]:
    with store.client() as direct:
        statistics = direct.info("commandstats")
        return {
            name: statistics.get(f"cmdstat_{name}", {}).get("calls", 0)
            for name in ("get", "evalsha")
        }


def test_a_damaged_index_entry_is_no_internal_error(tmp_path: Path, store: StoreServer) -> None:
    """Something else under the digest of a credential makes the credential unknown, and does not keep
    a key from being created with it."""
    with serving(tmp_path / "s", "--redis-url", store.url) as server:
        client = server.client()
        sha256 = hashlib.sha256(b"mine").hexdigest()
        with store.client() as direct:
            direct.set(f"ipgate:digest:{sha256}", "nonsense")
        assert not client.ask("192.0.2.1", key="mine").allowed
        api_key = client.key(client.workspace(), "k", credential_sha256=sha256).api_key
        assert (
            client.ask("192.0.2.1", key="mine", min_revision=api_key.revision).api_key
            == api_key.name
        )


def test_a_missing_list_is_no_open_door(tmp_path: Path, store: StoreServer) -> None:
    """A key that is linked to a list which is not there is not answered, and the log names the list; with
    the list made again, as the doctor says, it is."""
    with serving(tmp_path / "s", "--redis-url", store.url) as server:
        client = server.client()
        workspace = client.workspace()
        key = client.key(workspace, "k").api_key.name
        name = client.allow_list(workspace, "l", ["192.0.2.1"]).name
        client.link(name, key)
        with store.client() as direct:
            for redis_key in list(direct.scan_iter("*:list:l*")):
                direct.delete(redis_key)
            (names,) = direct.keys("*:list-names")
            direct.delete(names, names.replace(":list-names", ":lists"))
        with pytest.raises(RpcFailed) as failed:
            client.ask("192.0.2.1", api_key=key)
        assert (failed.value.code, failed.value.reason) == ("UNAVAILABLE", "STORE_BROKEN")
        assert f"the allow list {name} of a key is missing" in server.log.read_text()
        again = client.allow_list(workspace, "l", ["192.0.2.1"])
        assert client.ask("192.0.2.1", api_key=key, min_revision=again.revision).allowed
