"""Ranges that do not always count, in a worker whose clock the tests set."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from ipgate.domain.addresses import parse_range
from ipgate.domain.errors import FailedPrecondition
from ipgate.domain.intervals import Coverage
from ipgate.domain.resources import AllowList, Range
from ipgate.domain.writing import MAINTENANCE

from tests.harness.in_process import Worker, running_worker
from tests.harness.stores import StoreServer

pytestmark = pytest.mark.store

NOON = 1_800_000_000 * 10**9
HOUR = 3600 * 10**9


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store that the tests of this file share."""
    store = StoreServer(tmp_path_factory.mktemp("conditional")).start()
    yield store.url
    store.stop()


async def create(p: Worker, allow_list: str, *ranges: Range) -> None:
    resource = AllowList(
        workspace=p.workspace,
        id=allow_list,
        display_name=allow_list,
        description="d",
        ranges=ranges,
    )
    await p.lists.create(resource, replace(MAINTENANCE, allow_broad=True))


async def update(p: Worker, allow_list: str, range_: Range, *attributes: str) -> None:
    await p.ranges.update(p.workspace, allow_list, [range_], attributes, MAINTENANCE)
    await p.caught_up()


async def test_boundaries_are_exact_and_need_no_change(url: str) -> None:
    """To the nanosecond, without a read or a change, and while the store tells nothing."""
    async with running_worker(url) as p:
        p.clock.wall = NOON
        await create(p, "l", Range("192.0.2.1", start_time=NOON, expire_time=NOON + HOUR))
        await p.key("k")
        await p.link("l", "k")
        assert await p.ask("192.0.2.1") == "LINKED_LIST_MATCH"
        p.feed_gate.shut()
        reads = list(p.reader.reads)
        for now, reason in (
            (NOON - 1, "NOT_IN_LINKED_LISTS"),
            (NOON, "LINKED_LIST_MATCH"),
            (NOON + HOUR - 1, "LINKED_LIST_MATCH"),
            (NOON + HOUR, "NOT_IN_LINKED_LISTS"),
        ):
            p.clock.wall = now
            assert await p.ask("192.0.2.1") == reason
        assert p.reader.reads == reads
        p.feed_gate.open()


async def test_a_list_of_a_union_leaves_it_when_a_range_gets_a_date(url: str) -> None:
    """Of many lists of a key, none decides by a range that counts no more; the others go on together."""
    async with running_worker(url) as p:
        p.clock.wall = NOON
        await p.key("k")
        for index in range(8):
            await create(p, f"l{index}", Range(f"192.0.2.{index}"), Range(f"10.{index}.0.0/16"))
            await p.link(f"l{index}", "k")
        assert await p.ask("192.0.2.3") == "LINKED_LIST_MATCH"
        await update(p, "l3", Range("192.0.2.3", expire_time=NOON + HOUR), "expire_time")
        assert await p.ask("192.0.2.3") == "LINKED_LIST_MATCH"
        p.clock.wall = NOON + HOUR
        assert await p.ask("192.0.2.3") == "NOT_IN_LINKED_LISTS"
        for ip in ("10.3.0.1", "192.0.2.4", "10.7.1.1"):
            assert await p.ask(ip) == "LINKED_LIST_MATCH"
        await update(p, "l3", Range("192.0.2.3"), "expire_time")
        assert await p.ask("192.0.2.3") == "LINKED_LIST_MATCH"


async def test_changed_attributes_reach_a_cached_list_without_a_read(url: str) -> None:
    """Switching ranges off and on, nested ones too, reaches the workers with what encloses them."""
    async with running_worker(url) as p:
        p.clock.wall = NOON
        await create(p, "l", Range("10.0.0.0/8"), Range("10.0.0.0/16"), Range("10.0.0.0/24"))
        await p.key("k")
        await p.link("l", "k")
        assert await p.ask_range("10.0.0.1") == "10.0.0.0/24"
        reads = list(p.reader.reads)
        await update(p, "l", Range("10.0.0.0/24", disabled=True), "disabled")
        assert await p.ask_range("10.0.0.1") == "10.0.0.0/16"
        await update(p, "l", Range("10.0.0.0/16", start_time=NOON + HOUR), "start_time")
        assert await p.ask_range("10.0.0.1") == "10.0.0.0/8"
        await p.ranges.add(
            p.workspace,
            "l",
            [Range("10.0.0.0/20"), Range("10.0.0.0/22", disabled=True)],
            MAINTENANCE,
        )
        await p.caught_up()
        assert await p.ask_range("10.0.0.1") == "10.0.0.0/20"
        await p.ranges.remove(p.workspace, "l", ["10.0.0.0/20", "10.0.0.0/8"], MAINTENANCE)
        await p.caught_up()
        assert await p.ask_range("10.0.0.1") == ""
        p.clock.wall = NOON + HOUR
        assert await p.ask_range("10.0.0.1") == "10.0.0.0/16"
        assert p.reader.reads.count("allow_list") == reads.count("allow_list")


async def test_ipv6_that_is_disabled_meanwhile_is_refused_by_the_store(url: str) -> None:
    """Even if IPv6 is switched off between the check of a request and its change."""
    async with running_worker(url) as p:
        await create(p, "l", Range("192.0.2.1"))
        ranges = {parse_range("2001:db8::/48"): Range("2001:db8::/48")}

        async def add() -> None:
            most = Coverage(1 << 24, 1 << 32)
            await p.ranges.store.add(
                p.workspace, "l", ranges, MAINTENANCE, most=most, limit=100_000
            )

        with pytest.raises(FailedPrecondition) as failed:
            await add()
        assert failed.value.reason == "IPV6_DISABLED"
        await p.workspaces.update(p.workspace, {"ipv6_enabled": True}, MAINTENANCE)
        await add()
        await p.key("k")
        await p.link("l", "k")
        assert await p.ask("2001:db8::7") == "LINKED_LIST_MATCH"
