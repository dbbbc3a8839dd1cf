"""Follows the changes of the store, so that cached policies stay valid.

For each shard the follower knows the position that it has reached. Every change names the change before it,
so the follower notices whatever breaks the chain: a trimmed stream, an emptied or restored store, a failover
to a replica that lacks changes. It drops all cached policies then.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from math import inf

from ipgate.authorizer.freshness import Freshness
from ipgate.authorizer.shard_progress import ShardProgress
from ipgate.authorizer.single_flight import SingleFlight
from ipgate.clock import Clock
from ipgate.domain.changes import Change, Position
from ipgate.domain.errors import Unavailable
from ipgate.domain.revision import Revision
from ipgate.policy.cache import PolicyCache
from ipgate.store.connection import UnusableStore, cause, unavailable
from ipgate.store.feed import COUNT, Feed
from ipgate.store.scripts import Scripts
from ipgate.store.topology import FAULTS

log = logging.getLogger(__name__)

_BATCH = 2000
"""Keys that changes touch without a pause: some milliseconds."""

_MAX_RETRY_DELAY = 0.5
_DELAY_AFTER_RESET = 0.05

_MAX_AHEAD = 1000
"""Changes by which a worker is hardly ever behind the store."""

_CONFIRM_TIMEOUT = 3.0
"""Seconds that a question waits for a read of the store, where the worker has no lease."""


class Follower:
    """Applies the changes of the feeds' shards to the cache, and knows how fresh the cache is."""

    def __init__(
        self,
        feeds: Sequence[Feed],
        scripts: Scripts,
        cache: PolicyCache,
        single_flight: SingleFlight,
        freshness: Freshness,
        *,
        clock: Clock,
        check_store: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`freshness` is updated with each read.

        `check_store` runs before a store that was out of reach is followed again, and raises UnusableStore
        for one that must not be used.
        """
        self._check_store = check_store
        self.freshness = freshness
        self._feeds = feeds
        self._scripts = scripts
        self._cache = cache
        self._single_flight = single_flight
        self._clock = clock
        self._changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stopped = False
        self._reset_at = -inf
        self.failures = self.resets = 0
        """Reads of the feeds that failed, and times that the cache was dropped because a history broke off."""
        self._tips: dict[int, int] = {}
        self._confirming = asyncio.Lock()
        self._confirmation: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take the store's positions as the beginning.

        Raises what redis-py raises.
        """
        for feed in self._feeds:
            await self._resync(feed)

    async def run(self) -> None:
        """Follow until stopped; retry while the store is out of reach."""
        await asyncio.gather(*(self._keep_following(feed) for feed in self._feeds))

    async def _keep_following(self, feed: Feed) -> None:
        delay, reported = 0.0, ""
        while not self._stopped:
            try:
                if delay and self._check_store is not None:
                    await self._check_store()
                await self._follow(feed)
            except Exception as error:
                self.failures += 1
                # Nothing may end the following; until it works again, the cache grows stale.
                expected = isinstance(error, (*FAULTS, Unavailable, UnusableStore))
                kind = f"{type(error).__name__} {error}" if isinstance(error, UnusableStore) else ""
                if not delay or kind != reported:
                    log.warning(
                        "changes cannot be followed, retrying error=%r",
                        cause(error),
                        exc_info=not expected,
                    )
                reported = kind
                delay = min(max(delay * 2, 0.02), _MAX_RETRY_DELAY)
                await asyncio.sleep(delay)
            else:
                if delay:
                    log.warning("changes are followed again")
                delay = 0.0

    def stop(self) -> None:
        """Let `run` end with its current read, and answer nothing from now on.

        Nobody waits any longer until this worker has applied a change. Cancelling `run` interrupts the read,
        but the read may report that as a failure.
        """
        self._stopped = True
        for shard in self.freshness.progress:
            self.freshness.refresh(shard, -inf)

    async def confirm(self) -> None:
        """Wait until everything is applied that the store had after this call.

        This replaces a lease: WaitForRevision need not know a worker that reads the store's positions for
        each question. One read serves all questions that wait for its beginning.

        Raises:
            Unavailable: the store cannot be read or followed.
        """
        confirmation = self._confirmation
        if confirmation is None:
            confirmation = self._confirmation = asyncio.create_task(self._confirm())
        # Shielded: a caller that gives up must not cancel a read that others wait for.
        await asyncio.shield(confirmation)

    async def _confirm(self) -> None:
        async with self._confirming:
            self._confirmation = None  # later questions wait for another read
            try:
                async with asyncio.timeout(_CONFIRM_TIMEOUT):
                    reads = await asyncio.gather(*(feed.positions() for feed in self._feeds))
                    positions = {
                        shard: position for read in reads for shard, position in read.items()
                    }
                    reached = [
                        await self.wait_for_position(shard, position)
                        for shard, position in positions.items()
                    ]
            except TimeoutError:
                raise Unavailable("changes cannot be followed now; try again") from None
            except FAULTS as error:
                raise unavailable(error, writing=False) from error
            if not all(reached):
                raise Unavailable("the history of changes is being read again; try again")

    async def wait_for_position(self, shard: int, position: Position) -> bool:
        """Wait until the changes up to `position` are applied.

        Returns False if the position is not part of the history that the follower follows, or if that is not
        known any more.
        """
        while True:
            progress = self.freshness.progress[shard]
            if (
                progress.position.epoch == position.epoch
                and progress.position.sequence >= position.sequence
            ):
                return progress.recent.get(position.sequence) == position.change_id
            await asyncio.shield(self._changed)

    def changes_behind(self) -> int:
        """Return how many changes were read of, and are not applied yet."""
        progress = self.freshness.progress
        return sum(
            max(0, tip - progress[shard].position.sequence) for shard, tip in self._tips.items()
        )

    def seconds_since_reset(self) -> float:
        """Return the seconds since a history broke off, infinity if none ever did."""
        return self._clock.steady() - self._reset_at

    async def wait_for_change(self, timeout: float) -> None:
        """Wait until a change is applied, at most `timeout` seconds."""
        await asyncio.wait([self._changed], timeout=timeout)

    def includes(self, revision: Revision) -> bool:
        """Return whether a revision is applied."""
        return self.freshness.progress[revision.shard].includes(revision)

    async def wait_until_applied(self, revision: Revision) -> None:
        """Wait until a revision is applied.

        Raises:
            Unavailable: a fresh read of the store shows that the revision is not part of its history. It
                may be made up.
        """
        if not self.includes(revision) and self._is_ahead(revision, _MAX_AHEAD):
            await self.confirm()
            if not self.includes(revision) and self._is_ahead(revision, 0):
                raise Unavailable(
                    "the store does not have the revision: it is of a store that was restored or "
                    "emptied, or of another one; read the resource again",
                    reason="REVISION_NOT_REACHED",
                )
        while not self.includes(revision):
            await asyncio.shield(self._changed)

    def _is_ahead(self, revision: Revision, margin: int) -> bool:
        """Return whether a revision is of another history, or more than so many changes ahead."""
        position = self.freshness.progress[revision.shard].position
        return position.epoch != revision.epoch or revision.sequence > position.sequence + margin

    async def wait_for_revision(self, revision: Revision, timeout: float) -> None:
        """Wait until a revision is applied.

        Raises:
            Unavailable: `timeout` seconds passed first.
        """
        try:
            async with asyncio.timeout(timeout):
                await self.wait_until_applied(revision)
        except TimeoutError:
            raise Unavailable(
                "min_revision has not reached this server yet; try again",
                reason="REVISION_NOT_REACHED",
            ) from None

    async def _follow(self, feed: Feed) -> None:
        """Read once, and apply the changes."""
        began = self._clock.steady()
        positions, changes_by_shard = await feed.wait(
            {shard: self.freshness.progress[shard].position.sequence for shard in feed.shards}
        )
        if any(not position.epoch for position in positions.values()):
            if self._invalidate(feed):
                log.error("the store was emptied, or is being imported into")
            await self._scripts.initialize()
            return
        for shard, position in positions.items():
            changes = changes_by_shard.get(shard, [])
            if not _continues(self.freshness.progress[shard].position, position, changes):
                log.error(
                    "change history diverged (failover or restore?), dropping cached policies shard=%d",
                    shard,
                )
                self._invalidate(feed)
                await self._resync(feed)
                # If the history never becomes one that can be followed, this must not spin.
                await asyncio.sleep(_DELAY_AFTER_RESET)
                return
        self._tips.update({shard: position.sequence for shard, position in positions.items()})
        for shard in positions:
            await self._apply(shard, changes_by_shard.get(shard, []), began)
        if changes_by_shard:
            self._notify()

    async def _apply(self, shard: int, changes: Sequence[Change], began: float) -> None:
        progress = self.freshness.progress[shard]
        count = 0
        for change in changes:
            count += 1 + len(change.ids)
            if count > _BATCH:
                # The cache is valid after each change, so questions may be decided in between.
                count = 0
                await asyncio.sleep(0)
            touched = change.touched()
            self._single_flight.invalidate(touched, change.sequence)
            self._cache.apply(touched)
            progress.advance(
                Position(progress.position.epoch, change.sequence, change.change_id), shard
            )
        if len(changes) < COUNT and not self._stopped:
            self.freshness.refresh(shard, began)

    async def _resync(self, feed: Feed) -> None:
        """Drop all cached policies, and continue from the store's positions."""
        began = self._clock.steady()
        histories = await feed.histories()
        self._single_flight.invalidate_all()
        self._cache.clear()
        for shard, (position, change_ids) in histories.items():
            self.freshness.progress[shard] = ShardProgress(position, change_ids, shard)
            self.freshness.refresh(shard, -inf if self._stopped else began)
        self._notify()

    def _invalidate(self, feed: Feed) -> bool:
        """Drop all cached policies, and answer nothing until the next resync.

        Returns False if that was so before.
        """
        was_valid = any(self.freshness.progress[shard].fresh_at > -inf for shard in feed.shards)
        self._reset_at = self._clock.steady()
        self.resets += was_valid
        self._single_flight.invalidate_all()
        self._cache.clear()
        for shard in feed.shards:
            self.freshness.refresh(shard, -inf)
        return was_valid

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.get_running_loop().create_future()
        changed.set_result(None)


def _continues(mine: Position, theirs: Position, changes: Sequence[Change]) -> bool:
    """Return whether the store's position and changes continue from the follower's position."""
    if theirs.epoch != mine.epoch or theirs.sequence < mine.sequence:
        return False
    if theirs.sequence == mine.sequence and theirs.change_id != mine.change_id:
        return False
    if theirs.sequence > mine.sequence and not changes:
        return False
    sequence, change_id = mine.sequence, mine.change_id
    for change in changes:
        if change.sequence != sequence + 1 or change.previous_id != change_id:
            return False
        sequence, change_id = change.sequence, change.change_id
    return True
