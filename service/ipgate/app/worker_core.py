"""Builds what decides in a worker: everything between the methods and the store.

Tests build theirs here, too, with a reader, feeds and a clock of their own.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ipgate.authorizer.authentication import Authenticator
from ipgate.authorizer.authorizer import Authorizer
from ipgate.authorizer.follower import Follower
from ipgate.authorizer.freshness import Freshness
from ipgate.authorizer.loader import PolicyLoader
from ipgate.authorizer.revision_waits import RevisionWaits
from ipgate.authorizer.single_flight import SingleFlight
from ipgate.clock import Clock
from ipgate.metrics.counters import Counters
from ipgate.policy.cache import PolicyCache
from ipgate.store.feed import Feed
from ipgate.store.policy_reader import PolicyReader
from ipgate.store.scripts import Scripts


@dataclass(frozen=True, slots=True)
class WorkerCore:
    """`scripts`: for changes."""

    scripts: Scripts
    cache: PolicyCache
    follower: Follower
    authenticator: Authenticator
    authorizer: Authorizer
    waits: RevisionWaits
    loader: PolicyLoader

    @property
    def freshness(self) -> Freshness:
        return self.follower.freshness


def build_core(
    scripts: Scripts,
    reader: PolicyReader,
    feeds: Sequence[Feed],
    clock: Clock,
    *,
    cache_bytes: int,
    max_staleness: float,
    root_digest: bytes,
    check_store: Callable[[], Awaitable[None]] | None = None,
    counters: Counters | None = None,
) -> WorkerCore:
    """Return the parts, connected but not started."""
    cache, single_flight = PolicyCache(cache_bytes), SingleFlight(counters or Counters())
    follower = Follower(
        feeds,
        scripts,
        cache,
        single_flight,
        Freshness(clock, max_staleness),
        clock=clock,
        check_store=check_store,
    )
    loader = PolicyLoader(reader, cache, single_flight, follower)
    waits = RevisionWaits()
    return WorkerCore(
        scripts=scripts,
        cache=cache,
        follower=follower,
        authenticator=Authenticator(cache, loader, follower, clock, root_digest=root_digest),
        authorizer=Authorizer(cache, loader, follower, clock, waits),
        waits=waits,
        loader=loader,
    )
