"""Which lists hold an address, and what is decided for it: as `Authorize` decides."""

import ipaddress
import json
import random
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from ipgate.admin.access_check import AccessChecks, AccessQuestion, Draft
from ipgate.admin.range_checks import RangeChecks
from ipgate.domain.addresses import parse_address
from ipgate.domain.resources import Range
from ipgate.store import address_search
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.in_process import running_worker
from tests.harness.ranges import cidrs, plain
from tests.harness.servers import Client, RpcFailed
from tests.harness.stores import running

pytestmark = [pytest.mark.engine, pytest.mark.store]

Run = Any
SEED = 6
NARROW = ["10.0.0.0/8", "10.0.0.0/24", "10.0.0.128/25", "10.0.0.1", "10.0.1.0/24", "0.0.0.0/0"]
WIDE = ["2001:db8::/32", "2001:db8::/64", "2001:db8::1", "::/0"]
ADDRESSES = ["10.0.0.1", "10.0.0.200", "10.9.9.9", "192.0.2.1", "2001:db8::1", "2001:db9::1"]
STATES: list[dict[str, Any]] = [
    {}, {}, {"disabled": True}, {"expire_time": "2020-01-01T00:00:00Z"}, {"start_time": "2999-01-01T00:00:00Z"}
]  # fmt: skip


def check(client: Client, workspace: str, address: str, **fields: Any) -> list[Any]:
    """All pages of a check."""
    request = admin.CheckAccessRequest(parent=workspace, address=address, **fields)
    pages = [client.call("CheckAccess", request)]
    while pages[-1].next_page_token:
        request.page_token = pages[-1].next_page_token
        pages.append(client.call("CheckAccess", request))
    return pages


def decisions(pages: list[Any]) -> dict[str, Any]:
    return {key.decision.api_key: key for page in pages for key in page.api_keys}


@pytest.fixture
def filled(client: Client) -> str:
    """A workspace with random lists of both families, keys with random links, and a default."""
    source = random.Random(SEED)
    workspace = client.workspace(ipv6_enabled=True)
    lists = []
    for index in range(12):
        ranges = source.sample(NARROW, 2) + source.sample(WIDE, 1)
        messages = [{"cidr": cidr} | source.choice(STATES) for cidr in ranges]
        lists.append(client.allow_list(workspace, f"l{index:02}", messages, allow_broad=True).name)
    for index in range(20):
        fields: dict[str, Any] = {"disabled": not index % 7, "report_only": not index % 5}
        fields["display_name"] = f"Key {index:02}"
        if not index % 6:
            fields["expire_time"] = Timestamp(seconds=source.choice((1, 4_000_000_000)))
        key = client.key(workspace, f"k{index:02}", **fields).api_key.name
        for allow_list in source.sample(lists, index % 4):
            client.call(
                "LinkApiKeys",
                admin.LinkApiKeysRequest(
                    allow_list=allow_list, api_keys=[key], allow_unrestricted=True
                ),
            )
    client.default(workspace, lists[0])
    return workspace


def test_a_check_decides_as_authorize_does(client: Client, filled: str) -> None:
    """For every key and several addresses, at any size of the pages."""
    for address in ADDRESSES:
        pages = check(client, filled, address, page_size=6)
        assert len(pages) > 2
        assert all(not page.allow_lists for page in pages[1:])
        assert len({page.time.ToNanoseconds() for page in pages}) == 1
        for name, key in decisions(pages).items():
            wanted = client.ask(address, api_key=name)
            wanted.revision = ""
            assert key.decision == wanted
            assert key.display_name == name[-3:].replace("k", "Key ")
            assert not key.HasField("decision_without_draft")
        assert len(decisions(pages)) == 20


def test_the_lists_that_hold_an_address_are_found(client: Client, filled: str) -> None:
    """Each with the ranges that do, the narrowest first, whether they count or not; in pages of any size."""
    stored = client.call("ListAllowLists", admin.ListAllowListsRequest(parent=filled)).allow_lists
    for address in ADDRESSES:
        wanted = {}
        for allow_list in stored:
            read = client.call("GetAllowList", admin.GetAllowListRequest(name=allow_list.name))
            holding = [
                range_
                for range_ in read.ranges
                if ipaddress.ip_address(address) in ipaddress.ip_network(range_.cidr)
            ]
            if holding:
                wanted[allow_list.name] = holding[::-1]
        for size in (1, 5, 100):
            request = admin.ListAllowListsRequest(
                parent=filled, contains_address=address, page_size=size
            )
            found: dict[str, Any] = {}
            while True:
                page = client.call("ListAllowLists", request)
                assert len(page.allow_lists) <= size
                found.update((item.name, list(item.ranges)) for item in page.allow_lists)
                if not page.next_page_token:
                    break
                request.page_token = page.next_page_token
            assert found == wanted
        first = check(client, filled, address)[0]
        assert {item.name: list(item.ranges) for item in first.allow_lists} == wanted


def test_a_draft_decides_without_being_stored(client: Client, workspace: str) -> None:
    """The keys of its list are decided with and without it; those of the default, too, where it is the default."""
    office = client.allow_list(workspace, "office", ["192.0.2.0/24"]).name
    own = client.allow_list(workspace, "own", ["198.51.100.1"]).name
    linked, both, free = (client.key(workspace, key).api_key.name for key in "abc")
    for key in (linked, both):
        client.link(office, key)
    client.link(own, both)
    draft = {"allow_list": office, "ranges": plain(["198.51.100.0/24"])}
    reasons = {
        name: (key.decision.reason, key.decision_without_draft.reason)
        for name, key in decisions(check(client, workspace, "198.51.100.1", draft=draft)).items()
    }
    match, no_match = authorize.REASON_LINKED_LIST_MATCH, authorize.REASON_NOT_IN_LINKED_LISTS
    assert reasons == {linked: (match, no_match), both: (match, match)}
    client.default(workspace, office)
    pages = check(client, workspace, "198.51.100.1", draft=draft, page_size=1)
    assert list(decisions(pages)) == [linked, both, free]
    assert decisions(pages)[free].decision.reason == authorize.REASON_DEFAULT_LIST_MATCH
    assert [item.name for item in pages[0].allow_lists] == [office, own]
    stored = client.call("GetAllowList", admin.GetAllowListRequest(name=office))
    assert cidrs(stored) == ["192.0.2.0/24"]
    new = check(client, workspace, "8.8.8.8", draft={"ranges": plain(["8.0.0.0/8"])})
    assert [(item.name, cidrs(item)) for item in new[0].allow_lists] == [("", ["8.0.0.0/8"])]
    assert not decisions(new)


def test_another_time_can_be_decided_for(client: Client, workspace: str) -> None:
    """Expiries of keys and ranges are judged at that instant, to the nanosecond."""
    office = client.allow_list(
        workspace, "l", [{"cidr": "192.0.2.1", "start_time": "2098-01-01T00:00:00Z"}]
    ).name
    end = Timestamp()
    end.FromJsonString("2099-01-01T00:00:00Z")
    key = client.key(workspace, "k", expire_time=end).api_key.name
    client.link(office, key)
    for at, reason in (
        ("2097-12-31T23:59:59.999999999Z", "NOT_IN_LINKED_LISTS"),
        ("2098-01-01T00:00:00Z", "LINKED_LIST_MATCH"),
        ("2098-12-31T23:59:59.999999999Z", "LINKED_LIST_MATCH"),
        ("2099-01-01T00:00:00Z", "KEY_EXPIRED"),
    ):
        time = Timestamp()
        time.FromJsonString(at)
        (page,) = check(client, workspace, "192.0.2.1", api_key=key, time=time)
        assert page.time == time
        (checked,) = page.api_keys
        assert authorize.Reason.Name(checked.decision.reason) == f"REASON_{reason}"


def test_a_token_of_another_check_is_refused(client: Client, filled: str) -> None:
    """A page token is good for its address, draft and time only."""
    request = admin.CheckAccessRequest(parent=filled, address="10.0.0.1", page_size=3)
    token = client.call("CheckAccess", request).next_page_token
    for changes in (
        {"address": "10.0.0.2"},
        {"draft": {"ranges": plain(["10.0.0.0/8"])}},
        {"time": Timestamp(seconds=1)},
    ):
        other = admin.CheckAccessRequest(parent=filled, address="10.0.0.1", page_token=token)
        other.MergeFrom(admin.CheckAccessRequest(**changes))
        with pytest.raises(RpcFailed) as failed:
            client.call("CheckAccess", other)
        assert list(failed.value.fields) == ["page_token"]


def test_bad_questions_are_refused(client: Client, workspace: str) -> None:
    """With the field that is wrong."""
    client.allow_list(workspace, "l", ["192.0.2.1"])
    other = client.workspace()
    for fields, field in (
        ({"address": ""}, "address"),
        ({"address": "10.0.0.1/8"}, "address"),
        ({"address": "10.0.0.1", "time": Timestamp(seconds=1 << 34)}, "time"),
        ({"address": "10.0.0.1", "api_key": f"{other}/apiKeys/k"}, "api_key"),
        ({"address": "10.0.0.1", "draft": {}}, "draft.ranges"),
        ({"address": "10.0.0.1", "draft": {"ranges": plain(["x"])}}, "draft.ranges[0].cidr"),
        (
            {"address": "10.0.0.1", "draft": {"ranges": plain(["::1"])}},
            "draft.ranges[0].cidr",
        ),
    ):
        with pytest.raises(RpcFailed) as failed:
            client.call("CheckAccess", admin.CheckAccessRequest(parent=workspace, **fields))
        assert list(failed.value.fields) == [field]
    for missing in (
        {"api_key": f"{workspace}/apiKeys/no"},
        {"draft": {"allow_list": f"{workspace}/allowLists/no", "ranges": plain(["1.1.1.1"])}},
    ):
        with pytest.raises(RpcFailed, match="NOT_FOUND"):
            check(client, workspace, "10.0.0.1", **missing)


def test_the_commands_show_what_holds_and_what_is_decided(run: Run) -> None:
    """`list find` and `check`, as people and programs read them."""
    run("list", "create", "l", "--name", "L", "--description", "d", "-r", "192.0.2.0/24")
    run("list", "add", "l", "-r", "192.0.2.1", "--note", "Ada", "--expires", "2020-01-01")
    assert "no allow list holds 8.8.8.8" in run("list", "find", "8.8.8.8")
    for key in ("a", "b"):
        run("key", "create", key)
    run("list", "link", "l", "a")
    found = [" ".join(line.split()) for line in run("list", "find", "192.0.2.1").splitlines()]
    assert found[-3:] == [
        "LIST RANGE COUNTS NOTE KEYS",
        "l 192.0.2.1 no, expired 2020-01-01T00:00:00Z Ada a",
        "192.0.2.0/24 yes",
    ]
    assert json.loads(run("list", "find", "192.0.2.1", "--json"))[0]["range_count"] == 2
    said = run("check", "192.0.2.1")
    assert "a: ALLOWED LINKED_LIST_MATCH (192.0.2.0/24 in l)\nb: ALLOWED UNRESTRICTED" in said
    said = run("check", "192.0.2.1", "--at", "2019-12-31")
    assert "(192.0.2.1 in l)" in said
    said = run("check", "192.0.2.1", "--list", "l", "--draft-file", "-", stdin="10.0.0.0/8\n")
    assert "a: DENIED NOT_IN_LINKED_LISTS, without the draft ALLOWED LINKED_LIST_MATCH" in said
    assert "1 of 1 API key would be decided differently" in said
    assert len(json.loads(run("check", "192.0.2.1", "--json"))["api_keys"]) == 2


async def test_many_lists_are_found_page_by_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work for a page is bounded: pages of lists come first, each list once, and then the API keys."""
    monkeypatch.setattr(address_search, "MAX_LOOKUPS", 66)
    monkeypatch.setattr(address_search, "MAX_SCRIPTS", 1)
    with running(tmp_path) as store:
        async with running_worker(store.url) as p:
            for index in range(7):
                await p.allow_list(f"l{index}", "192.0.2.0/24" if index % 3 else "192.0.3.0/24")
            await p.key("k")
            await p.link("l1", "k")
            checks = AccessChecks(
                p.workspaces.store,
                p.lists.store,
                p.keys,
                address_search.AddressSearch(p.scripts),
                RangeChecks(p.workspaces.store),
            )
            draft = Draft(allow_list="l1", ranges=[Range("192.0.2.1")])
            question = AccessQuestion(
                workspace=p.workspace, address=parse_address("192.0.2.1"), draft=draft, time=1
            )
            pages = [await checks.check(question, "", 10)]
            while pages[-1].keys.next_after:
                pages.append(await checks.check(question, pages[-1].keys.next_after, 10))
            found = [allow_list.id for page in pages for allow_list in page.lists]
            assert found == ["l1", "l2", "l4", "l5"]
            assert [[key.api_key for key in page.keys.items] for page in pages] == [
                [],
                [],
                [],
                ["k"],
            ]
