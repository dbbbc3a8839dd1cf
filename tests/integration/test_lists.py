"""AdminService: allow lists, ranges and links."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

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
    assert list(stored.ranges) == ["9.0.0.1", "10.0.0.0/9", "10.0.0.0/24"]
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
        *(f"allow_list.ranges[{index}]" for index in range(1, 5)),
    }
    assert "'198.51.100.0/24' for all 256 addresses" in failed.value.fields["allow_list.ranges[1]"]
    with pytest.raises(RpcFailed) as failed:
        client.allow_list(workspace, "l", ["x"] * 5000)
    assert len(failed.value.fields) >= 80
    assert "more)" in failed.value.message
    with pytest.raises(RpcFailed) as failed:
        client.allow_list(workspace, "l", [f"{'x' * 200}{index}" for index in range(5000)])
    assert failed.value.code == "INVALID_ARGUMENT"
    assert len(failed.value.fields) > 20
    with pytest.raises(RpcFailed, match="NOT_FOUND"):
        get(client, f"{workspace}/allowLists/l")


def test_a_list_needs_a_name_a_description_and_a_range(client: Client, workspace: str) -> None:
    """Each of the three is required, and none can be taken away later."""
    with pytest.raises(RpcFailed) as failed:
        client.allow_list(workspace, "l", [], display_name="", description="")
    assert len(failed.value.fields) == 3
    allow_list = client.allow_list(workspace, "l", ["1.2.3.4"])
    for path in ("display_name", "description", "ranges"):
        request = admin.UpdateAllowListRequest(allow_list={"name": allow_list.name})
        request.update_mask.paths.append(path)
        with pytest.raises(RpcFailed) as failed:
            client.call("UpdateAllowList", request)
        assert list(failed.value.fields) == [f"allow_list.{path}"]


def test_display_names_are_unique_without_case(client: Client, workspace: str) -> None:
    """A second list of a like name is rejected at creation and at renaming; a freed name is free."""
    first = client.allow_list(workspace, "one", ["1.2.3.4"], display_name="Straße")
    second = client.allow_list(workspace, "two", ["1.2.3.4"], display_name="Two")
    with pytest.raises(RpcFailed) as failed:
        client.allow_list(workspace, "three", ["1.2.3.4"], display_name="STRASSE")
    assert (failed.value.code, failed.value.reason) == ("ALREADY_EXISTS", "DISPLAY_NAME_TAKEN")
    rename = admin.UpdateAllowListRequest(
        allow_list={"name": second.name, "display_name": "strasse"}
    )
    with pytest.raises(RpcFailed, match="ALREADY_EXISTS"):
        client.call("UpdateAllowList", rename)
    own = admin.UpdateAllowListRequest(allow_list={"name": first.name, "display_name": "STRASSE"})
    assert client.call("UpdateAllowList", own).allow_list.display_name == "STRASSE"
    client.call("DeleteAllowList", admin.DeleteAllowListRequest(name=first.name))
    assert client.call("UpdateAllowList", rename).allow_list.display_name == "strasse"


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


def test_line_ends_of_a_description_become_those_of_unix(client: Client, workspace: str) -> None:
    """What an editor of another system writes is no error, at creation and later."""
    text = "one\r\n\ttwo\rthree"
    allow_list = client.allow_list(workspace, "l", ["192.0.2.1"], description=text)
    assert get(client, allow_list.name).description == "one\n\ttwo\nthree"
    update = admin.UpdateAllowListRequest(
        allow_list={"name": allow_list.name, "description": "a\r\nb"}
    )
    assert client.call("UpdateAllowList", update).allow_list.description == "a\nb"


def test_ranges_are_added_and_removed_one_by_one(client: Client, workspace: str) -> None:
    """What is added again stays once; what is removed is gone; the rest is as it was."""
    allow_list = client.allow_list(workspace, "l", ["1.2.3.4"])
    add = admin.AddRangesRequest(
        allow_list=allow_list.name, ranges=["1.2.3.4", "5.6.7.0/24", "9.9.9.9"]
    )
    assert client.call("AddRanges", add).allow_list.range_count == 3
    etag = get(client, allow_list.name).etag
    assert client.call("AddRanges", add).allow_list.etag == etag, "nothing new is no change"
    remove = admin.RemoveRangesRequest(allow_list=allow_list.name, ranges=["5.6.7.0/24"])
    assert client.call("RemoveRanges", remove).allow_list.range_count == 2
    assert list(get(client, allow_list.name).ranges) == ["1.2.3.4", "9.9.9.9"]


def test_a_range_that_is_not_in_the_list_cannot_be_removed(client: Client, workspace: str) -> None:
    """A typing error is not taken for a revocation: nothing at all is removed."""
    allow_list = client.allow_list(workspace, "l", ["1.2.3.0/24", "5.6.7.8"])
    request = admin.RemoveRangesRequest(
        allow_list=allow_list.name, ranges=["5.6.7.8", "1.2.3.0/25"]
    )
    with pytest.raises(RpcFailed) as failed:
        client.call("RemoveRanges", request)
    assert (failed.value.code, failed.value.reason) == (
        "FAILED_PRECONDITION",
        "RANGE_NOT_IN_LIST",
    )
    assert failed.value.subjects == ["1.2.3.0/25"]
    assert get(client, allow_list.name).range_count == 2


def test_a_list_never_becomes_empty(client: Client, workspace: str) -> None:
    """Removing the last range is rejected."""
    allow_list = client.allow_list(workspace, "l", ["1.2.3.4", "5.6.7.8"])
    request = admin.RemoveRangesRequest(allow_list=allow_list.name, ranges=["1.2.3.4", "5.6.7.8"])
    with pytest.raises(RpcFailed) as failed:
        client.call("RemoveRanges", request)
    assert failed.value.reason == "ALLOW_LIST_EMPTY"


@pytest.mark.parametrize(
    "ranges", [["0.0.0.0/1", "128.0.0.0/1"], ["10.0.0.0/8", "11.0.0.0"], ["10.0.0.0/7"]]
)
def test_a_broad_list_needs_consent_whatever_it_is_made_of(
    client: Client, workspace: str, ranges: list[str]
) -> None:
    """The union counts: no way of splitting a broad range slips through, in no method."""
    with pytest.raises(RpcFailed) as failed:
        client.allow_list(workspace, "l", ranges)
    assert (failed.value.code, failed.value.reason) == ("INVALID_ARGUMENT", "LIST_TOO_BROAD")
    assert "allow_broad" in failed.value.message
    allow_list = client.allow_list(workspace, "small", ["10.1.0.0/16"])
    add = admin.AddRangesRequest(allow_list=allow_list.name, ranges=ranges)
    with pytest.raises(RpcFailed, match="INVALID_ARGUMENT"):
        client.call("AddRanges", add)
    replace = admin.UpdateAllowListRequest(allow_list={"name": allow_list.name, "ranges": ranges})
    with pytest.raises(RpcFailed, match="INVALID_ARGUMENT"):
        client.call("UpdateAllowList", replace)
    add.allow_broad = True
    assert client.call("AddRanges", add).allow_list.range_count == 1 + len(ranges)
    rename = admin.UpdateAllowListRequest(
        allow_list={"name": allow_list.name, "display_name": "wide"}
    )
    client.call("UpdateAllowList", rename)


def test_overlapping_additions_are_not_counted_twice(client: Client, workspace: str) -> None:
    """The guard looks at the union exactly: adding parts of what is covered is never refused."""
    allow_list = client.allow_list(workspace, "l", ["10.0.0.0/8"])
    for part in ("10.0.0.0/9", "10.128.0.0/9", "10.0.0.0/10"):
        client.call("AddRanges", admin.AddRangesRequest(allow_list=allow_list.name, ranges=[part]))
    with pytest.raises(RpcFailed, match="INVALID_ARGUMENT"):
        client.call(
            "AddRanges", admin.AddRangesRequest(allow_list=allow_list.name, ranges=["11.0.0.1"])
        )
    remove = admin.RemoveRangesRequest(
        allow_list=allow_list.name, ranges=["10.0.0.0/8", "10.128.0.0/9"]
    )
    client.call("RemoveRanges", remove)
    client.call(
        "AddRanges", admin.AddRangesRequest(allow_list=allow_list.name, ranges=["11.0.0.1"])
    )


def test_two_admins_who_add_at_once_cannot_pass_the_guard_together(
    client: Client, workspace: str
) -> None:
    """Of two additions that are too broad only together, one is rejected."""
    allow_list = client.allow_list(workspace, "l", ["192.0.2.1"])
    halves = ["10.0.0.0/9", "10.128.0.0/9", "11.0.0.0/9", "11.128.0.0/9"]

    def add(part: str) -> str:
        try:
            client.call(
                "AddRanges", admin.AddRangesRequest(allow_list=allow_list.name, ranges=[part])
            )
        except RpcFailed as failed:
            return failed.code
        return "OK"

    with ThreadPoolExecutor(4) as pool:
        results = sorted(pool.map(add, halves))
    assert results == ["INVALID_ARGUMENT"] * 3 + ["OK"]


def test_a_list_in_use_is_deleted_only_by_force(client: Client, workspace: str) -> None:
    """The refusal names the uses; force unlinks and turns the default off in the same change."""
    allow_list = client.allow_list(workspace, "l", ["1.2.3.4"])
    key = client.key(workspace, "k").api_key
    client.link(allow_list.name, key.name)
    client.default(workspace, allow_list.name)
    request = admin.DeleteAllowListRequest(name=allow_list.name)
    with pytest.raises(RpcFailed) as failed:
        client.call("DeleteAllowList", request)
    assert (failed.value.code, failed.value.reason) == (
        "FAILED_PRECONDITION",
        "ALLOW_LIST_IN_USE",
    )
    assert failed.value.subjects == ["uses", "default", "k"]
    request.force = request.allow_unrestricted = True
    revision = client.call("DeleteAllowList", request).revision
    answer = client.ask("8.8.8.8", api_key=key.name, min_revision=revision)
    assert answer.allowed, "unlinked, and no default"
    resource = client.call("GetWorkspace", admin.GetWorkspaceRequest(name=workspace))
    assert resource.default_allow_list == resources.DefaultAllowList()


def test_a_default_that_is_off_does_not_hold_its_list(client: Client, workspace: str) -> None:
    """A list that is only remembered by a default that is off can be deleted."""
    allow_list = client.allow_list(workspace, "l", ["1.2.3.4"])
    client.default(workspace, allow_list.name, enabled=False)
    client.call("DeleteAllowList", admin.DeleteAllowListRequest(name=allow_list.name))
    resource = client.call("GetWorkspace", admin.GetWorkspaceRequest(name=workspace))
    assert not resource.default_allow_list.allow_list


def test_a_deleted_list_leaves_nothing_behind(client: Client, workspace: str) -> None:
    """A new list of the same id has none of the old one's links."""
    allow_list = client.allow_list(workspace, "l", ["1.2.3.4"])
    key = client.key(workspace, "k").api_key
    client.link(allow_list.name, key.name)
    client.call(
        "DeleteAllowList",
        admin.DeleteAllowListRequest(name=allow_list.name, force=True, allow_unrestricted=True),
    )
    again = client.allow_list(workspace, "l", ["8.8.8.8"])
    assert get(client, again.name).linked_api_key_count == 0
    answer = client.ask("9.9.9.9", api_key=key.name, min_revision=again.revision)
    assert answer.allowed, "the key is not linked to the new list"


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


def test_a_stale_etag_loses(client: Client, workspace: str) -> None:
    """Every change of a list that carries an old etag is rejected and changes nothing."""
    allow_list = client.allow_list(workspace, "l", ["1.2.3.4", "5.6.7.8"])
    changed = client.call(
        "AddRanges", admin.AddRangesRequest(allow_list=allow_list.name, ranges=["9.9.9.9"])
    ).allow_list
    stale: list[tuple[str, object]] = [
        ("AddRanges", admin.AddRangesRequest(allow_list=allow_list.name, ranges=["8.8.8.8"], etag=allow_list.etag)),
        ("RemoveRanges", admin.RemoveRangesRequest(allow_list=allow_list.name, ranges=["1.2.3.4"], etag=allow_list.etag)),
        ("UpdateAllowList", admin.UpdateAllowListRequest(
            allow_list={"name": allow_list.name, "display_name": "x", "etag": allow_list.etag})),
        ("DeleteAllowList", admin.DeleteAllowListRequest(name=allow_list.name, etag=allow_list.etag)),
    ]  # fmt: skip
    for method, request in stale:
        with pytest.raises(RpcFailed) as failed:
            client.call(method, request)
        assert (failed.value.code, failed.value.reason) == ("ABORTED", "ETAG_MISMATCH")
    assert get(client, allow_list.name).etag == changed.etag


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


def test_validate_only_checks_and_changes_nothing(client: Client, workspace: str) -> None:
    """Dry runs answer as the change would, refuse what it would refuse, and leave all as it was."""
    allow_list = client.allow_list(workspace, "l", ["1.2.3.4", "5.6.7.8"])
    key = client.key(workspace, "k").api_key.name
    client.link(allow_list.name, key)
    before = get(client, allow_list.name)
    add = admin.AddRangesRequest(
        allow_list=allow_list.name, ranges=["9.9.9.9", "1.2.3.4"], validate_only=True
    )
    assert client.call("AddRanges", add).allow_list.range_count == 3
    remove = admin.RemoveRangesRequest(
        allow_list=allow_list.name, ranges=["1.2.3.4"], validate_only=True
    )
    assert client.call("RemoveRanges", remove).allow_list.range_count == 1
    update = admin.UpdateAllowListRequest(
        allow_list={"name": allow_list.name, "display_name": "new", "ranges": ["8.8.8.8"]},
        validate_only=True,
    )
    would_be = client.call("UpdateAllowList", update).allow_list
    assert (would_be.display_name, would_be.range_count) == ("new", 1)
    delete = admin.DeleteAllowListRequest(name=allow_list.name, validate_only=True)
    with pytest.raises(RpcFailed, match="FAILED_PRECONDITION"):
        client.call("DeleteAllowList", delete)
    delete.force = delete.allow_unrestricted = True
    assert not client.call("DeleteAllowList", delete).revision
    unlink = admin.UnlinkApiKeysRequest(
        allow_list=allow_list.name, api_keys=[key], validate_only=True, allow_unrestricted=True
    )
    assert not client.call("UnlinkApiKeys", unlink).revision
    create = admin.CreateAllowListRequest(
        parent=workspace, allow_list_id="l", allow_list=before, validate_only=True
    )
    with pytest.raises(RpcFailed, match="ALREADY_EXISTS"):
        client.call("CreateAllowList", create)
    assert get(client, allow_list.name) == before


def test_a_list_of_100_000_ranges_is_kept_and_decides(client: Client, workspace: str) -> None:
    """The promised size works through one call, and one more range is rejected with the limit."""
    ranges = [f"10.{a}.{b}.{c}" for a in range(4) for b in range(250) for c in range(100)]
    allow_list = client.allow_list(workspace, "big", ranges)
    assert allow_list.range_count == 100_000
    key = client.key(workspace, "k").api_key.name
    client.link(allow_list.name, key)
    assert client.ask("10.3.249.99", api_key=key).allowed
    assert not client.ask("10.3.249.100", api_key=key).allowed
    assert len(get(client, allow_list.name).ranges) == 100_000
    with pytest.raises(RpcFailed) as failed:
        client.call(
            "AddRanges", admin.AddRangesRequest(allow_list=allow_list.name, ranges=["11.0.0.1"])
        )
    assert (failed.value.code, failed.value.reason) == ("RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED")
    assert "max-ranges-per-list" in failed.value.message
    remove = admin.RemoveRangesRequest(allow_list=allow_list.name, ranges=["10.3.249.99"])
    revision = client.call("RemoveRanges", remove).revision
    assert not client.ask("10.3.249.99", api_key=key, min_revision=revision).allowed
