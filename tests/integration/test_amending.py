"""Changes of a few ranges reach a list that is held without its being read again."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from ipgate.authorizer.authorizer import Question
from ipgate.domain.addresses import format_range, last_address, parse_address, range_holding
from ipgate.domain.errors import IpgateError
from ipgate.domain.resources import Range
from ipgate.domain.writing import MAINTENANCE

from tests.harness.in_process import ROOT, Worker, running_worker
from tests.harness.stores import StoreServer

pytestmark = pytest.mark.store

SEED = 4


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store that the tests of this file share."""
    store = StoreServer(tmp_path_factory.mktemp("amending")).start()
    yield store.url
    store.stop()


async def change(p: Worker, ranges: set[int], *, add: bool) -> None:
    texts = [format_range(packed) for packed in ranges]
    options = replace(MAINTENANCE, allow_broad=True)
    if add:
        await p.ranges.add(p.workspace, "l", [Range(text) for text in texts], options)
    else:
        await p.ranges.remove(p.workspace, "l", texts, options)


async def decided(p: Worker, address: int) -> str:
    """The range that decides for an address, "" for none."""
    text = format_range(address << 8 | 32)
    name = f"workspaces/{p.workspace}/apiKeys/k"
    question = Question(name, parse_address(text))
    decision = (await p.authorizer.resolve(ROOT, question)).decision
    return "" if decision.range is None else format_range(decision.range)


def expected(ranges: set[int], address: int) -> str:
    holding = [packed for packed in ranges if packed >> 8 <= address <= last_address(packed)]
    return format_range(max(holding, key=lambda packed: packed & 255)) if holding else ""


async def test_ranges_that_come_and_go_decide_at_once(url: str) -> None:
    """Nested ranges, few at a time, in random order: the list is read once, and is always right."""
    source = random.Random(SEED)

    def some(count: int) -> set[int]:
        """Ranges of few addresses, so that they nest and meet."""
        return {
            range_holding(10 << 24 | source.randrange(4096), source.randint(18, 32))
            for _ in range(count)
        }

    async with running_worker(url) as p:
        now = some(10) | {range_holding(192 << 24, 24)}
        await p.allow_list("l", *(format_range(packed) for packed in now))
        await p.key("k")
        await p.link("l", "k")
        await p.caught_up()
        await decided(p, 0)
        for _ in range(40):
            if source.random() < 0.5:
                coming = some(source.randint(1, 8))
                await change(p, coming, add=True)
                now |= coming
            else:
                going = set(source.sample(sorted(now), min(len(now) - 1, 5)))
                if going:
                    await change(p, going, add=False)
                    now -= going
            await p.caught_up()
            for address in {packed >> 8 for packed in now} | {
                last_address(packed) for packed in now
            }:
                for near in (address - 1, address, address + 1):
                    assert await decided(p, near) == expected(now, near)
        assert p.reader.reads.count("allow_list") == 1


async def test_many_ranges_at_once_are_read_anew(url: str) -> None:
    async with running_worker(url) as p:
        await p.allow_list("l", "192.0.2.1")
        await p.key("k")
        await p.link("l", "k")
        await p.caught_up()
        await decided(p, 0)
        many = {range_holding(10 << 24 | number << 8, 24) for number in range(100)}
        for add in (True, False):
            await change(p, many, add=add)
            await p.caught_up()
            assert await decided(p, 10 << 24 | 1) == ("10.0.0.0/24" if add else "")
        with pytest.raises(IpgateError):
            await change(p, many, add=False)
        assert p.reader.reads.count("allow_list") == 3


async def test_a_union_follows_a_change_of_a_member(url: str) -> None:
    """It is compiled again from the ranges in memory, without a read."""

    async with running_worker(url) as p:
        await p.key("k")
        for index in range(8):
            name = "l" if index == 3 else f"l{index}"
            await p.allow_list(name, f"10.0.{index}.0/24")
            await p.link(name, "k")
        await p.caught_up()
        assert await decided(p, 10 << 24 | 3 << 8) == "10.0.3.0/24"
        await change(p, {range_holding(172 << 24, 30)}, add=True)
        await p.caught_up()
        assert await decided(p, 172 << 24 | 1) == "172.0.0.0/30"
        await change(p, {range_holding(10 << 24 | 3 << 8, 24)}, add=False)
        await p.caught_up()
        assert await decided(p, 10 << 24 | 3 << 8) == ""
        assert p.reader.reads.count("allow_list") == 8
