"""Changes that cross with loads: the interleavings that would break the cache, one by one."""

import asyncio
import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ipgate.domain.errors import AlreadyExists, Unavailable
from ipgate.domain.resources import ApiKey
from ipgate.domain.writing import MAINTENANCE, WriteOptions
from ipgate.policy import cache as cache_module
from ipgate.store.api_keys import ApiKeyStore

from tests.harness.in_process import running_worker
from tests.harness.stores import StoreServer

pytestmark = pytest.mark.store


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store that the tests of this file share."""
    store = StoreServer(tmp_path_factory.mktemp("races")).start()
    yield store.url
    store.stop()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[StoreServer]:
    """A store that a test may damage."""
    store = StoreServer(tmp_path / "own").start()
    yield store
    store.stop()


async def test_nothing_is_answered_once_changes_are_not_followed_any_more(url: str) -> None:
    """A worker that ends answers nothing after its last look at the changes, not even what it holds:
    nobody waits any more until it has applied one."""

    async with running_worker(url) as p:
        await p.key("k")
        assert await p.ask("1.2.3.4") == "UNRESTRICTED"
        p.follower.stop()
        for _ in range(3):
            with pytest.raises(Unavailable):
                await p.ask("1.2.3.4")
            await p.follower.wait_for_change(0.05)


async def test_a_key_that_is_linked_while_it_is_loaded_is_not_kept_unlinked(url: str) -> None:
    """The load that read the key before the link is fenced off."""

    async with running_worker(url) as p:
        await p.allow_list("l", "10.0.0.1")
        await p.key("k")
        p.reader.gates["key"].shut()
        asked = asyncio.create_task(p.ask("8.8.8.8"))
        await p.reader.gates["key"].reached.wait()
        await p.link("l", "k")
        p.reader.gates["key"].open()
        await asked
        await p.caught_up()
        assert await p.ask("8.8.8.8") == "NOT_IN_LINKED_LISTS"


async def test_no_decision_mixes_two_states(url: str) -> None:
    """A key is linked, then the default is switched off. A worker that holds the key as it was
    before, and reads the workspace as it is after, must not find the key unrestricted."""

    async with running_worker(url) as p:
        await p.allow_list("l", "10.0.0.1")
        await p.key("k")
        await p.default("l", enabled=True)
        await p.caught_up()
        p.reader.gates["workspace"].shut()
        asked = asyncio.create_task(p.ask("8.8.8.8"))
        await p.reader.gates["workspace"].reached.wait()  # the key is held, unlinked
        p.feed_gate.shut()
        await p.link("l", "k")
        await p.default("l", enabled=False)
        await p.feed_gate.reached.wait()
        await p.workspaces.update(p.workspace, {"display_name": "x"}, MAINTENANCE)
        p.reader.gates["workspace"].open()
        first = await asyncio.wait({asked}, timeout=0.3)
        assert not first[0] or asked.result() == "NOT_IN_DEFAULT_LIST"
        again = asyncio.create_task(p.ask("8.8.8.8"))
        await asyncio.wait({again}, timeout=0.3)
        p.feed_gate.open()
        assert await asked in ("NOT_IN_DEFAULT_LIST", "NOT_IN_LINKED_LISTS")
        assert await again in ("NOT_IN_DEFAULT_LIST", "NOT_IN_LINKED_LISTS")
        await p.caught_up()
        assert await p.ask("8.8.8.8") == "NOT_IN_LINKED_LISTS"


async def test_what_was_read_ahead_of_the_follower_waits_for_it(url: str) -> None:
    """The workspace is read after the link and the switching off, while the follower is held up:
    the answer comes only when the follower has applied both."""

    async with running_worker(url) as p:
        await p.allow_list("l", "10.0.0.1")
        await p.key("k")
        await p.default("l", enabled=True)
        await p.caught_up()
        assert await p.ask("8.8.8.8") == "NOT_IN_DEFAULT_LIST"
        p.feed_gate.shut()
        # This makes the worker forget the workspace, and nothing else.
        await p.workspaces.update(p.workspace, {"display_name": "x"}, MAINTENANCE)
        await p.feed_gate.reached.wait()
        await p.link("l", "k")
        await p.default("l", enabled=False)
        p.cache.workspace(p.workspace).loaded = False
        asked = asyncio.create_task(p.ask("8.8.8.8"))
        await asyncio.wait({asked}, timeout=0.3)
        assert not asked.done(), "decided from a key before and a workspace after"
        p.feed_gate.open()
        assert await asked == "NOT_IN_LINKED_LISTS"


async def test_a_list_deleted_and_made_anew_while_it_is_loaded_stays_dead(url: str) -> None:
    """A key of the old list is never judged by the new list of the same id."""

    async with running_worker(url) as p:
        await p.allow_list("l", "10.0.0.1")
        await p.key("k")
        await p.link("l", "k")
        p.reader.gates["allow_list"].shut()
        asked = asyncio.create_task(p.ask("203.0.113.7"))
        await p.reader.gates["allow_list"].reached.wait()
        await p.delete_list("l")
        await p.workspaces.update(p.workspace, {"require_allow_list": True}, MAINTENANCE)
        await p.allow_list("l", "203.0.113.0/24")
        await p.caught_up()
        p.reader.gates["allow_list"].open()
        assert await asked == "NO_ALLOW_LIST"
        assert await p.ask("203.0.113.7") == "NO_ALLOW_LIST"


async def test_a_key_created_while_it_is_looked_up_does_not_stay_unknown(url: str) -> None:
    """A look-up that found nothing is not remembered past the creation."""

    async with running_worker(url) as p:
        secret = secrets.token_hex(16)
        p.reader.gates["credential"].shut()
        asked = asyncio.create_task(p.ask("8.8.8.8", secret=secret))
        await p.reader.gates["credential"].reached.wait()
        await p.key("k", secret)
        p.reader.gates["credential"].open()
        await asked
        await p.caught_up()
        assert await p.ask("8.8.8.8", secret=secret) == "UNRESTRICTED"


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


async def test_stale_memory_is_not_answered_from(url: str) -> None:
    """Within the bound a worker without news answers; past it, it fails, and then recovers."""

    async with running_worker(url) as p:
        await p.key("k")
        assert await p.ask("8.8.8.8") == "UNRESTRICTED"
        p.feed_gate.shut()
        await p.feed_gate.reached.wait()
        p.clock.ahead += 25
        assert await p.ask("8.8.8.8") == "UNRESTRICTED"
        p.clock.ahead += 10
        for subject in ({"key": "k"}, {"key": "nobody"}, {"secret": "unheard of"}):
            with pytest.raises(Unavailable) as failed:
                await p.ask("8.8.8.8", **subject)
            assert failed.value.reason == "STALE"
        p.feed_gate.open()
        await _until(lambda: p.follower.freshness.oldest_age() < 30)
        assert await p.ask("8.8.8.8") == "UNRESTRICTED"


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


async def test_a_deleted_list_decides_for_no_address(url: str) -> None:
    """Nor for one that no list could hold: the key is linked to nothing any more."""

    async with running_worker(url) as p:
        await p.key("k")
        await p.allow_list("l", "10.0.0.1")
        await p.link("l", "k")
        await p.caught_up()
        assert await p.ask("2001:db8::1") == "NOT_IN_LINKED_LISTS"
        await p.delete_list("l")
        await p.caught_up()
        assert await p.ask("2001:db8::1") == "UNRESTRICTED"


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


@pytest.mark.parametrize("damage", ["FLUSHALL", "XTRIM", "META", "ROLLBACK"])
async def test_a_history_that_broke_off_drops_everything(own: StoreServer, damage: str) -> None:
    """Emptied, trimmed, without its counter, or set back: what was held is never trusted again,
    and changes go on working."""

    async with running_worker(own.url) as p:
        await p.key("k")
        assert await p.ask("8.8.8.8") == "UNRESTRICTED"
        shard = p.cache.workspace(p.workspace).shard
        prefix = f"ipgate:{{s{shard:02}}}:"
        before = p.follower.freshness.progress[shard]
        with own.client() as client:
            p.feed_gate.shut()
            await p.feed_gate.reached.wait()
            if damage == "FLUSHALL":
                client.flushall()
            elif damage == "XTRIM":
                await p.allow_list("l1", "10.0.0.1")
                await p.allow_list("l2", "10.0.0.1")
                client.xtrim(f"{prefix}changes", maxlen=1, approximate=False)
            elif damage == "META":
                client.delete(f"{prefix}meta")
            else:
                client.hset(f"{prefix}meta", mapping={"rev": "1", "tip": "0" * 16})
                client.delete(f"{prefix}changes")
            p.feed_gate.open()
        await _until(lambda: p.follower.freshness.progress[shard] is not before)
        assert not p.cache.keys
        if damage == "FLUSHALL":
            assert await p.ask("8.8.8.8") == "KEY_UNKNOWN"
            return
        await _until(lambda: bool(p.follower.freshness.progress[shard].position.epoch))
        assert await p.ask("8.8.8.8") == "UNRESTRICTED"
        await p.allow_list("after", "10.0.0.1")
        await p.link("after", "k")
        await p.caught_up()
        assert await p.ask("8.8.8.8") == "NOT_IN_LINKED_LISTS"


class Interrupted(Exception):
    """Stands for a crash between two steps."""


class CrashingKeys(ApiKeyStore):
    """Crashes before the step `before`."""

    before = ""

    async def _change(
        self,
        script: str,
        workspace: str,
        key: str,
        options: WriteOptions = MAINTENANCE,
        **args: Any,
    ) -> Any:
        if script == CrashingKeys.before:
            raise Interrupted
        return await super()._change(script, workspace, key, options, **args)


@pytest.mark.parametrize("step", ["key_activate", "key_forget"])
async def test_a_crash_between_two_steps_leaves_nothing_in_the_way(url: str, step: str) -> None:
    """After an interrupted creation or deletion the key is not there, in no form, and both its id
    and its credential can be used again."""

    async with running_worker(url) as p:
        secret = secrets.token_hex(16)
        sha256 = hashlib.sha256(secret.encode()).hexdigest()
        crashing = CrashingKeys(p.scripts)
        api_key = ApiKey(workspace=p.workspace, id="k")
        CrashingKeys.before = step
        try:
            await crashing.create(api_key, sha256, MAINTENANCE, limit=10)
            await crashing.delete(p.workspace, "k", MAINTENANCE)
        except Interrupted:
            CrashingKeys.before = ""
        assert not CrashingKeys.before, "it was interrupted"
        await p.caught_up()
        assert await p.ask("8.8.8.8", secret=secret) == "KEY_UNKNOWN"
        assert await p.ask("8.8.8.8") == "KEY_UNKNOWN"
        await p.key("k", secret)
        await p.caught_up()
        assert await p.ask("8.8.8.8", secret=secret) == "UNRESTRICTED"
        with pytest.raises(AlreadyExists):
            await p.key("other", secret)


async def test_a_key_that_changes_while_its_credential_is_loaded_is_not_taken_for_unknown(
    url: str,
) -> None:
    """A change that drops the key between its load and its use leads to another load."""

    async with running_worker(url) as p:
        secret = secrets.token_hex(16)
        await p.key("k", secret)
        await p.caught_up()
        add_key, changes = p.cache.add_key, 3

        def add_and_change(*args: Any) -> Any:
            nonlocal changes
            held = add_key(*args)
            if changes:
                changes -= 1
                asyncio.get_running_loop().call_soon(p.cache.drop_key, held.name)
            return held

        p.cache.add_key = add_and_change  # type: ignore[method-assign,assignment]
        assert await p.ask("8.8.8.8", secret=secret) == "UNRESTRICTED"
        assert not changes


async def test_a_late_clean_up_spares_the_next_key(url: str) -> None:
    """A deletion that is held up before it removes the index entry does not remove the entry that
    a new key of the same id and credential has written since."""

    async with running_worker(url) as p:
        secret = secrets.token_hex(16)
        sha256 = hashlib.sha256(secret.encode()).hexdigest()
        await p.key("k", secret)
        entry = await p.scripts.store.get(f"ipgate:digest:{sha256}")
        await p.keys.delete(p.workspace, "k", MAINTENANCE)
        await p.key("k", secret)
        assert not await p.keys._replace(sha256, str(entry), "")
        await p.caught_up()
        assert await p.ask("8.8.8.8", secret=secret) == "UNRESTRICTED"


@pytest.mark.parametrize("state", ["full", "replica"])
async def test_a_store_that_refuses_writes_is_unavailable(own: StoreServer, state: str) -> None:
    """Out of memory or a read-only replica: the change fails whole and clearly, known keys go on."""

    async with running_worker(own.url) as p:
        await p.key("k")
        assert await p.ask("8.8.8.8") == "UNRESTRICTED"
        with own.client() as client:
            if state == "full":
                client.config_set("maxmemory", 1)
            else:
                client.replicaof("127.0.0.1", 1)
            with pytest.raises(Unavailable) as failed:
                await p.allow_list("l", "10.0.0.1")
            assert failed.value.reason == "STORE_UNAVAILABLE"
            assert await p.ask("8.8.8.8") == "UNRESTRICTED"
            client.config_set("maxmemory", 0)
            client.replicaof("NO", "ONE")
        await p.allow_list("l", "10.0.0.1")


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


async def _until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)
