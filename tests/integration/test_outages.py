"""A store that is full, read-only or silent: what is answered, what fails, and that it passes."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.groups import free_ports, freeze, thaw
from tests.harness.ranges import cidrs, plain
from tests.harness.servers import Client, RpcFailed, serving
from tests.harness.stores import StoreServer
from tests.harness.waiting import eventually

pytestmark = pytest.mark.store

STALENESS = 2.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreServer]:
    store = StoreServer(tmp_path / "store").start()
    yield store
    thaw(store)
    store.stop()


@contextmanager
def job(directory: Path, store: StoreServer) -> Iterator[tuple[Client, str, str]]:
    """A client of a server on the store, an allow list, and a linked key that is in memory."""
    options = ["--redis-url", store.url, "--max-staleness", str(STALENESS)]
    with serving(directory, *options) as server:
        client = server.client()
        workspace = client.workspace()
        allow_list = client.allow_list(workspace, "l", ["192.0.2.1"]).name
        key = client.key(workspace, "k").api_key.name
        client.link(allow_list, key)
        assert client.ask("192.0.2.1", api_key=key).allowed
        yield client, allow_list, key


def add(client: Client, allow_list: str, ip: str) -> str:
    """Adds a range; returns the reason of the failure, "" if it worked."""
    try:
        client.call("AddRanges", admin.AddRangesRequest(allow_list=allow_list, ranges=plain([ip])))
    except RpcFailed as failed:
        assert failed.code == "UNAVAILABLE"
        return failed.reason
    return ""


def ranges(client: Client, allow_list: str) -> list[str]:
    resource = client.call("GetAllowList", admin.GetAllowListRequest(name=allow_list))
    return cidrs(resource)


@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_a_store_that_takes_no_writes_fails_changes_without_effect(
    tmp_path: Path, store: StoreServer, kind: str
) -> None:
    """Changes fail and leave nothing behind, answers go on, also about keys that are not in memory;
    when it takes writes again, changes work immediately."""
    with job(tmp_path / "a", store) as (client, allow_list, key), store.client() as direct:
        other = client.key(key.rpartition("/apiKeys/")[0], "other").api_key.name
        if kind == "full":
            direct.config_set("maxmemory", "1mb")
        else:
            direct.replicaof("127.0.0.1", free_ports(1)[0])
        assert add(client, allow_list, "192.0.2.2") == "STORE_UNAVAILABLE"
        with pytest.raises(RpcFailed, match="nothing was changed"):
            client.key(key.rpartition("/apiKeys/")[0], "third")
        assert ranges(client, allow_list) == ["192.0.2.1"]
        assert client.ask("192.0.2.1", api_key=key).allowed
        assert client.ask("192.0.2.1", api_key=other).allowed
        direct.config_set("maxmemory", "0")
        direct.replicaof("NO", "ONE")
        assert add(client, allow_list, "192.0.2.2") == ""
        assert sorted(ranges(client, allow_list)) == ["192.0.2.1", "192.0.2.2"]


def _stale(client: Client, key: str) -> bool:
    try:
        assert client.ask("192.0.2.1", api_key=key).allowed
    except RpcFailed as failed:
        assert (failed.code, failed.reason) == ("UNAVAILABLE", "STALE")
        assert failed.retry_after > 0
        return True
    return False


def test_a_silent_store_is_bridged_from_memory_for_a_bounded_time(
    tmp_path: Path, store: StoreServer
) -> None:
    """Known keys are answered until max-staleness, then refused with when to try again; a store that
    speaks again is enough for all to go on."""
    with job(tmp_path / "a", store) as (client, allow_list, key):
        freeze(store)
        assert client.ask("192.0.2.1", api_key=key).allowed, "from memory"
        eventually(partial(_stale, client, key), "the memory is too old")
        assert add(client, allow_list, "192.0.2.2")
        thaw(store)
        eventually(lambda: not _stale(client, key), "answers go on")
        eventually(lambda: not add(client, allow_list, "192.0.2.3"), "changes go on")


def test_a_store_that_comes_back_empty_decides_nothing_any_more(
    tmp_path: Path, store: StoreServer
) -> None:
    """Killed and restarted without its data, it leaves no key that is allowed."""
    with job(tmp_path / "a", store) as (client, _, key):
        store.kill()
        for path in (store.directory / "appendonlydir").iterdir():
            path.unlink()
        store.start()

        def gone() -> bool:
            try:
                return not client.ask("192.0.2.1", api_key=key).allowed
            except RpcFailed as failed:
                assert failed.code == "UNAVAILABLE"
                return False

        eventually(gone, "the key is unknown")
        with pytest.raises(RpcFailed, match="NOT_FOUND"):
            client.call("GetApiKey", admin.GetApiKeyRequest(name=key))
        assert client.workspace()


def test_a_batch_answers_what_is_in_memory_although_the_store_is_silent(
    tmp_path: Path, store: StoreServer
) -> None:
    """A question that must be loaded has an error of its own, before the deadline takes all answers away."""
    with job(tmp_path / "server", store) as (client, _, key):
        known = authorize.AuthorizeRequest(ip="192.0.2.1", api_key=key)
        unknown = authorize.AuthorizeRequest(ip="192.0.2.1", key="nobody's")
        batch = authorize.BatchAuthorizeRequest(requests=[unknown, known])
        freeze(store)
        results = client.call("BatchAuthorize", batch, timeout=0.5).results
        assert results[1].response.allowed
        assert results[0].error.reason == "OVERLOADED"
