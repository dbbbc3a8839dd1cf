"""A store whose history breaks off, or that takes no writes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ipgate.domain.errors import Unavailable

from tests.harness.in_process import running_worker
from tests.harness.stores import StoreServer
from tests.harness.waiting import until

pytestmark = pytest.mark.store


@pytest.fixture
def own(tmp_path: Path) -> Iterator[StoreServer]:
    """A store that a test may damage."""
    store = StoreServer(tmp_path / "own").start()
    yield store
    store.stop()


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
        await until(
            lambda: p.follower.freshness.progress[shard] is not before, "the break is noticed"
        )
        assert not p.cache.keys
        if damage == "FLUSHALL":
            assert await p.ask("8.8.8.8") == "KEY_UNKNOWN"
            return
        await until(
            lambda: bool(p.follower.freshness.progress[shard].position.epoch),
            "it is followed again",
        )
        assert await p.ask("8.8.8.8") == "UNRESTRICTED"
        await p.allow_list("after", "10.0.0.1")
        await p.link("after", "k")
        await p.caught_up()
        assert await p.ask("8.8.8.8") == "NOT_IN_LINKED_LISTS"


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
