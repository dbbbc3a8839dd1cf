"""The worker: builds all parts of a serving process, starts them and stops them in order."""

import asyncio
import gc
import logging
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any, Protocol

from ipgate.admin.denials import Denials
from ipgate.admin.quotas import Quotas
from ipgate.app.admin_servicers import admin_servicers
from ipgate.app.store_clients import StoreClients
from ipgate.app.worker_config import WorkerConfig
from ipgate.app.worker_core import WorkerCore, build_core
from ipgate.app.worker_metrics import WorkerMetrics
from ipgate.authorizer.freshness import Freshness
from ipgate.authorizer.worker_lease import WorkerLease
from ipgate.clock import Clock
from ipgate.domain.errors import Unavailable
from ipgate.engines.engine import Build, Engine
from ipgate.engines.tls import TlsFiles
from ipgate.metrics.counters import Counters, DecisionCounts
from ipgate.metrics.families import ADMIN, AUTHORIZE
from ipgate.rpc.authorize import AuthorizeServicer
from ipgate.rpc.decisions import Decisions
from ipgate.rpc.denial_log import DenialLog
from ipgate.rpc.ext_authz import ExtAuthzServicer
from ipgate.rpc.gateway import GatewayRules
from ipgate.rpc.pipeline import RequestSizes, all_methods
from ipgate.rpc.revisions import RevisionServicer
from ipgate.settings import Settings
from ipgate.store import feed
from ipgate.store.audit import AuditStore
from ipgate.store.audit_settings import AuditSettings
from ipgate.store.connection import StoreNotReady, check_server, unusable
from ipgate.store.policy_reader import PolicyReader
from ipgate.store.scripts import Scripts
from ipgate.store.store_clock import StoreClock
from ipgate.store.topology import FAULTS
from ipgate.store.worker_registry import WorkerRegistry

log = logging.getLogger(__name__)

_HEALTH_INTERVAL = 0.25
_ADMIN_MAX_STALENESS = 5.0
_STORE_POLL = 0.2
_RELEASE_TIMEOUT = 2.0


class ForwardAuth(Protocol):
    """The port of gateways that ask over HTTP/1.1."""

    async def start(self) -> "asyncio.Future[None]": ...
    def replace_tls(self, files: TlsFiles) -> None: ...
    async def stop(self, grace: float) -> None: ...


class Worker:
    """Started once, and stopped once, also after a start that failed.

    `core` decides, `engine` serves.
    """

    def __init__(
        self,
        settings: Settings,
        clients: StoreClients,
        core: WorkerCore,
        lease: WorkerLease,
        engine: Engine,
        *,
        denials: Denials,
        metrics: WorkerMetrics | None = None,
        forward_auth: ForwardAuth | None = None,
    ) -> None:
        self._metrics = metrics
        self._forward_auth = forward_auth
        self.core = core
        self.engine = engine
        self._settings = settings
        self._lease = lease
        self._denials = denials
        self._ended: asyncio.Future[None] | None = None
        self._reporting: asyncio.Task[None] | None = None
        self._started = AsyncExitStack()
        self._started.push_async_callback(clients.close)

    async def start(self, stopping: asyncio.Event) -> bool:
        """Wait for the store, and serve.

        A server that ends early sets `stopping`.

        Returns False if `stopping` was set before.

        Raises:
            UnusableStore: waiting for the store cannot help.
        """
        if not await self._wait_for_store(stopping):
            return False
        follower = self.core.follower
        # Released last: this worker must answer nothing once nobody waits for it any more.
        self._started.push_async_callback(self._release_lease)
        self._start_task(follower.run())
        self._started.callback(follower.stop)
        with suppress(
            Unavailable
        ):  # without writes there is no lease until the store takes them again
            await self._lease.renew()
        self._start_task(self._lease.run())
        self._started.push_async_callback(self._flush_denials)
        self._start_task(self._denials.run())
        self._reporting = self._start_task(_report_health(self.engine, self.core.freshness))
        # Objects built so far live until the end, so the garbage collector need not visit them again. Nobody waits yet
        # for this first collection. The policy cache will not be tracked either (gc_untrack).
        gc.collect()
        gc.freeze()
        await self.engine.start()
        if self._forward_auth is not None:
            ended = await self._forward_auth.start()
            ended.add_done_callback(lambda _: stopping.set())
        if self._metrics is not None:
            self._started.callback(self._metrics.write)
            self._start_task(self._metrics.run())
        self._ended = asyncio.ensure_future(self.engine.ended())
        # A worker without a server serves nobody: the supervisor replaces it.
        self._ended.add_done_callback(lambda _: stopping.set())
        return True

    async def drain(self) -> None:
        """Report NOT_SERVING, then take no more calls and let those in flight finish."""
        assert self._ended is not None
        assert self._reporting is not None
        if self._ended.done():
            log.error("the gRPC server ended unexpectedly")
        self._reporting.cancel()
        self.engine.health.stop()
        await asyncio.sleep(self._settings.drain_delay)
        self.engine.health.end()
        grace = self._settings.shutdown_grace
        if self._forward_auth is None:
            await self.engine.stop(grace)
        else:
            await asyncio.gather(self.engine.stop(grace), self._forward_auth.stop(grace))
        await asyncio.gather(self._ended, return_exceptions=True)

    def replace_tls(self, files: TlsFiles) -> None:
        """Serve new connections with these.

        Raises: OSError.
        """
        self.engine.replace_tls(files)
        if self._forward_auth is not None:
            self._forward_auth.replace_tls(files)

    async def stop(self) -> None:
        """Stop everything that was started, in reverse order."""
        await self._started.aclose()

    def _start_task(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._started.callback(task.cancel)
        return task

    async def _wait_for_store(self, stopping: asyncio.Event) -> bool:
        waiting = False
        while not stopping.is_set():
            try:
                await self.core.scripts.initialize()
                await self.core.follower.start()
                return True
            except (*FAULTS, Unavailable) as error:
                reason = error if isinstance(error, Unavailable) else unusable(error)
                if not isinstance(reason, (Unavailable, StoreNotReady)):
                    raise reason from error
                if not waiting:
                    log.warning("waiting for the store reason=%r", str(reason))
                waiting = True
                await asyncio.sleep(_STORE_POLL)
        return False

    async def _flush_denials(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_RELEASE_TIMEOUT):
                await self._denials.flush()

    async def _release_lease(self) -> None:
        # If this fails, the lease ends within its margin, for which the supervisor waits.
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(_RELEASE_TIMEOUT):
                await self._lease.release()


def build_worker(config: WorkerConfig, build_engine: Build, clock: Clock) -> Worker:
    """Return a worker, connected but not started.

    Raises: RuntimeError if it cannot listen.
    """
    settings, clients, store_clock = (
        config.settings,
        StoreClients.connect(config),
        StoreClock(clock),
    )
    audit = AuditSettings(
        most_bytes=settings.audit_bytes,
        most_seconds=settings.audit_days * 86_400,
        peers=not settings.audit_without_peers,
    )
    scripts = Scripts(
        clients.admin,
        clock,
        replicas=settings.min_replicas_ack,
        store_clock=store_clock,
        audit=audit,
    )
    # What only reports need not be on replicas either.
    denials = Denials(
        AuditStore(Scripts(clients.admin, clock, store_clock=store_clock)),
        peers=not settings.audit_without_peers,
    )
    counters = Counters()
    counted = counters if config.metrics >= 0 else None
    core = build_core(
        scripts,
        PolicyReader(Scripts(clients.policy, clock)),
        feed.open_feeds(clients.feed, store_clock),
        clock,
        cache_bytes=settings.cache_bytes,
        max_staleness=settings.max_staleness,
        root_digest=bytes.fromhex(config.root_sha256),
        check_store=partial(check_server, clients.admin, allow_eviction=settings.allow_eviction),
        counters=counters,
    )
    # A lease need not be on replicas.
    registry = WorkerRegistry(Scripts(clients.admin, clock, store_clock=store_clock))
    lease = WorkerLease(registry, core.follower, clock, worker=config.worker)
    decisions = Decisions(
        core.authorizer,
        None if counted is None else DecisionCounts(counted),
        DenialLog(settings.log_denials, clock.steady) if settings.log_denials else None,
    )
    rules = GatewayRules(
        settings.gateway_keys(), settings.trusted(), external=settings.envoy_external_address
    )
    methods = all_methods(
        [*admin_servicers(_quotas(settings), scripts, clock), RevisionServicer(lease, core.waits)],
        [AuthorizeServicer(decisions, settings.trusted())],
        [ExtAuthzServicer(decisions, rules, challenges=settings.envoy_challenge)],
        core.authenticator,
        RequestSizes(message_bytes=settings.max_message_bytes, ranges=settings.max_ranges_per_list),
        denied=denials.note,
        counters=counted,
    )
    engine = build_engine(settings, config.listen_address, methods, core.authenticator, config.tls)
    metrics = None
    if counted is not None:
        metrics = WorkerMetrics(counted, config.metrics, core, engine, denials)
    server: ForwardAuth | None = None
    if settings.check_listen:
        from ipgate.app import forward_auth  # noqa: PLC0415  it needs an extra

        server = forward_auth.build(settings, decisions, rules, core.authenticator, config.tls)
    return Worker(
        settings,
        clients,
        core,
        lease,
        engine,
        denials=denials,
        metrics=metrics,
        forward_auth=server,
    )


def _quotas(settings: Settings) -> Quotas:
    return Quotas(
        ranges_per_list=settings.max_ranges_per_list,
        lists_per_key=settings.max_lists_per_key,
        keys_per_workspace=settings.max_keys_per_workspace,
        lists_per_workspace=settings.max_lists_per_workspace,
    )


async def _report_health(engine: Engine, freshness: Freshness) -> None:
    bound = freshness.max_staleness
    while True:
        age = freshness.oldest_age()
        engine.health.report("", serving=age <= bound)
        engine.health.report(AUTHORIZE, serving=age <= bound)
        engine.health.report(ADMIN, serving=age <= min(bound, _ADMIN_MAX_STALENESS))
        await asyncio.sleep(_HEALTH_INTERVAL)
