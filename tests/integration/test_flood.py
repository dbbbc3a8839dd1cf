"""Strangers with made-up keys: what is known stays in memory, and the store is not flooded."""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ipgate.authorizer.limiter import MAX_WAITING
from ipgate.authorizer.loader import MAX_READS
from ipgate.domain.errors import Unavailable
from ipgate.policy.cache import MAX_NEGATIVE
from ipgate.rpc.authorize import MAX_BATCH, AuthorizeServicer
from ipgate.rpc.decisions import Decisions
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.in_process import Root, Worker, running_worker
from tests.harness.servers import RpcFailed, serving
from tests.harness.stores import StoreServer
from tests.harness.waiting import eventually
from tests.integration.test_wire import resident

pytestmark = pytest.mark.engine


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreServer]:
    running = StoreServer(tmp_path / "own").start()
    yield running
    running.stop()


def made_up(count: int) -> authorize.BatchAuthorizeRequest:
    return authorize.BatchAuthorizeRequest(
        requests=[
            authorize.AuthorizeRequest(key=secrets.token_hex(16), ip="1.2.3.4")
            for _ in range(count)
        ]
    )


def batch(p: Worker, count: int) -> "asyncio.Task[Any]":
    answer: Any = AuthorizeServicer(Decisions(p.authorizer)).BatchAuthorize(made_up(count), Root())
    return asyncio.create_task(answer)


def test_a_flood_neither_grows_memory_nor_pushes_out_known_keys(
    store: StoreServer, tmp_path: Path
) -> None:
    """After more unknown keys than are remembered, a known one is answered without the store."""
    with serving(tmp_path / "s", "--redis-url", store.url) as server:
        client = server.client()
        known = client.key(client.workspace(), "k").credential
        assert client.ask("1.2.3.4", key=known).allowed
        client.call("BatchAuthorize", made_up(MAX_BATCH))
        (worker,) = server.workers()
        before = resident(worker)
        for _ in range(MAX_NEGATIVE // MAX_BATCH + 3):
            client.call("BatchAuthorize", made_up(MAX_BATCH))
        assert resident(worker) < before + (32 << 20)
        store.kill()
        assert client.ask("1.2.3.4", key=known).allowed

        def stranger() -> str:
            try:
                client.ask("1.2.3.4", key=secrets.token_hex(8))
            except RpcFailed as failed:
                return failed.code
            return "OK"

        eventually(lambda: stranger() == "UNAVAILABLE", "the store's end is noticed")


async def test_batches_of_unknown_keys_do_not_hold_up_others(store: StoreServer) -> None:
    """While three batches wait for the store with all that they may, a single question is loaded."""

    async with running_worker(store.url) as p:
        await p.key("k")
        p.reader.gates["credential"].shut()
        batches = [batch(p, MAX_BATCH) for _ in range(3)]
        await p.reader.gates["credential"].reached.wait()
        try:
            assert await p.ask("1.2.3.4") == "UNRESTRICTED"
        finally:
            p.reader.gates["credential"].open()
        for pending in batches:
            answer = authorize.BatchAuthorizeResponse.FromString(await pending)
            assert len(answer.results) == MAX_BATCH


async def test_what_too_many_wait_for_is_refused_at_once(store: StoreServer) -> None:
    """Reads queue up to a bound; the next is UNAVAILABLE, OVERLOADED, and those before it go on."""

    async with running_worker(store.url) as p:
        p.reader.gates["credential"].shut()

        def ask() -> "asyncio.Task[str]":
            return asyncio.create_task(p.ask("1.2.3.4", secret=secrets.token_hex(8)))

        asked = [ask() for _ in range(MAX_READS + MAX_WAITING)]
        await p.reader.gates["credential"].reached.wait()
        with pytest.raises(Unavailable) as failed:
            await ask()
        assert failed.value.reason == "OVERLOADED"
        p.reader.gates["credential"].open()
        assert set(await asyncio.gather(*asked)) == {"KEY_UNKNOWN"}
