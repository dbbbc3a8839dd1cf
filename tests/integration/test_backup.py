"""`ipgate export` and `ipgate import`: nothing lost, nothing by half."""

import json
import stat
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.backups import (
    Lines,
    exported,
    ipgate,
    large,
    write,
)
from tests.harness.damage import CREDENTIAL, OWN, W, fill, filled
from tests.harness.servers import IPGATE, Client, RpcFailed, serving
from tests.harness.stores import StoreServer, running
from tests.harness.traffic import disturbed
from tests.harness.waiting import eventually

pytestmark = pytest.mark.store


def test_an_import_of_an_export_is_the_same_store(tmp_path: Path, empty: StoreServer) -> None:
    """All that was there is there again, with its etags and times; credentials, tokens, rules and
    further changes work, and an export of it differs in nothing but the point in history."""
    with running(tmp_path / "from") as store:
        with serving(tmp_path / "a", "--redis-url", store.url) as server:
            client = server.client()
            fill(client)
            token = client.access_token("AUTHORIZER", f"workspaces/{W}").token
            workspace = client.workspace(
                display_name="[b]Ünïcode 🚪", require_allow_list=True, ipv6_enabled=True
            )
            dated = {
                "cidr": "2001:db8::/48",
                "note": "Ünïcode 🚪",
                "start_time": "2999-01-01T00:00:00Z",
            }
            client.allow_list(workspace, "dated", [{"cidr": "192.0.2.1", "disabled": True}, dated])
            with disturbed(client, workspace):
                threading.Event().wait(1)
            many = [f"10.{n >> 8}.{n & 255}.0/24" for n in range(6000)]
            client.allow_list(workspace, "many", many)
        before = exported(store.url, tmp_path / "first")
    ipgate("import", tmp_path / "first", "--redis-url", empty.url)
    after = exported(empty.url, tmp_path / "second")
    assert after[1:-1] == before[1:-1]
    assert len(after) > 12
    assert [line["ranges"] for line in after if line.get("id") == "dated"] == [
        [
            {"cidr": "192.0.2.1", "disabled": True},
            {"cidr": "2001:db8::/48", "start_time": 32472144000 * 10**9, "note": "Ünïcode 🚪"},
        ]
    ]
    heads = zip(before[0]["shards"], after[0]["shards"], strict=True)
    assert all(a["epoch"] != b["epoch"] and a["rev"] > b["rev"] for b, a in heads)
    ipgate("doctor", "--redis-url", empty.url)
    with serving(tmp_path / "b", "--redis-url", empty.url) as server:
        client = server.client()
        asker = client.as_(token)
        assert asker.ask("198.51.100.73", key=CREDENTIAL).allow_list.endswith("/office")
        assert asker.ask("9.9.9.9", key=CREDENTIAL).reason == authorize.REASON_NOT_IN_LINKED_LISTS
        get = admin.GetApiKeyRequest(name=f"workspaces/{W}/apiKeys/linked")
        key = client.call("GetApiKey", get)
        assert key.etag in [record.get("etag") for record in before]
        assert asker.ask("198.51.100.73", key=CREDENTIAL, min_revision=key.revision).allowed
        revision = client.unlink(f"workspaces/{W}/allowLists/office", key.name)
        answer = asker.ask("198.51.100.73", key=CREDENTIAL, min_revision=revision)
        assert answer.reason == authorize.REASON_NOT_IN_DEFAULT_LIST
        client.call("DeleteApiKey", admin.DeleteApiKeyRequest(name=key.name))
    ipgate("doctor", "--redis-url", empty.url)


def test_an_export_is_a_state_that_was(tmp_path: Path, empty: StoreServer) -> None:
    """While links of keys far apart change together, and a forced deletion takes links and default
    along, no export shows one without the other: reading all takes longer than several changes."""
    write(tmp_path / "x", large(3000, 10))
    ipgate("import", tmp_path / "x", "--redis-url", empty.url)
    with serving(tmp_path / "a", "--redis-url", empty.url) as server:
        client = server.client()
        parent, name = "workspaces/large", "workspaces/large/allowLists/m"
        keys = [f"{parent}/apiKeys/k{index:06}" for index in range(0, 3000, 150)]
        stop = threading.Event()

        def change() -> None:
            while not stop.is_set():
                client.allow_list(parent, "m", ["10.0.0.1"])
                client.default(parent, name)
                client.link(name, *keys)
                request = admin.DeleteAllowListRequest(
                    name=name, force=True, allow_unrestricted=True
                )
                client.call("DeleteAllowList", request)

        with ThreadPoolExecutor(1) as pool:
            changing = pool.submit(change)
            try:
                seen = [summary(exported(empty.url, tmp_path / "y")) for _ in range(4)]
            finally:
                stop.set()
            changing.result()
    for enabled, lists, links in seen:
        assert len(links) == 1, "all keys have the same links"
        assert not enabled or "m" in lists
        assert set(*links) <= set(lists)
        assert "m" not in set(*links) or enabled, "linked only while it is the default"


def summary(export: Lines) -> tuple[bool, tuple[str, ...], frozenset[tuple[str, ...]]]:
    """Whether the default is on, the lists, and the different links of every 150th key."""
    keys = [record for record in export if record["kind"] == "key"]
    return (
        next(record["default_enabled"] for record in export if record["kind"] == "workspace"),
        tuple(record["id"] for record in export if record["kind"] == "list"),
        frozenset(tuple(key["lists"]) for key in keys[::150]),
    )


def test_a_data_directory_that_an_import_makes_is_its_owners_alone(tmp_path: Path) -> None:
    """As one that the server makes."""
    (tmp_path / "x").write_text("")
    ipgate("import", tmp_path / "x", "--data-dir", tmp_path / "new", code=2)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_servers_on_the_store_take_up_an_import_without_a_restart(
    tmp_path: Path, lines: Lines, empty: StoreServer
) -> None:
    """A server that runs on the empty store answers by what was imported, its negatives dropped."""
    write(tmp_path / "x", lines)
    with serving(tmp_path / "d", "--redis-url", empty.url) as server:
        client = server.client()
        assert client.ask("198.51.100.73", key=CREDENTIAL).reason == authorize.REASON_KEY_UNKNOWN
        ipgate("import", tmp_path / "x", "--redis-url", empty.url)
        eventually(lambda: allowed(client, "198.51.100.73", CREDENTIAL), "it is served")
        client.unlink(f"workspaces/{W}/allowLists/office", f"workspaces/{W}/apiKeys/linked")
    ipgate("doctor", "--redis-url", empty.url)


def allowed(client: Client, ip: str, key: str) -> bool:
    try:
        return bool(client.ask(ip, key=key).allowed)
    except RpcFailed as failed:
        assert failed.code == "UNAVAILABLE"
        return False


def test_an_export_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    """Private, without leftovers; a damaged store is rejected and leaves a former export alone."""
    target = tmp_path / "out"
    target.mkdir()
    with filled(tmp_path) as store, store.client() as plain:
        url = ("--redis-url", store.url)
        first = exported(store.url, target / "x")
        assert stat.S_IMODE((target / "x").stat().st_mode) == 0o600
        printed = subprocess.run([IPGATE, "export", *url], capture_output=True, check=True)
        assert [json.loads(line) for line in printed.stdout.splitlines()][1:-1] == first[1:-1]
        kept = (target / "x").read_bytes()
        plain.delete(*plain.keys("*:list:office:ranges"))
        said = ipgate("export", target / "x", *url, code=2)
        assert "line 3: ranges: is empty" in said
        assert "ipgate doctor" in said
        plain.hdel(f"{OWN}:list:spare", "description")
        assert "shard 3 is damaged" in ipgate("export", target / "x", *url, code=2)
        assert (target / "x").read_bytes() == kept
        assert list(target.iterdir()) == [target / "x"]
        assert "No such file" in ipgate("export", tmp_path / "none" / "x", *url, code=2)


def test_no_secret_is_in_an_export(tmp_path: Path) -> None:
    """Digests stand in for credentials and tokens, and the root token is nowhere."""
    with (
        running(tmp_path / "s") as store,
        serving(tmp_path / "d", "--redis-url", store.url) as server,
    ):
        client = server.client()
        parent = client.workspace()
        secrets = [client.key(parent, "k").credential, client.access_token("AUTHORIZER").token]
        exported(store.url, tmp_path / "x")
    text = (tmp_path / "x").read_text()
    assert not any(secret in text for secret in [*secrets, server.client().token])


def test_an_embedded_store_is_exported_and_made_anew(tmp_path: Path) -> None:
    """From a data directory with or without a running server, into one that is not there yet."""
    with serving(tmp_path / "a") as server:
        fill(server.client())
        ipgate("export", tmp_path / "x", "--data-dir", tmp_path / "a")
    ipgate("export", tmp_path / "y", "--data-dir", tmp_path / "a")
    first, second = ((tmp_path / name).read_text().splitlines() for name in "xy")
    assert first[1:-1] == second[1:-1]
    ipgate("import", tmp_path / "x", "--data-dir", tmp_path / "b")
    with serving(tmp_path / "b") as server:
        assert server.client().ask("198.51.100.73", key=CREDENTIAL).allowed
