"""AdminService: the attributes of ranges, large lists and pages of ranges."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

from tests.harness.ranges import cidrs, plain
from tests.harness.servers import Client, RpcFailed, serving
from tests.harness.stores import running

pytestmark = [pytest.mark.engine, pytest.mark.store]

SEED = 5
NOTE = "N" * 200


def many(count: int, first: int = 0) -> list[str]:
    return [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(first, first + count)]


def replace(client: Client, name: str, *parts: list[resources.Range], **fields: Any) -> Any:
    """Replaces the ranges of a list by those of several messages."""
    requests = [admin.ReplaceRangesRequest(ranges=part) for part in parts]
    requests[0].MergeFrom(admin.ReplaceRangesRequest(allow_list=name, **fields))
    return client.call("ReplaceRanges", requests)


def listed(client: Client, name: str, size: int = 1000, query: str = "") -> Iterator[Any]:
    """All ranges of a list, or those that a search finds, page by page."""
    request = admin.ListRangesRequest(allow_list=name, page_size=size, query=query)
    while True:
        page = client.call("ListRanges", request)
        assert len(page.ranges) <= size
        yield from page.ranges
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def test_a_large_list_is_replaced_listed_and_changed(client: Client, workspace: str) -> None:
    """What comes in many messages is in force together, with its attributes, and is read back in numeric order."""
    name = client.allow_list(workspace, "l", ["192.0.2.1"]).name
    key = client.key(workspace, "k").api_key.name
    client.link(name, key)
    ranges = [resources.Range(cidr=cidr, note=f"{cidr} {NOTE}"[:200]) for cidr in many(20_000)]
    ranges[7].disabled = True
    shuffled = random.Random(SEED).sample(ranges, len(ranges))
    parts = [shuffled[first : first + 3000] for first in range(0, len(shuffled), 3000)]
    foreseen = replace(client, name, *parts, validate_only=True)
    assert not foreseen.revision
    replaced = replace(client, name, *parts)
    assert replaced.effect == foreseen.effect
    assert replaced.effect.ranges_added.count == 20_000
    assert replaced.effect.ranges_removed == admin.AffectedRanges(count=1, ranges=["192.0.2.1"])
    assert replaced.allow_list.range_count == foreseen.allow_list.range_count == 20_000
    assert list(listed(client, name)) == ranges
    ask = {"api_key": key, "min_revision": replaced.revision}
    assert [client.ask(ip, **ask).allowed for ip in ("10.0.0.6", "10.0.0.7", "192.0.2.1")] == [
        True,
        False,
        False,
    ]
    again = replace(client, name, *parts)
    assert again.revision == replaced.revision
    assert again.allow_list.etag == replaced.allow_list.etag


@pytest.mark.parametrize("present", [10, 5000])
def test_many_ranges_are_added_changed_and_removed(
    client: Client, workspace: str, present: int
) -> None:
    """More than a thousand at a time behave as few do, in a short list and in a long one."""
    name = client.allow_list(workspace, "l", many(present)).name
    new = plain(many(2000, present))
    add = admin.AddRangesRequest(allow_list=name, ranges=[*new, *plain(many(5))])
    assert client.call("AddRanges", add).effect.ranges_added.count == 2000
    for range_ in new:
        range_.note = "new"
    with pytest.raises(RpcFailed) as failed:
        client.call("AddRanges", admin.AddRangesRequest(allow_list=name, ranges=new))
    assert failed.value.reason == "RANGE_EXISTS"
    mask = {"paths": ["note"]}
    update = admin.UpdateRangesRequest(allow_list=name, ranges=new, update_mask=mask)
    assert client.call("UpdateRanges", update).effect.ranges_changed.count == 2000
    noted = [range_.cidr for range_ in listed(client, name) if range_.note == "new"]
    assert noted == cidrs(add)[:2000]
    remove = admin.RemoveRangesRequest(allow_list=name, ranges=[*noted, "9.9.9.9"])
    with pytest.raises(RpcFailed) as failed:
        client.call("RemoveRanges", remove)
    assert failed.value.reason == "RANGE_NOT_IN_LIST"
    remove.ranges.remove("9.9.9.9")
    assert client.call("RemoveRanges", remove).allow_list.range_count == present
    assert [range_.cidr for range_ in listed(client, name)] == many(present)


def test_changes_during_a_large_one_are_not_lost(client: Client, workspace: str) -> None:
    """Ranges that come one by one while the list is replaced again and again are there or were replaced: the list is
    never a mixture of two."""
    name = client.allow_list(workspace, "l", ["192.0.2.1"]).name
    versions = [plain([*many(3000, 3000 * number), "192.0.2.1"]) for number in range(4)]

    def add(number: int) -> None:
        request = admin.AddRangesRequest(allow_list=name, ranges=plain([f"198.51.100.{number}"]))
        client.call("AddRanges", request)

    with ThreadPoolExecutor(4) as pool:
        adding = [pool.submit(add, number) for number in range(40)]
        for version in versions:
            replace(client, name, version)
        for task in adding:
            task.result()
    stored = [range_.cidr for range_ in listed(client, name)]
    assert [cidr for cidr in stored if not cidr.startswith("198.51.100.")] == cidrs(
        admin.ReplaceRangesRequest(ranges=versions[-1])
    )


def test_a_change_between_two_pages_ends_the_listing(client: Client, workspace: str) -> None:
    """A page never continues another state of the list; from the first page on it works again."""
    name = client.allow_list(workspace, "l", many(20)).name
    first = client.call("ListRanges", admin.ListRangesRequest(allow_list=name, page_size=7))
    assert cidrs(first) == many(7)
    client.call("AddRanges", admin.AddRangesRequest(allow_list=name, ranges=plain(["9.9.9.9"])))
    request = admin.ListRangesRequest(
        allow_list=name, page_size=7, page_token=first.next_page_token
    )
    with pytest.raises(RpcFailed) as failed:
        client.call("ListRanges", request)
    assert failed.value.code == "ABORTED"
    assert [range_.cidr for range_ in listed(client, name, 7)] == ["9.9.9.9", *many(20)]


def test_a_search_in_a_list_finds_overlapping_ranges_and_notes(
    client: Client, workspace: str
) -> None:
    """An address finds the ranges that hold it, a range also those inside it, a text notes and beginnings; pages have
    no gaps."""
    name = client.allow_list(workspace, "l", many(300)).name
    noted = [
        resources.Range(cidr="172.16.0.0/12", note="Oslo, Straße 7"),
        resources.Range(cidr="172.17.0.0/16"),
        resources.Range(cidr="172.17.2.3", note="printer"),
        resources.Range(cidr="11.0.0.1"),
    ]
    client.call("AddRanges", admin.AddRangesRequest(allow_list=name, ranges=noted))

    def found(query: str, size: int = 100) -> list[str]:
        return [range_.cidr for range_ in listed(client, name, size, query=query)]

    assert found("172.17.2.3") == ["172.16.0.0/12", "172.17.0.0/16", "172.17.2.3"]
    assert found("172.17.0.0/16") == ["172.16.0.0/12", "172.17.0.0/16", "172.17.2.3"]
    assert found("172.18.0.0/16") == ["172.16.0.0/12"]
    assert found("strasse") == ["172.16.0.0/12"]
    assert found("printer ") == ["172.17.2.3"]
    assert found("11.0.") == ["11.0.0.1"]
    assert found("::1") == found("nothing") == []
    assert found("0.0.0.0/0", 7) == [range_.cidr for range_ in listed(client, name)]
    first = client.call("ListRanges", admin.ListRangesRequest(allow_list=name, page_size=7))
    other = admin.ListRangesRequest(allow_list=name, query="10.", page_token=first.next_page_token)
    with pytest.raises(RpcFailed) as failed:
        client.call("ListRanges", other)
    assert "page_token" in failed.value.fields
    with pytest.raises(RpcFailed) as failed:
        client.call("ListRanges", admin.ListRangesRequest(allow_list=name, query="x" * 201))
    assert "query" in failed.value.fields


def test_messages_that_do_not_belong_together_are_refused(client: Client, workspace: str) -> None:
    """An upload is about one list, and has at least one message; nothing of it is kept."""
    name = client.allow_list(workspace, "l", ["192.0.2.1"]).name
    other = client.allow_list(workspace, "m", ["192.0.2.2"]).name
    part = plain(["198.51.100.1"])
    requests = [
        admin.ReplaceRangesRequest(allow_list=name, ranges=part),
        admin.ReplaceRangesRequest(allow_list=other, ranges=part),
    ]
    with pytest.raises(RpcFailed) as failed:
        client.call("ReplaceRanges", requests)
    assert "leave it out of the others" in failed.value.fields["allow_list"]
    with pytest.raises(RpcFailed) as failed:
        client.call("ReplaceRanges", [])
    assert "send at least one message" in failed.value.fields["request"]
    requests[1].allow_list = ""
    assert client.call("ReplaceRanges", requests).allow_list.range_count == 1


def test_a_list_that_changed_is_not_replaced(client: Client, workspace: str) -> None:
    """The etag of the first message guards against a lost update."""
    allow_list = client.allow_list(workspace, "l", ["192.0.2.1"])
    add = admin.AddRangesRequest(allow_list=allow_list.name, ranges=plain(["192.0.2.2"]))
    client.call("AddRanges", add)
    with pytest.raises(RpcFailed) as failed:
        replace(client, allow_list.name, plain(many(1500)), etag=allow_list.etag)
    assert failed.value.code == "ABORTED"
    assert [range_.cidr for range_ in listed(client, allow_list.name)] == ["192.0.2.1", "192.0.2.2"]


def test_many_ranges_of_a_broad_list_are_removed_and_disabled(
    client: Client, workspace: str
) -> None:
    """Taking access away needs no consent to breadth."""
    name = client.allow_list(workspace, "l", ["10.0.0.0/7", *many(1500)], allow_broad=True).name
    off = plain([{"cidr": cidr, "disabled": True} for cidr in many(1500)])
    update = admin.UpdateRangesRequest(
        allow_list=name, ranges=off, update_mask={"paths": ["disabled"]}
    )
    assert client.call("UpdateRanges", update).effect.ranges_changed.count == 1500
    remove = admin.RemoveRangesRequest(allow_list=name, ranges=many(1500))
    assert client.call("RemoveRanges", remove).allow_list.range_count == 1


def test_a_rejected_replacement_leaves_nothing_in_the_store(tmp_path: Path) -> None:
    """The staged ranges go with it: whoever repeats it cannot fill the store."""
    with (
        running(tmp_path / "store") as store,
        serving(tmp_path / "s", "--redis-url", store.url) as server,
    ):
        client = server.client()
        workspace = client.workspace()
        name = client.allow_list(workspace, "l", ["192.0.2.1"]).name
        with pytest.raises(RpcFailed, match="ABORTED"):
            replace(client, name, plain(many(1500)), etag="0" * 16)
        with pytest.raises(RpcFailed, match="ALREADY_EXISTS"):
            client.allow_list(workspace, "l", many(1500))
        with store.client() as stored:
            assert not list(stored.scan_iter("*staged*"))


def test_a_flood_of_small_messages_is_refused(client: Client, workspace: str) -> None:
    """Neither their number nor what they decode into is without bound."""
    name = client.allow_list(workspace, "l", ["192.0.2.1"]).name
    floods: list[list[list[Any]]] = [[[]] * 2001, [[resources.Range()] * 60_000] * 2]
    for parts in floods:
        with pytest.raises(RpcFailed) as failed:
            replace(client, name, *parts)
        assert failed.value.code == "RESOURCE_EXHAUSTED"
    assert [range_.cidr for range_ in listed(client, name)] == ["192.0.2.1"]


def test_an_upload_is_bounded(tmp_path: Path) -> None:
    """It may have so many bytes as the permitted ranges can take, and not more; less is taken."""
    flags = ("--max-ranges-per-list", "2000", "--max-message-bytes", "65536")
    with serving(tmp_path, *flags) as server:
        client = server.client()
        workspace = client.workspace()
        name = client.allow_list(workspace, "l", ["192.0.2.1"]).name
        heavy = [resources.Range(cidr=cidr, note="x" * 900) for cidr in many(60)]
        with pytest.raises(RpcFailed) as failed:
            replace(client, name, *[heavy] * 100)
        assert failed.value.code == "RESOURCE_EXHAUSTED"
        assert "send less" in failed.value.message
        with pytest.raises(RpcFailed) as failed:
            replace(client, name, *[plain(many(1001, 1001 * n)) for n in range(2)])
        assert "max-ranges-per-list" in failed.value.message
        parts = [plain(many(1000, 1000 * n)) for n in range(2)]
        assert replace(client, name, *parts).allow_list.range_count == 2000
