"""AdminService: allow lists, ranges and links."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ipgate.v1 import admin_pb2 as admin

from tests.harness.ranges import cidrs, plain
from tests.harness.servers import Client, RpcFailed

pytestmark = pytest.mark.store


def get(client: Client, name: str) -> Any:
    return client.call("GetAllowList", admin.GetAllowListRequest(name=name))


def test_a_list_is_read_as_it_was_created(client: Client, workspace: str) -> None:
    """Ranges come back canonical, in numeric order, without duplicates."""
    allow_list = client.allow_list(
        workspace, "l", ["10.0.0.0/9", "9.0.0.1", "9.0.0.1/32", "10.0.0.0/24"], description="a\nb"
    )
    stored = get(client, allow_list.name)
    assert cidrs(stored) == ["9.0.0.1", "10.0.0.0/9", "10.0.0.0/24"]
    assert (stored.range_count, stored.linked_api_key_count) == (3, 0)
    assert (stored.display_name, stored.description) == ("l", "a\nb")
    assert stored.etag == allow_list.etag
    assert stored.revision == allow_list.revision
    assert stored.create_time == stored.update_time == allow_list.create_time


def test_all_bad_ranges_are_reported_at_once_and_nothing_is_made(
    client: Client, workspace: str
) -> None:
    """Each bad entry has its violation, as many as a client can receive, and nothing is made."""
    bad = ["198.51.100.9/24", "::1", "1.2.3.0/08", "a"]
    with pytest.raises(RpcFailed) as failed:
        client.allow_list(workspace, "l", ["1.2.3.4", *bad], display_name="", description="")
    assert failed.value.code == "INVALID_ARGUMENT"
    assert set(failed.value.fields) == {
        "allow_list.display_name",
        "allow_list.description",
        *(f"allow_list.ranges[{index}].cidr" for index in range(1, 5)),
    }
    assert (
        "'198.51.100.0/24' for all 256 addresses"
        in failed.value.fields["allow_list.ranges[1].cidr"]
    )
    with pytest.raises(RpcFailed) as failed:
        client.allow_list(workspace, "l", ["x"] * 5000)
    assert len(failed.value.fields) >= 75
    assert "more)" in failed.value.message
    with pytest.raises(RpcFailed) as failed:
        client.allow_list(workspace, "l", [f"{'x' * 200}{index}" for index in range(5000)])
    assert failed.value.code == "INVALID_ARGUMENT"
    assert len(failed.value.fields) > 20
    with pytest.raises(RpcFailed, match="NOT_FOUND"):
        get(client, f"{workspace}/allowLists/l")


def test_names_in_use_are_taken_and_told_apart(client: Client, workspace: str) -> None:
    """Joiners of Persian and emoji are kept, and do not make two names out of one; the error says which
    list has the name."""
    for index, (name, alike) in enumerate(
        [("می\u200cخواهم", "میخواهم"), ("👩\u200d💻 team", "👩💻 TEAM"), ("❤\ufe0f", "❤")]
    ):
        allow_list = client.allow_list(workspace, f"l{index}", ["192.0.2.1"], display_name=name)
        assert get(client, allow_list.name).display_name == name
        with pytest.raises(RpcFailed, match=f"the allow list l{index} of") as failed:
            client.allow_list(workspace, "other", ["192.0.2.1"], display_name=alike)
        assert failed.value.reason == "DISPLAY_NAME_TAKEN"
        assert alike in failed.value.message, "it is echoed readably"


def test_two_admins_who_add_at_once_cannot_pass_the_guard_together(
    client: Client, workspace: str
) -> None:
    """Of two additions that are too broad only together, one is rejected."""
    allow_list = client.allow_list(workspace, "l", ["192.0.2.1"])
    halves = ["10.0.0.0/9", "10.128.0.0/9", "11.0.0.0/9", "11.128.0.0/9"]

    def add(part: str) -> str:
        try:
            client.call(
                "AddRanges",
                admin.AddRangesRequest(allow_list=allow_list.name, ranges=plain([part])),
            )
        except RpcFailed as failed:
            return failed.code
        return "OK"

    with ThreadPoolExecutor(4) as pool:
        results = sorted(pool.map(add, halves))
    assert results == ["INVALID_ARGUMENT"] * 3 + ["OK"]


def test_linking_is_idempotent_and_whole(client: Client, workspace: str) -> None:
    """Linking again changes nothing; with one unknown key nothing is linked."""
    allow_list = client.allow_list(workspace, "l", ["1.2.3.4"])
    keys = [client.key(workspace, f"k{index}").api_key.name for index in range(3)]
    with pytest.raises(RpcFailed) as failed:
        client.link(allow_list.name, keys[0], f"{workspace}/apiKeys/nobody")
    assert failed.value.code == "NOT_FOUND"
    assert "nobody" in failed.value.message
    assert get(client, allow_list.name).linked_api_key_count == 0
    first = client.link(allow_list.name, *keys, keys[0])
    assert client.link(allow_list.name, *keys) == first
    assert get(client, allow_list.name).linked_api_key_count == 3
    client.unlink(allow_list.name, keys[0])
    assert client.unlink(allow_list.name, keys[0]) == client.unlink(allow_list.name, keys[0])
    request = admin.ListLinkedApiKeysRequest(allow_list=allow_list.name)
    linked = client.call("ListLinkedApiKeys", request).api_keys
    assert [api_key.name for api_key in linked] == keys[1:]
    assert list(linked[0].allow_lists) == [allow_list.name]


def test_keys_of_another_workspace_cannot_be_linked(client: Client, workspace: str) -> None:
    """Each foreign key is named by its violation."""
    allow_list = client.allow_list(workspace, "l", ["1.2.3.4"])
    missing = [f"{workspace}/apiKeys/{'k' * 50}{index}" for index in range(1000)]
    with pytest.raises(RpcFailed) as failed:
        client.link(allow_list.name, *missing)
    assert failed.value.code == "NOT_FOUND"
    foreign = client.key(client.workspace(), "k").api_key.name
    with pytest.raises(RpcFailed) as failed:
        client.link(allow_list.name, foreign, "nonsense")
    assert set(failed.value.fields) == {"api_keys[0]", "api_keys[1]"}


def test_of_many_admins_with_one_etag_exactly_one_wins(client: Client, workspace: str) -> None:
    """Concurrent updates from the same state never lose one another."""
    allow_list = client.allow_list(workspace, "l", ["1.2.3.4"])

    def rename(index: int) -> str:
        fields = {"name": allow_list.name, "display_name": f"n{index}", "etag": allow_list.etag}
        try:
            client.call("UpdateAllowList", admin.UpdateAllowListRequest(allow_list=fields))
        except RpcFailed as failed:
            return failed.code
        return "OK"

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(rename, range(8)))
    assert sorted(results) == ["ABORTED"] * 7 + ["OK"]
    assert get(client, allow_list.name).display_name == f"n{results.index('OK')}"


def test_a_list_of_100_000_ranges_is_kept_and_decides(client: Client, workspace: str) -> None:
    """The promised size works through one call, and one more range is rejected with the limit."""
    ranges = [f"10.{a}.{b}.{c}" for a in range(4) for b in range(250) for c in range(100)]
    allow_list = client.allow_list(workspace, "big", ranges)
    assert allow_list.range_count == 100_000
    key = client.key(workspace, "k").api_key.name
    client.link(allow_list.name, key)
    assert client.ask("10.3.249.99", api_key=key).allowed
    assert not client.ask("10.3.249.100", api_key=key).allowed
    stored = get(client, allow_list.name)
    assert stored.ranges_omitted
    assert not stored.ranges
    with pytest.raises(RpcFailed) as failed:
        client.call(
            "AddRanges",
            admin.AddRangesRequest(allow_list=allow_list.name, ranges=plain(["11.0.0.1"])),
        )
    assert (failed.value.code, failed.value.reason) == ("RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED")
    assert "max-ranges-per-list" in failed.value.message
    remove = admin.RemoveRangesRequest(allow_list=allow_list.name, ranges=["10.3.249.99"])
    revision = client.call("RemoveRanges", remove).revision
    assert not client.ask("10.3.249.99", api_key=key, min_revision=revision).allowed
