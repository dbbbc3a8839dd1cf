"""Listings by prefix, state and access: what a plain filter over everything finds."""

import random
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

from tests.harness.servers import Client, RpcFailed

pytestmark = [pytest.mark.engine, pytest.mark.store]

Run = Any
SEED = 7
NAMES = ["", "Straße", "STRASSE 2", "Zürich", "alpha one", "Alpha two", "\N{DOOR}", "k01"]
State, Access = admin.ListApiKeysRequest.State, resources.ApiKey.Access


def pages(client: Client, method: str, field: str, request: Any) -> list[Any]:
    found: list[Any] = []
    for _ in range(2000):
        page = client.call(method, request)
        assert len(getattr(page, field)) <= request.page_size
        found += getattr(page, field)
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token
    raise AssertionError("the listing does not end")


def keys(client: Client, workspace: str, size: int = 100, **fields: Any) -> list[str]:
    request = admin.ListApiKeysRequest(parent=workspace, page_size=size, **fields)
    found = [
        key.name.rpartition("/")[2] for key in pages(client, "ListApiKeys", "api_keys", request)
    ]
    assert len(found) == len(set(found)), "a key comes twice"
    return found


@pytest.fixture
def filled(client: Client) -> str:
    """Keys of all kinds, changed at random after they were created."""
    source = random.Random(SEED)
    workspace = client.workspace()
    office = client.allow_list(workspace, "office", ["192.0.2.1"]).name
    times = (1, 1_700_000_000, 4_000_000_000)
    for index in range(40):
        fields: dict[str, Any] = {"display_name": source.choice(NAMES), "disabled": not index % 3}
        if index % 4:
            fields["expire_time"] = Timestamp(seconds=source.choice(times), nanos=index)
        name = client.key(workspace, f"k{index:02}", **fields).api_key.name
        if not index % 5:
            client.link(office, name)
    for index in range(0, 40, 2):
        changes: Any = {
            "name": f"{workspace}/apiKeys/k{index:02}",
            "display_name": source.choice(NAMES),
            "disabled": source.random() < 0.5,
            "expire_time": Timestamp(seconds=source.choice(times)),
        }
        mask = {"paths": source.sample(["display_name", "disabled", "expire_time"], 2)}
        client.call("UpdateApiKey", admin.UpdateApiKeyRequest(api_key=changes, update_mask=mask))
    for index in (5, 6):
        client.call(
            "DeleteApiKey", admin.DeleteApiKeyRequest(name=f"{workspace}/apiKeys/k{index:02}")
        )
    return workspace


def everything(client: Client, workspace: str) -> list[Any]:
    request = admin.ListApiKeysRequest(parent=workspace, page_size=1000)
    page = client.call("ListApiKeys", request)
    assert page.total_size == len(page.api_keys) == 38
    return list(page.api_keys)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_states_and_access_find_what_a_plain_filter_finds(
    client: Client, filled: str, size: int
) -> None:
    """Alone and together, in pages of any size; each key once."""
    stored = everything(client, filled)

    def is_in(key: Any, state: Any) -> bool:
        expired = key.HasField("expire_time") and key.expire_time.seconds < 2_000_000_000
        if state == State.STATE_ENABLED:
            return not key.disabled and not expired
        if state == State.STATE_DISABLED:
            return bool(key.disabled)
        return bool(expired or state != State.STATE_EXPIRED)

    for state in State.values():
        for access in (0, Access.ACCESS_LISTS, Access.ACCESS_UNRESTRICTED, Access.ACCESS_CLOSED):
            wanted = {
                key.name.rpartition("/")[2]
                for key in stored
                if is_in(key, state) and access in (0, key.access)
            }
            found = keys(client, filled, size, state=state, access=access)
            assert set(found) == wanted, (state, access)
    expired = {key.name.rpartition("/")[2]: key.expire_time.ToNanoseconds() for key in stored}
    order = [expired[key] for key in keys(client, filled, size, state=State.STATE_EXPIRED)]
    assert order == sorted(order)


@pytest.mark.parametrize("size", [1, 100])
def test_a_query_finds_ids_and_names_that_begin_with_it(
    client: Client, filled: str, size: int
) -> None:
    """Without regard to case, each key once, those by id first; also with a state."""
    stored = {key.name.rpartition("/")[2]: key for key in everything(client, filled)}
    for query, name in (("str", "strasse"), ("STRASSE", "strasse"), ("straß", "strasse"), ("alpha", "alpha"), ("alpha t", "alpha t"), ("zü", "zürich"), ("k0", "k0"), ("K", "k"), ("nothing", "nothing"), ("\N{DOOR}", "\N{DOOR}")):  # fmt: skip
        by_id = [key for key in sorted(stored) if key.startswith(query.lower())]
        by_name = {
            key
            for key, resource in stored.items()
            if resource.display_name.casefold().startswith(name) and key not in by_id
        }
        found = keys(client, filled, size, query=query)
        assert found[: len(by_id)] == by_id
        assert set(found[len(by_id) :]) == by_name
        disabled = keys(client, filled, size, query=query, state=State.STATE_DISABLED)
        assert disabled == [key for key in found if stored[key].disabled]


def test_lists_are_found_by_id_and_name(client: Client, workspace: str) -> None:
    """Also after they were renamed and deleted."""
    for identifier, name in (("one", "Straße"), ("two", "Office"), ("three", "one more")):
        client.allow_list(workspace, identifier, ["192.0.2.1"], display_name=name)

    def found(query: str, size: int = 1) -> list[str]:
        request = admin.ListAllowListsRequest(parent=workspace, query=query, page_size=size)
        listed = pages(client, "ListAllowLists", "allow_lists", request)
        return [item.name.rpartition("/")[2] for item in listed]

    assert found("one") == ["one", "three"]
    assert found("STRASSE") == ["one"]
    renamed = {"name": f"{workspace}/allowLists/one", "display_name": "Office 2"}
    client.call("UpdateAllowList", admin.UpdateAllowListRequest(allow_list=renamed))
    assert found("strasse") == []
    assert found("office") == ["two", "one"]
    client.call("DeleteAllowList", admin.DeleteAllowListRequest(name=f"{workspace}/allowLists/two"))
    assert found("office") == ["one"]
    everything = client.call("ListAllowLists", admin.ListAllowListsRequest(parent=workspace))
    assert everything.total_size == 2


def test_long_names_are_paged_through(client: Client, workspace: str) -> None:
    """A page token has room for the longest name."""
    for index in range(3):
        client.key(workspace, f"k{index}", display_name="\N{DOOR}" * 199 + str(index))
    assert keys(client, workspace, 1, query="\N{DOOR}") == ["k0", "k1", "k2"]


def test_bad_searches_are_refused(client: Client, workspace: str) -> None:
    """With the field; a token of another search, too."""
    for name in ("a", "b"):
        client.key(workspace, name)
    request = admin.ListApiKeysRequest(parent=workspace, page_size=1, access="ACCESS_UNRESTRICTED")
    token = client.call("ListApiKeys", request).next_page_token
    cases: Any = (
        ({"query": "x" * 201}, "query"),
        ({"access": 9}, "access"),
        ({"state": 9}, "state"),
        ({"page_token": token}, "page_token"),
    )
    for fields, field in cases:
        with pytest.raises(RpcFailed) as failed:
            client.call("ListApiKeys", admin.ListApiKeysRequest(parent=workspace, **fields))
        assert list(failed.value.fields) == [field]
    both = admin.ListAllowListsRequest(parent=workspace, query="a", contains_address="192.0.2.1")
    with pytest.raises(RpcFailed) as failed:
        client.call("ListAllowLists", both)
    assert "leave one out" in failed.value.fields["query"]


def test_the_commands_search(run: Run) -> None:
    """By name, state and access."""
    run("key", "create", "ci", "--name", "Build jobs")
    run("key", "create", "old", "--name", "Former", "--disabled")
    assert run("key", "ls", "--query", "build").splitlines()[1].startswith("ci ")
    assert run("key", "ls", "--state", "disabled").splitlines()[1].startswith("old ")
    assert len(run("key", "ls", "--access", "unrestricted").splitlines()) == 3
    assert "use enabled, disabled, expired" in run("key", "ls", "--state", "x", code=2)
    run("list", "create", "l", "--name", "Office", "--description", "d", "-r", "192.0.2.1")
    assert run("list", "ls", "--query", "off").splitlines()[1].startswith("l ")
