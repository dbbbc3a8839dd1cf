"""A change that waits on its way takes effect within seconds of being sent, or never."""

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from ipgate.clock import Clock
from ipgate.store.store_clock import MAX_READING_AGE, WRITE_WINDOW, StoreClock
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.proxy import Proxy
from tests.harness.revisions import in_force
from tests.harness.servers import Client, RpcFailed, Server, serving
from tests.harness.stores import StoreServer
from tests.harness.waiting import eventually

pytestmark = pytest.mark.store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreServer]:
    running = StoreServer(tmp_path / "own").start()
    yield running
    running.stop()


@pytest.fixture
def proxy(store: StoreServer) -> Iterator[Proxy]:
    between = Proxy(store.socket)
    yield between
    between.heal()
    between.stop()


_TIMES = 8


def change(key: str, *, disabled: bool) -> admin.UpdateApiKeyRequest:
    request = admin.UpdateApiKeyRequest(api_key={"name": key, "disabled": disabled})
    request.update_mask.paths.append("disabled")
    return request


def in_doubt(client: Client, method: str, request: Any) -> int:
    """Makes a change whose answer is lost; returns `settled_after_ms`."""
    with pytest.raises(RpcFailed) as failed:
        client.call(method, request, timeout=30)
    assert (failed.value.code, failed.value.reason) == ("UNAVAILABLE", "OUTCOME_UNKNOWN")
    return int(failed.value.detail(ErrorInfo).metadata["settled_after_ms"])


@pytest.mark.parametrize("kind", ["enable", "link", "credential", "token"])
def test_an_acknowledged_change_is_not_undone_by_an_older_one_that_lands_late(
    tmp_path: Path, store: StoreServer, proxy: Proxy, kind: str
) -> None:
    """A change that waits in a broken line of one server is never made after its sender learned how long
    it may take, whatever kind of script it is."""
    through = f"redis://127.0.0.1:{proxy.port}"
    staleness = ("--max-staleness", "2")
    with (
        serving(tmp_path / "a", "--redis-url", store.url, *staleness) as server,
        serving(tmp_path / "b", "--redis-url", through, *staleness) as other,
    ):
        client, elsewhere = server.client(), other.client()
        workspace = client.workspace()
        key = client.key(workspace, "k").api_key.name
        allow_list = client.allow_list(workspace, "l", ["192.0.2.1"]).name
        token = client.access_token("AUTHORIZER", workspace).access_token.name
        client.call("UpdateApiKey", change(key, disabled=True))
        late: dict[str, tuple[str, Any]] = {
            "enable": ("UpdateApiKey", change(key, disabled=False)),
            "link": ("LinkApiKeys", admin.LinkApiKeysRequest(allow_list=allow_list, api_keys=[key])),
            "credential": ("CreateApiKey", admin.CreateApiKeyRequest(parent=workspace, api_key_id="n")),
            "token": ("RevokeAccessToken", admin.RevokeAccessTokenRequest(name=token)),
        }  # fmt: skip
        warm_up(elsewhere, workspace)
        before = contents(store, workspace)
        proxy.cut()
        # Several, since a command that needs a new connection is not even sent.
        with ThreadPoolExecutor(_TIMES) as pool:
            settled = list(pool.map(lambda _: in_doubt(elsewhere, *late[kind]), range(_TIMES)))
        settled_ms = max(settled)
        assert 0 <= min(settled) <= settled_ms <= WRITE_WINDOW * 1000
        time.sleep(settled_ms / 1000)
        revision = client.call("UpdateApiKey", change(key, disabled=True)).revision
        assert in_force(client, revision, timeout=30) >= 1
        proxy.heal()
        eventually(lambda: reason(elsewhere, workspace), "the line is back")
        eventually(lambda: rejected(store) > 0, "the late change has arrived")
        assert contents(store, workspace) == before
        first = eventually(lambda: reason(client, workspace), "the other server answers")
        assert first == authorize.REASON_KEY_DISABLED


def warm_up(client: Client, workspace: str) -> None:
    """Opens connections enough: the late change needs one, beside the renewals of the lease."""
    with ThreadPoolExecutor(16) as pool:
        for _ in pool.map(lambda n: client.key(workspace, f"warm{n}"), range(64)):
            pass
    # The store must know the scripts, or it rejects them whenever they come.
    client.link(f"{workspace}/allowLists/l", f"{workspace}/apiKeys/warm0")
    spare = client.access_token("AUTHORIZER", workspace).access_token.name
    client.call("RevokeAccessToken", admin.RevokeAccessTokenRequest(name=spare))


def rejected(store: StoreServer) -> int:
    """How many late scripts the store has rejected."""
    with store.client() as redis:
        counts = redis.info("errorstats").get("errorstat_TOO_LATE", {})
        return int(counts.get("count", 0))


def reason(client: Client, workspace: str) -> int:
    """Of the answer for the key; 0 while the server does not work, as on a slow machine."""
    try:
        client.call("GetWorkspace", admin.GetWorkspaceRequest(name=workspace), timeout=2)
        return int(client.ask("192.0.2.1", api_key=f"{workspace}/apiKeys/k", timeout=2).reason)
    except RpcFailed:
        return 0


def contents(store: StoreServer, workspace: str) -> dict[str, Any]:
    """What the store has of keys, links and tokens."""
    identifier = workspace.rpartition("/")[2]
    with store.client() as redis:
        names = [*redis.scan_iter(f"*ws:{identifier}:key:*"), *redis.scan_iter("*token:*")]
        return {
            name: redis.hgetall(name) if redis.type(name) == "hash" else redis.smembers(name)
            for name in sorted(names)
        }


def test_only_scripts_write(tmp_path: Path, store: StoreServer) -> None:
    """No command that writes is sent outside of a script, where its deadline would not be looked at, by
    a server or by its commands."""
    seen: set[str] = set()
    with store.client() as redis, redis.monitor() as monitor:
        stop = threading.Event()

        def watch() -> None:
            for command in monitor.listen():
                if command["client_type"] != "lua":
                    seen.add(command["command"].split()[0].upper())
                if stop.is_set():
                    return

        with ThreadPoolExecutor(1) as pool:
            watching = pool.submit(watch)
            try:
                with serving(tmp_path / "a", "--redis-url", store.url) as server:
                    use(server)
            finally:
                stop.set()
                with store.client() as last:
                    last.ping()
            watching.result()
    assert {"EVALSHA", "XREAD"} <= seen
    assert seen <= {
        "EVAL", "EVALSHA", "SCRIPT", "GET", "HGET", "HSCAN", "XREAD", "INFO", "CLIENT", "PING", "HELLO", "SELECT",
    }  # fmt: skip


def use(server: Server) -> None:
    client = server.client()
    workspace = client.workspace()
    created = client.key(workspace, "k")
    name = client.allow_list(
        workspace, "l", [f"10.0.{n // 250}.{n % 250}" for n in range(2500)]
    ).name
    client.link(name, created.api_key.name)
    client.ask("10.0.0.1", key=created.credential)
    token = client.access_token("AUTHORIZER", workspace).access_token.name
    revision = client.call("RevokeAccessToken", admin.RevokeAccessTokenRequest(name=token)).revision
    in_force(client, revision)
    client.call("DeleteApiKey", admin.DeleteApiKeyRequest(name=created.api_key.name))


class Steady(Clock):
    """A clock that stands still until it is set."""

    at = 0.0

    def steady(self) -> float:
        return self.at


@pytest.fixture
def steady() -> Steady:
    return Steady()


def test_a_deadline_is_never_later_than_the_window(steady: Steady) -> None:
    """The store's time is taken as the least that it can be, so the window starts no later than now."""
    clock = StoreClock(steady)
    assert clock.deadline(3) is None
    steady.at = 10.0
    clock.observe([3, 4], 1000.0, asked=8.0)
    steady.at = 12.0
    # The store showed 1000.0 between 8 and 10: at 12 it shows between 1002 and 1004.
    deadline = clock.deadline(3)
    assert deadline is not None
    assert (deadline.not_after, deadline.settled_at) == (1002.0 + WRITE_WINDOW, 12.0 + WRITE_WINDOW)
    assert clock.lease_end(30.0) == 1034.0
    clock.observe([4], 990.0, asked=12.0)
    unplaced = clock.deadline(None)
    assert unplaced is not None
    assert unplaced.not_after == 990.0 + WRITE_WINDOW, "the slowest clock counts"
    steady.at = 12.1 + MAX_READING_AGE
    assert clock.deadline(3) is None, "an old reading is not relied upon"


def test_the_guide_states_the_window() -> None:
    """docs/guarantees.md names the seconds that the code has."""
    guide = (Path(__file__).parents[2] / "docs" / "guarantees.md").read_text()
    assert re.search(rf"within {WRITE_WINDOW:g} seconds", guide)
