"""The policy cache is bounded: callers share loads, lists are compiled once, and no flood evicts known keys."""

import asyncio
import secrets
from collections.abc import Iterator

import pytest
from ipgate.domain.errors import Unavailable
from ipgate.policy import cache as cache_module

from tests.harness.in_process import running_worker
from tests.harness.stores import StoreServer

pytestmark = pytest.mark.store


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store that the tests of this file share."""
    store = StoreServer(tmp_path_factory.mktemp("races")).start()
    yield store.url
    store.stop()


async def test_many_callers_of_one_key_cost_one_load(url: str) -> None:
    """Also with one caller that gives up: the others still get their answer."""

    async with running_worker(url) as p:
        await p.allow_list("l", "10.0.0.1")
        await p.key("k")
        await p.link("l", "k")
        p.reader.gates["key"].shut()
        asked = [asyncio.create_task(p.ask("10.0.0.1")) for _ in range(50)]
        await p.reader.gates["key"].reached.wait()
        asked[0].cancel()
        await asyncio.sleep(0)
        p.reader.gates["key"].open()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert set(answers[1:]) == {"LINKED_LIST_MATCH"}
        assert p.reader.reads == ["key", "allow_list"]


async def test_strangers_cannot_flush_the_cache(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many unknown keys are asked for, few are remembered, and known keys stay."""
    monkeypatch.setattr(cache_module, "MAX_NEGATIVE", 100)

    async with running_worker(url) as p:
        await p.key("k")
        assert await p.ask("8.8.8.8") == "UNRESTRICTED"
        reads = len(p.reader.reads)
        for _ in range(10):
            await asyncio.gather(
                *(p.ask("8.8.8.8", secret=secrets.token_hex(8)) for _ in range(50))
            )
        assert len(p.cache.negative) <= 100
        reads = len(p.reader.reads)
        assert await p.ask("8.8.8.8") == "UNRESTRICTED"
        assert len(p.reader.reads) == reads


async def test_memory_is_bounded_and_evicted_keys_still_decide(url: str) -> None:
    """With room for a few keys only, all of many keys are answered right, again and again."""

    async with running_worker(url, cache_bytes=20_000) as p:
        for index in range(30):
            await p.allow_list(
                f"l{index}",
                f"10.0.{index}.0/24",
                *(f"10.9.{index}.{n}" for n in range(0, 200, 2)),
            )
            await p.key(f"k{index}")
            await p.link(f"l{index}", f"k{index}")
        for _ in range(2):
            for index in range(30):
                assert await p.ask(f"10.0.{index}.1", f"k{index}") == "LINKED_LIST_MATCH"
                assert await p.ask("10.1.0.1", f"k{index}") == "NOT_IN_LINKED_LISTS"
                assert p.cache.size() <= 20_000 + 3_000
        assert len(p.cache.keys) < 25


async def test_a_list_of_many_keys_is_compiled_and_held_once(url: str) -> None:
    """Keys that share a list share its compiled form, also those that have lists of their own."""

    async with running_worker(url) as p:
        await p.allow_list("big", *(f"10.{a}.{b}.1" for a in range(30) for b in range(100)))
        for index in range(40):
            await p.allow_list(f"own{index}", f"192.0.2.{index}")
            await p.key(f"k{index}")
            await p.link(f"own{index}", f"k{index}")
        await p.link("big", *(f"k{index}" for index in range(40)))
        await p.caught_up()
        for index in range(40):
            assert await p.ask("10.3.7.1", f"k{index}") == "LINKED_LIST_MATCH"
            assert await p.ask(f"192.0.2.{index}", f"k{index}") == "LINKED_LIST_MATCH"
        held = {id(part) for key in p.cache.keys.values() for part in key.parts()}
        assert len(held) == 41
        assert p.reader.reads.count("allow_list") == 41


async def test_a_policy_of_many_large_lists_is_loaded_in_the_end(url: str) -> None:
    """Callers may have to come again, but the load continues and is not lost."""

    async with running_worker(url) as p:
        ranges = [f"10.{a}.{b}.{c}" for a in range(2) for b in range(250) for c in range(100)]
        await p.key("k")
        for index in range(6):
            await p.allow_list(f"l{index}", *ranges)
            await p.link(f"l{index}", "k")
        answer = ""
        for _ in range(20):
            try:
                answer = await p.ask("10.1.249.99")
                break
            except Unavailable:
                continue
        assert answer == "LINKED_LIST_MATCH"
