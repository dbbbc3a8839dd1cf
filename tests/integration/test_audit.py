"""The audit log: one event for each change, and nothing that could be a secret."""

import hashlib
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from ipgate.clock import Clock
from ipgate.domain.shards import SHARDS, TOKEN_SHARD
from ipgate.store import key_names
from ipgate.store.audit import AuditStore
from ipgate.store.connection import connect
from ipgate.store.key_names import of_shard
from ipgate.store.root import RootStore
from ipgate.store.scripts import Scripts
from ipgate.v1 import admin_pb2 as admin

from tests.harness.ranges import plain
from tests.harness.servers import Client, RpcFailed, Server, serving
from tests.harness.stores import running
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.store]

Run = Any


def events(client: Client, parent: str, **fields: Any) -> list[Any]:
    """All events, the earliest first."""
    request = admin.ListAuditEventsRequest(parent=parent, **fields)
    found: list[Any] = []
    while True:
        page = client.call("ListAuditEvents", request)
        found += page.events
        if not page.next_page_token:
            return found[::-1]
        request.page_token = page.next_page_token


def differences(event: Any) -> dict[str, tuple[Any, Any]]:
    def value(change: Any, side: str) -> Any:
        return MessageToDict(getattr(change, side)) if change.HasField(side) else None

    return {
        change.attribute: (value(change, "before"), value(change, "after"))
        for change in event.attributes
    }


def test_every_change_is_an_event(client: Client, workspace: str) -> None:
    """With who, how, on what, and what was different before and after; in the order of the changes."""
    allow_list, key = f"{workspace}/allowLists/l", f"{workspace}/apiKeys/k"
    ranges = [{"cidr": "192.0.2.1", "note": "Ada"}, {"cidr": "192.0.2.2"}]
    client.allow_list(workspace, "l", ranges)
    credential = client.key(workspace, "k", display_name="K").credential
    client.call("LinkApiKeys", admin.LinkApiKeysRequest(allow_list=allow_list, api_keys=[key]))
    client.call(
        "AddRanges", admin.AddRangesRequest(allow_list=allow_list, ranges=plain(["10.0.0.1"]))
    )
    update: Any = {
        "allow_list": allow_list,
        "ranges": plain([{"cidr": "10.0.0.1", "disabled": True}]),
    }
    client.call("UpdateRanges", admin.UpdateRangesRequest(update_mask={"paths": ["*"]}, **update))
    client.call(
        "RemoveRanges", admin.RemoveRangesRequest(allow_list=allow_list, ranges=["192.0.2.1"])
    )
    fields = {"name": allow_list, "display_name": "M", "ranges": plain(["10.0.0.1"])}
    revision = client.call(
        "UpdateAllowList", admin.UpdateAllowListRequest(allow_list=fields)
    ).revision
    client.call("UpdateApiKey", admin.UpdateApiKeyRequest(api_key={"name": key, "disabled": True}))
    client.call(
        "SetApiKeyAllowLists",
        admin.SetApiKeyAllowListsRequest(api_key=key, allow_unrestricted=True),
    )
    client.default(workspace, allow_list)
    token = client.access_token("WORKSPACE_VIEWER", workspace)
    revoke = admin.RevokeAccessTokenRequest(name=token.access_token.name)
    client.call("RevokeAccessToken", revoke)
    client.call("DeleteApiKey", admin.DeleteApiKeyRequest(name=key))
    found = events(client, workspace)
    assert [event.method for event in found] == [
        "CreateWorkspace", "CreateAllowList", "CreateApiKey", "LinkApiKeys", "AddRanges",
        "UpdateRanges", "RemoveRanges", "UpdateAllowList", "UpdateApiKey", "SetApiKeyAllowLists",
        "UpdateDefaultAllowList", "CreateAccessToken", "RevokeAccessToken", "DeleteApiKey",
    ]  # fmt: skip
    by_method = {event.method: event for event in found}
    for event in found:
        assert event.actor == "root"
        assert event.peer
        assert event.request_id
        assert event.revision
    created = by_method["CreateAllowList"]
    assert created.resource == allow_list
    assert differences(created) == {
        "display_name": (None, "l"), "description": (None, "for a test")
    }  # fmt: skip
    assert [change.after for change in created.ranges] == plain(ranges)
    assert by_method["LinkApiKeys"].linked_api_keys.api_keys == [key]
    (added,) = by_method["AddRanges"].ranges
    assert (added.HasField("before"), added.after.cidr) == (False, "10.0.0.1")
    (changed,) = by_method["UpdateRanges"].ranges
    assert (changed.before.disabled, changed.after.disabled) == (False, True)
    (removed,) = by_method["RemoveRanges"].ranges
    assert (removed.before.note, removed.HasField("after")) == ("Ada", False)
    replaced = by_method["UpdateAllowList"]
    assert replaced.revision == revision
    assert differences(replaced) == {"display_name": ("l", "M")}
    assert {change.before.cidr for change in replaced.ranges} == {"10.0.0.1", "192.0.2.2"}
    assert differences(by_method["UpdateApiKey"]) == {"disabled": (False, True)}
    lists = by_method["SetApiKeyAllowLists"]
    assert lists.allow_lists_removed.allow_lists == [allow_list]
    assert lists.effect.unlinked_api_keys.api_keys == [key]
    assert differences(by_method["DeleteApiKey"])["display_name"] == ("K", None)
    assert by_method["CreateAccessToken"].resource == token.access_token.name
    whole = json.dumps([MessageToDict(event) for event in found])
    for secret in (credential, token.token):
        assert secret not in whole
        assert hashlib.sha256(secret.encode()).hexdigest() not in whole


def test_what_changes_nothing_is_no_event(client: Client, workspace: str) -> None:
    """Neither a dry run, nor a change to what is there already, nor a call that fails."""
    name = client.allow_list(workspace, "l", ["192.0.2.1"]).name
    before = events(client, workspace)
    add = admin.AddRangesRequest(allow_list=name, ranges=plain(["192.0.2.1"]))
    client.call("AddRanges", add)
    client.call(
        "AddRanges",
        admin.AddRangesRequest(allow_list=name, ranges=plain(["10.0.0.1"]), validate_only=True),
    )
    with pytest.raises(RpcFailed):
        client.allow_list(workspace, "l", ["192.0.2.1"])
    assert events(client, workspace) == before


def test_events_are_filtered_and_paged(client: Client, workspace: str) -> None:
    """By resource, actor, method and time, in pages of any size, each event once."""
    bearer = client.as_(client.access_token("WORKSPACE_ADMIN", workspace).token)
    for index in range(7):
        bearer.allow_list(workspace, f"l{index}", ["192.0.2.1"])
        client.key(workspace, f"k{index}")
    everything = events(client, workspace)
    assert len(everything) == 16
    for size in (1, 5, 1000):
        assert events(client, workspace, page_size=size) == everything
    lists = [event for event in everything if event.method == "CreateAllowList"]
    assert events(client, workspace, method="CreateAllowList") == lists
    assert events(client, workspace, actor=lists[0].actor, page_size=2) == lists
    assert lists[0].actor not in ("", "root")
    assert len(events(client, workspace, actor="root")) == 9
    assert events(client, workspace, resource=f"{workspace}/allowLists/l3") == [lists[3]]
    middle = lists[3].time
    later = [event for event in everything if event.time.ToNanoseconds() >= middle.ToNanoseconds()]
    assert events(client, workspace, start_time=middle) == later
    assert events(client, workspace, end_time=middle) == everything[: -len(later)]
    with pytest.raises(RpcFailed) as failed:
        client.call(
            "ListAuditEvents", admin.ListAuditEventsRequest(parent=workspace, page_token="x")
        )
    assert list(failed.value.fields) == ["page_token"]


def test_a_workspace_sees_its_own_events_only(client: Client) -> None:
    """Viewers may read them; those of others, and of all together, are root's."""
    own, foreign = client.workspace(), client.workspace()
    viewer = client.as_(client.access_token("WORKSPACE_VIEWER", own).token)
    assert {event.resource.startswith(("accessTokens/", own)) for event in events(viewer, own)} == {
        True
    }
    for parent in (foreign, "workspaces/-"):
        with pytest.raises(RpcFailed, match="NOT_FOUND"):
            events(viewer, parent)
    client.call("DeleteWorkspace", admin.DeleteWorkspaceRequest(name=foreign))
    assert [event.method for event in events(client, foreign)] == [
        "CreateWorkspace",
        "DeleteWorkspace",
    ]
    everywhere = events(client, "workspaces/-")
    times = [event.time.ToNanoseconds() for event in everywhere]
    assert times == sorted(times)
    assert {own, foreign} <= {event.resource for event in everywhere}


def test_a_new_workspace_does_not_show_the_log_of_a_former_one(client: Client) -> None:
    """Another tenant may have had its id; root sees both."""
    first = client.workspace()
    client.call("DeleteWorkspace", admin.DeleteWorkspaceRequest(name=first))
    eventually(lambda: later_than_last(client, first), "a millisecond has passed")
    client.call(
        "CreateWorkspace", admin.CreateWorkspaceRequest(workspace_id=first.rpartition("/")[2])
    )
    viewer = client.as_(client.access_token("WORKSPACE_VIEWER", first).token)
    assert [event.method for event in events(viewer, first)] == [
        "CreateWorkspace",
        "CreateAccessToken",
    ]
    assert len(events(client, first)) == 4


def later_than_last(client: Client, parent: str) -> bool:
    """Whether the millisecond of the last event is over."""
    last = int(events(client, parent)[-1].time.ToMilliseconds())
    return time.time() * 1000 > last + 1


def test_an_end_before_1970_finds_nothing(client: Client, workspace: str) -> None:
    """It is no internal error."""
    assert events(client, workspace, end_time={"seconds": -10}) == []


async def test_a_new_root_token_is_an_event(tmp_path: Path) -> None:
    """Without its digest."""
    with running(tmp_path / "store") as store:
        redis = connect(store.url, connections=2)
        scripts = Scripts(redis, Clock())
        await scripts.initialize()
        await RootStore(scripts).replace("f" * 64)
        (stored,) = await AuditStore(scripts).events(of_shard("audit", TOKEN_SHARD), None, 10)
        await redis.aclose()
    event = stored.decode()
    assert (event.method, event.resource) == ("SetRootToken", "accessTokens/root")
    assert "f" * 64 not in repr(stored)


def test_denied_calls_are_counted(tmp_path: Path) -> None:
    """Of a known token, by role or by workspace: one event for each method, written at the latest when the server
    stops."""
    with running(tmp_path / "store") as store:
        with serving(tmp_path / "a", "--redis-url", store.url) as server:
            client = server.client()
            own, foreign = client.workspace(), client.workspace()
            token = client.access_token("WORKSPACE_VIEWER", own)
            viewer = client.as_(token.token)
            for _ in range(5):
                with pytest.raises(RpcFailed, match="PERMISSION_DENIED"):
                    viewer.key(own, "k")
            with pytest.raises(RpcFailed, match="NOT_FOUND"):
                viewer.call("GetWorkspace", admin.GetWorkspaceRequest(name=foreign))
        with serving(tmp_path / "b", "--redis-url", store.url) as server:
            denied = [event for event in events(server.client(), own) if event.denied_count]
    counts = {(event.actor, event.method): event.denied_count for event in denied}
    actor = token.access_token.name.rpartition("/")[2]
    assert 1 <= counts[actor, "CreateApiKey"] <= 5
    assert counts[actor, "GetWorkspace"] == 1


async def test_denied_calls_of_several_workers_are_counted_together(tmp_path: Path) -> None:
    """One event for each token, method and minute; another method has one of its own."""
    with running(tmp_path) as store:
        redis_client = connect(store.url, connections=1)
        log = AuditStore(Scripts(redis_client, Clock()))
        for actor, method, count in (
            ("a", "CreateApiKey", 3),
            ("a", "GetWorkspace", 1),
            ("b", "CreateApiKey", 5),
            ("a", "CreateApiKey", 4),
        ):
            event = {"workspace": "w", "actor": actor, "role": "WORKSPACE_VIEWER", "peer": "here",
                     "request": "r", "method": method, "denied": str(count)}  # fmt: skip
            await log.add_denied(event)
        stored = await log.events(key_names.of("audit-denied"), None, 10)
        await redis_client.aclose()
    counts = Counter[tuple[str, str]]()
    for found in stored:
        counts[found.fields["actor"], found.fields["method"]] += found.decode().denied
    assert counts == {("a", "CreateApiKey"): 7, ("a", "GetWorkspace"): 1, ("b", "CreateApiKey"): 5}
    minutes = {found.id.milliseconds // 60_000 for found in stored}
    assert len(stored) == 3 or len(minutes) == 2


def test_the_log_is_bounded_by_bytes(tmp_path: Path) -> None:
    """The oldest events go first, and the number of bytes is that of the events."""
    with running(tmp_path / "store") as store:
        flags = ("--redis-url", store.url, "--audit-bytes", "65536", "--audit-without-peers")
        with serving(tmp_path / "a", *flags) as server:
            client = server.client()
            workspace = client.workspace()
            name = client.allow_list(workspace, "l", ["192.0.2.1"]).name
            for index in range(300):
                add = admin.AddRangesRequest(
                    allow_list=name,
                    ranges=plain([{"cidr": f"10.0.{index >> 8}.{index & 255}", "note": "x" * 200}]),
                )
                client.call("AddRanges", add)
            found = events(client, workspace)
            assert found[-1].ranges[0].after.cidr == "10.0.1.43"
            assert 50 < len(found) < 250
            assert not any(event.peer for event in found)
        with store.client() as stored:
            for shard in range(SHARDS):
                prefix = f"ipgate:{{s{shard:02}}}:"
                size = sum(
                    len(value)
                    for _, fields in stored.xrange(f"{prefix}audit")
                    for value in fields.values()
                )
                assert int(stored.get(f"{prefix}audit-bytes") or 0) == size <= 66_000


def test_10_000_events_of_one_range_take_less_than_10_mb(tmp_path: Path) -> None:
    """Extrapolated from 1,000 of them."""
    with running(tmp_path / "store") as store:
        with serving(tmp_path / "a", "--redis-url", store.url) as server:
            client = server.client()
            workspace = client.workspace()
            name = client.allow_list(workspace, "l", ["192.0.2.1"]).name
            for index in range(1000):
                add = admin.AddRangesRequest(
                    allow_list=name,
                    ranges=plain(
                        [{"cidr": f"10.0.{index >> 8}.{index & 255}", "note": "Ada's office"}]
                    ),
                )
                client.call("AddRanges", add)
        with store.client() as stored:
            sizes = [
                stored.memory_usage(f"ipgate:{{s{shard:02}}}:audit", samples=0) or 0
                for shard in range(SHARDS)
            ]
        assert 10 * sum(sizes) < 10 << 20


def test_the_command_shows_and_follows_the_log(run: Run, workspace: str, server: Server) -> None:
    """Human-readable lines, or JSON with one event a line."""
    run(
        "list",
        "create",
        "l",
        "--name",
        "L",
        "--description",
        "d",
        "-r",
        "192.0.2.1",
        "--note",
        "Ada",
    )
    run("list", "set", "l", "-r", "192.0.2.1", "--disable")
    lines = run("audit", "--method", "UpdateRanges").splitlines()
    assert f"root UpdateRanges {workspace}/allowLists/l" in lines[0]
    assert lines[1] == '  192.0.2.1 "Ada" -> 192.0.2.1 disabled "Ada"'
    shown = [json.loads(line) for line in run("audit", "--json", "--limit", "2").splitlines()]
    assert [event["method"] for event in shown] == ["CreateAllowList", "UpdateRanges"]
    assert "CreateAllowList" not in run("audit", "--since", "2999-01-01")
