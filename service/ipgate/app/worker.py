"""A worker process: builds everything, starts it and stops it in order.

It is started by the supervisor, which writes one line of JSON to its standard input and keeps that
open: a later line has another root token's digest or other TLS files, and when it closes, the supervisor
is gone and the worker stops.
"""

import asyncio
import gc
import json
import logging
import os
import signal
import sys
import warnings
from contextlib import suppress
from functools import partial

import uvloop

from ipgate.admin.api_keys import ApiKeys
from ipgate.admin.limits import Limits
from ipgate.admin.lists import Lists
from ipgate.admin.tokens import Tokens
from ipgate.admin.workspaces import Workspaces
from ipgate.app.logs import set_up_logs
from ipgate.app.orders import Orders
from ipgate.authorizer.authentication import Authenticator
from ipgate.authorizer.authorizer import Authorizer
from ipgate.authorizer.follower import Follower
from ipgate.authorizer.loader import MAX_READS, MAX_TOKEN_READS, PolicyLoader
from ipgate.authorizer.revision_waits import RevisionWaits
from ipgate.authorizer.single_flight import SingleFlight
from ipgate.authorizer.worker_lease import WorkerLease
from ipgate.clock import Clock
from ipgate.domain.errors import Unavailable
from ipgate.domain.shards import SHARDS
from ipgate.engines import grpcio, http2
from ipgate.engines.engine import ADMIN, AUTHORIZE, Build, Engine
from ipgate.engines.tls import TlsFiles
from ipgate.policy.cache import PolicyCache
from ipgate.rpc.api_keys import ApiKeyServicer
from ipgate.rpc.authorize import AuthorizeServicer
from ipgate.rpc.lists import ListServicer
from ipgate.rpc.pipeline import RequestSizes, all_methods
from ipgate.rpc.revisions import RevisionServicer
from ipgate.rpc.tokens import TokenServicer
from ipgate.rpc.workspaces import WorkspaceServicer
from ipgate.settings import Settings
from ipgate.store import feed
from ipgate.store.api_keys import ApiKeyStore
from ipgate.store.connection import (
    StoreNotReady,
    UnusableStore,
    check_server,
    connect,
    unusable,
)
from ipgate.store.lists import ListStore
from ipgate.store.policy_reader import PolicyReader
from ipgate.store.scripts import Scripts
from ipgate.store.store_clock import StoreClock
from ipgate.store.tokens import TokenStore
from ipgate.store.topology import FAULTS, Store
from ipgate.store.worker_registry import WorkerRegistry
from ipgate.store.workspaces import WorkspaceStore

log = logging.getLogger(__name__)

READY = b"ready\n"
STDIN, STDOUT = 0, 1
UNUSABLE = 2
"""The exit code of a worker that finds the store unusable."""

_LONGEST_ORDER = 16 << 20
"""Bytes of a line of the supervisor, which may have many certificates in it."""

_HEALTH_INTERVAL = 0.25
_ADMIN_CONNECTIONS = 32
_ADMIN_STALENESS = 5.0
_STORE_POLL = 0.2
_LEAVE_TIMEOUT = 2.0


async def run(
    orders: Orders,
    build: Build,
    stopping: asyncio.Event,
    clock: Clock,
    supervisor: asyncio.StreamReader,
) -> None:
    """Serves until `stopping`, or until the supervisor is gone. Raises UnusableStore."""
    settings = orders.settings
    stores = admin_store, policy_store, feed_store = _connected(orders)
    store_clock = StoreClock(clock)
    scripts = Scripts(
        admin_store, clock, replicas=settings.min_replicas_ack, store_clock=store_clock
    )
    reader = PolicyReader(Scripts(policy_store, clock))
    cache = PolicyCache(settings.cache_bytes)
    single_flight = SingleFlight()
    follower = Follower(
        feed.open_feeds(feed_store, store_clock),
        scripts,
        cache,
        single_flight,
        clock,
        max_staleness=settings.max_staleness,
        check_store=partial(check_server, admin_store, allow_eviction=settings.allow_eviction),
    )
    loader = PolicyLoader(reader, cache, single_flight, follower)
    authenticator = Authenticator(
        cache, loader, follower, clock, root_digest=bytes.fromhex(orders.root_sha256)
    )
    # A lease need not be on replicas.
    registry = WorkerRegistry(Scripts(admin_store, clock, store_clock=store_clock))
    lease = WorkerLease(registry, follower, clock, worker=orders.worker)
    waits = RevisionWaits()
    authorizer = Authorizer(cache, loader, follower, clock, waits)
    methods = all_methods(
        [*_admin(settings, scripts), RevisionServicer(lease, waits)],
        [AuthorizeServicer(authorizer)],
        authenticator,
        RequestSizes(message_bytes=settings.max_message_bytes, ranges=settings.max_ranges_per_list),
    )
    engine = build(settings, orders.place, methods, authenticator, orders.tls)
    watching = asyncio.create_task(_watch_supervisor(supervisor, authenticator, engine, stopping))
    if not await _take_up(scripts, follower, stopping):
        for store in stores:
            await store.aclose()
        return
    following = asyncio.create_task(follower.run())
    with suppress(Unavailable):  # a store that takes no writes: until it does, there is no lease
        await lease.renew()
    present = asyncio.create_task(lease.run())
    reporting = asyncio.create_task(_report_health(engine, follower))
    # What was built so far stays; the garbage collector need not look at it again and again. Nobody
    # waits yet for this first look. What the policy cache will hold it never sees (gc_untrack.py).
    gc.collect()
    gc.freeze()
    await engine.start()
    serving = asyncio.ensure_future(engine.ended())
    # A server that ends by itself would leave a worker that serves nobody: better a new one.
    serving.add_done_callback(lambda _: stopping.set())
    os.write(STDOUT, READY)
    signs = asyncio.create_task(_give_signs_of_life())
    await stopping.wait()
    if serving.done():
        log.error("the gRPC server ended by itself")
    reporting.cancel()
    engine.health.stop()
    await asyncio.sleep(settings.drain_delay)
    engine.health.end()
    await engine.stop(settings.shutdown_grace)
    await asyncio.gather(serving, return_exceptions=True)
    follower.stop()
    following.cancel()
    present.cancel()
    signs.cancel()
    with suppress(Unavailable, TimeoutError):
        # Within the margin that the supervisor leaves: else its lease runs out.
        async with asyncio.timeout(_LEAVE_TIMEOUT):
            await lease.release()
    watching.cancel()
    for store in stores:
        await store.aclose()


def _admin(settings: Settings, scripts: Scripts) -> list[object]:
    """The servicers of AdminService."""
    limits = Limits(
        ranges_per_list=settings.max_ranges_per_list,
        lists_per_key=settings.max_lists_per_key,
        keys_per_workspace=settings.max_keys_per_workspace,
        lists_per_workspace=settings.max_lists_per_workspace,
    )
    workspaces, tokens = WorkspaceStore(scripts), TokenStore(scripts)
    lists, keys = ListStore(scripts), ApiKeyStore(scripts)
    return [
        WorkspaceServicer(Workspaces(workspaces, tokens), workspaces),
        ListServicer(Lists(lists, PolicyReader(scripts), limits), lists),
        ApiKeyServicer(ApiKeys(keys, limits), keys),
        TokenServicer(Tokens(tokens, workspaces)),
    ]


async def _take_up(scripts: Scripts, follower: Follower, stopping: asyncio.Event) -> bool:
    """Takes up the history of the store, waiting for one that cannot be used now. False if `stopping`
    comes first. Raises UnusableStore."""
    waiting = False
    while not stopping.is_set():
        try:
            await scripts.initialize()
            await follower.start()
            return True
        except (*FAULTS, Unavailable) as error:
            reason = error if isinstance(error, Unavailable) else unusable(error)
            if not isinstance(reason, (Unavailable, StoreNotReady)):
                raise reason from error
            if not waiting:
                log.warning("waiting for the store: %s", reason)
            waiting = True
            await asyncio.sleep(_STORE_POLL)
    return False


def _connected(orders: Orders) -> tuple[Store, Store, Store]:
    """Clients for changes, for what decides, and for the feed: apart, so that neither many changes nor
    many unknown keys keep the others waiting."""
    reads = MAX_READS + MAX_TOKEN_READS
    url, file = orders.store_url, orders.settings.redis_password_file
    return (
        connect(url, connections=_ADMIN_CONNECTIONS, password_file=file),
        connect(url, connections=reads, password_file=file),
        connect(url, connections=SHARDS, socket_timeout=feed.SOCKET_TIMEOUT, password_file=file),
    )


async def _watch_supervisor(
    supervisor: asyncio.StreamReader,
    authenticator: Authenticator,
    engine: Engine,
    stopping: asyncio.Event,
) -> None:
    """Takes another root token or other TLS files, and stops when the supervisor is gone."""
    while line := await supervisor.readline():
        given = json.loads(line)
        if "root_sha256" in given:
            authenticator.replace_root(bytes.fromhex(given["root_sha256"]))
        if "tls" in given:
            try:
                engine.replace_tls(TlsFiles(**given["tls"]))
            except OSError as error:
                # Whatever it is, the end of the supervisor must still be noticed.
                log.warning("TLS files not replaced, the former stay in force: %s", error)
    stopping.set()


async def _report_health(engine: Engine, follower: Follower) -> None:
    max_staleness = follower.max_staleness
    while True:
        age = follower.max_staleness_now()
        engine.health.report("", serving=age <= max_staleness)
        engine.health.report(AUTHORIZE, serving=age <= max_staleness)
        engine.health.report(ADMIN, serving=age <= min(max_staleness, _ADMIN_STALENESS))
        await asyncio.sleep(_HEALTH_INTERVAL)


async def _give_signs_of_life() -> None:
    """Tells the supervisor each second that the event loop turns."""
    os.set_blocking(STDOUT, False)
    while True:
        with suppress(BlockingIOError):
            os.write(STDOUT, b"\n")
        await asyncio.sleep(1)


async def take_orders() -> tuple[Orders, asyncio.StreamReader]:
    """The orders from standard input, and what tells by its end that the supervisor is gone."""
    supervisor = asyncio.StreamReader(limit=_LONGEST_ORDER)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(supervisor), os.fdopen(STDIN, "rb")
    )
    return Orders.from_json((await supervisor.readline()).decode()), supervisor


async def main() -> None:
    """A worker whose engine runs on this event loop."""
    # A caller may cancel a call before the task that answers it has begun.
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    orders, supervisor = await take_orders()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    for number in (signal.SIGINT, signal.SIGHUP):  # the supervisor's to handle
        loop.add_signal_handler(number, lambda: None)
    try:
        build = http2.build if orders.settings.engine == "http2" else grpcio.build
        set_up_logs(orders.settings.log_level)
        await run(orders, build, stopping, Clock(), supervisor)
    except UnusableStore as error:
        log.error("the worker cannot start: %s", error)  # noqa: TRY400  the text says it all
        sys.exit(UNUSABLE)


if __name__ == "__main__":
    uvloop.run(main())
