"""Changes that cross with loads: the interleavings that would break the cache, one by one."""

import asyncio
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from ipgate.domain.errors import Unavailable
from ipgate.domain.writing import MAINTENANCE

from tests.harness.in_process import running_worker
from tests.harness.stores import StoreServer
from tests.harness.waiting import until

pytestmark = pytest.mark.store


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store that the tests of this file share."""
    store = StoreServer(tmp_path_factory.mktemp("races")).start()
    yield store.url
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
        await until(lambda: p.follower.freshness.oldest_age() < 30, "the worker has caught up")
        assert await p.ask("8.8.8.8") == "UNRESTRICTED"


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
