"""Follows the changes of the store, so that what is held stays true.

For each shard the follower knows the change it applied last, by number and tip. Every change names
the tip it was made upon, so the follower notices whatever breaks the chain: a trimmed stream, an
emptied or restored store, a failover to a replica that lacks what was seen. Then all is dropped.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from math import inf

from ipgate.authorizer.cache import PolicyCache
from ipgate.authorizer.flights import Flights
from ipgate.authorizer.history import History
from ipgate.clock import Clock
from ipgate.domain.errors import Unavailable
from ipgate.domain.revision import Revision
from ipgate.store.connection import UnusableStore, cause, unavailable
from ipgate.store.feed import COUNT, Change, Feed
from ipgate.store.rules import Head
from ipgate.store.scripts import Scripts
from ipgate.store.topology import FAULTS

log = logging.getLogger(__name__)

_AT_ONCE = 2000
"""Keys that changes touch without a pause: some milliseconds."""

_SLOWEST_RETRY = 0.5
_AFTER_RESET = 0.05

_FAR = 1000
"""Changes by which a worker is hardly ever behind the store."""

_CONFIRM_TIMEOUT = 3.0
"""Seconds that a question waits for a look at the store, where the worker has no lease."""


class Follower:
    """Applies the changes of the feed's shards to the cache, and knows how fresh that makes it."""

    def __init__(
        self,
        feeds: Sequence[Feed],
        scripts: Scripts,
        cache: PolicyCache,
        flights: Flights,
        clock: Clock,
        *,
        max_staleness: float,
        check_store: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`max_staleness`: seconds without an answer of the store after which nothing is answered.
        `check_store` is awaited before a store is followed again that was out of reach, and raises
        UnusableStore for one that must not be."""
        self._check_store = check_store
        self.max_staleness = max_staleness
        self._feeds = feeds
        self._scripts = scripts
        self._cache = cache
        self._flights = flights
        self._clock = clock
        self._moved: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stopped = False
        self._broke_at = -inf
        self._leased_until = inf
        self._confirming = asyncio.Lock()
        self._confirmation: asyncio.Task[None] | None = None
        self.histories: dict[int, History] = {}

    async def start(self) -> None:
        """Takes up the history where it stands. Raises what redis-py raises."""
        for feed in self._feeds:
            await self._begin(feed)

    async def run(self) -> None:
        """Follows until stopped; a store that cannot be reached is tried again and again."""
        await asyncio.gather(*(self._keep_following(feed) for feed in self._feeds))

    async def _keep_following(self, feed: Feed) -> None:
        delay, reported = 0.0, ""
        while not self._stopped:
            try:
                if delay and self._check_store is not None:
                    await self._check_store()
                await self._follow(feed)
            except Exception as fault:
                # Nothing may end the following; until it works, what is held grows stale.
                expected = isinstance(fault, (*FAULTS, Unavailable, UnusableStore))
                kind = f"{type(fault).__name__} {fault}" if isinstance(fault, UnusableStore) else ""
                if not delay or kind != reported:
                    log.warning(
                        "changes cannot be followed: %s", cause(fault), exc_info=not expected
                    )
                reported = kind
                delay = min(max(delay * 2, 0.02), _SLOWEST_RETRY)
                await asyncio.sleep(delay)
            else:
                if delay:
                    log.warning("changes are followed again")
                delay = 0.0

    def stop(self) -> None:
        """Ends `run` with its present read. Cancelling it cuts that short, but may be taken for a
        failure of the read. Nothing is answered from then on: nobody waits any more until this
        worker has applied a change."""
        self._stopped = True
        for history in self.histories.values():
            self._refresh(history, -inf)

    def lease(self, until: float) -> None:
        """Takes note of the steady time until which WaitForRevision counts this worker."""
        self._leased_until = until
        for history in self.histories.values():
            self._refresh(history, history.fresh_at)

    def is_leased(self) -> bool:
        return self._clock.steady() <= self._leased_until

    async def confirm(self) -> None:
        """Waits until all is applied that the store has after this call, which makes up for a lease:
        WaitForRevision need not know a worker that looks at the store for each question. One read
        serves all who wait for its beginning. Raises Unavailable."""
        confirmation = self._confirmation
        if confirmation is None:
            confirmation = self._confirmation = asyncio.create_task(self._confirm())
        # Shielded: a caller that gives up must not take the read away from the others.
        await asyncio.shield(confirmation)

    async def _confirm(self) -> None:
        async with self._confirming:
            self._confirmation = None  # whoever comes from now on waits for another read
            try:
                async with asyncio.timeout(_CONFIRM_TIMEOUT):
                    read = await asyncio.gather(*(feed.heads() for feed in self._feeds))
                    heads = {shard: head for found in read for shard, head in found.items()}
                    reached = [await self.reached(shard, head) for shard, head in heads.items()]
            except TimeoutError:
                raise Unavailable("changes cannot be followed now; try again") from None
            except FAULTS as error:
                raise unavailable(error, writing=False) from error
            if not all(reached):
                raise Unavailable("the history of changes is being taken up again; try again")

    def is_stale(self, shard: int | None = None) -> bool:
        """Whether nothing may be answered of a shard, or of one of them."""
        age = self.oldest() if shard is None else self.age(shard)
        return age > self.max_staleness

    def age(self, shard: int) -> float:
        """Seconds since what is held of a shard was known to be the present."""
        return self._clock.steady() - self.histories[shard].fresh_at

    def oldest(self) -> float:
        """The greatest age of all shards."""
        return self._clock.steady() - min(history.fresh_at for history in self.histories.values())

    def youngest(self) -> float:
        """The least age of all shards."""
        return self._clock.steady() - max(history.fresh_at for history in self.histories.values())

    async def reached(self, shard: int, head: Head) -> bool:
        """Waits until the changes up to `head` are applied. False if `head` is not, or not any
        more known to be, of the history that the follower follows."""
        while True:
            history = self.histories[shard]
            if history.head.epoch == head.epoch and history.head.number >= head.number:
                return history.recent.get(head.number) == head.tip
            await asyncio.shield(self._moved)

    def steady_for(self) -> float:
        """Seconds since a history broke off, if ever one did."""
        return self._clock.steady() - self._broke_at

    async def moved(self, timeout: float) -> None:
        """Waits until something is applied, but for no more than `timeout` seconds."""
        await asyncio.wait([self._moved], timeout=timeout)

    def includes(self, revision: Revision) -> bool:
        """Whether a revision is applied."""
        return self.histories[revision.shard].includes(revision)

    async def applied(self, revision: Revision) -> None:
        """Waits until a revision is applied. Raises Unavailable for one that a fresh look at the store
        shows to be none of its history: it may be made up."""
        if not self.includes(revision) and self._is_far(revision, _FAR):
            await self.confirm()
            if not self.includes(revision) and self._is_far(revision, 0):
                raise Unavailable(
                    "the store does not have the revision: it is of a store that was restored or "
                    "emptied, or of another one; read the resource again",
                    reason="REVISION_NOT_REACHED",
                )
        while not self.includes(revision):
            await asyncio.shield(self._moved)

    def _is_far(self, revision: Revision, margin: int) -> bool:
        """Whether a revision is of another history, or more than so many changes ahead."""
        head = self.histories[revision.shard].head
        return head.epoch != revision.epoch or revision.number > head.number + margin

    async def wait_for(self, revision: Revision, timeout: float) -> None:
        """Waits until a revision is applied. Raises Unavailable after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self.applied(revision)
        except TimeoutError:
            raise Unavailable(
                "min_revision has not reached this server yet; try again",
                reason="REVISION_NOT_REACHED",
            ) from None

    async def _follow(self, feed: Feed) -> None:
        """Reads once, and applies what came."""
        began = self._clock.steady()
        heads, found = await feed.wait(
            {shard: self.histories[shard].head.number for shard in feed.shards}
        )
        if any(not head.epoch for head in heads.values()):
            if self._distrust(feed):
                log.error("the store was emptied, or an import into it is under way")
            await self._scripts.initialize()
            return
        for shard, head in heads.items():
            changes = found.get(shard, [])
            if not self._continues(self.histories[shard].head, head, changes):
                log.error("shard %d has another history than before; all is loaded anew", shard)
                self._distrust(feed)
                await self._begin(feed)
                # Should the history never become one that can be followed, this must not spin.
                await asyncio.sleep(_AFTER_RESET)
                return
        for shard in heads:
            await self._apply(shard, found.get(shard, []), began)
        if found:
            self._wake()

    def _continues(self, mine: Head, head: Head, changes: Sequence[Change]) -> bool:
        """Whether the store's head and changes carry on from where the follower stands."""
        if head.epoch != mine.epoch or head.number < mine.number:
            return False
        if head.number == mine.number and head.tip != mine.tip:
            return False
        if head.number > mine.number and not changes:
            return False
        number, tip = mine.number, mine.tip
        for change in changes:
            if change.number != number + 1 or change.prev != tip:
                return False
            number, tip = change.number, change.tip
        return True

    async def _apply(self, shard: int, changes: Sequence[Change], began: float) -> None:
        history = self.histories[shard]
        touched = 0
        for change in changes:
            touched += 1 + len(change.ids)
            if touched > _AT_ONCE:
                # What is held is true after each change, so others may decide from it in between.
                touched = 0
                await asyncio.sleep(0)
            self._flights.touch(change)
            self._cache.apply(change)
            history.advance(Head(history.head.epoch, change.number, change.tip), shard)
        if len(changes) < COUNT and not self._stopped:
            self._refresh(history, began)

    async def _begin(self, feed: Feed) -> None:
        """Takes up the history of a feed's shards where it stands; all that is held goes."""
        began = self._clock.steady()
        found = await feed.histories()
        self._flights.touch_all()
        self._cache.clear()
        for shard, (head, tips) in found.items():
            self.histories[shard] = History(head, tips, shard)
            self._refresh(self.histories[shard], -inf if self._stopped else began)
        self._wake()

    def _distrust(self, feed: Feed) -> bool:
        """Nothing held decides any more, nor is anything answered until the history is taken up. False
        if that was so before."""
        trusted = any(self.histories[shard].fresh_at > -inf for shard in feed.shards)
        self._broke_at = self._clock.steady()
        self._flights.touch_all()
        self._cache.clear()
        for shard in feed.shards:
            self._refresh(self.histories[shard], -inf)
        return trusted

    def _refresh(self, history: History, fresh_at: float) -> None:
        history.refresh(fresh_at, max_staleness=self.max_staleness, leased_until=self._leased_until)

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.get_running_loop().create_future()
        moved.set_result(None)
