"""The row of this worker in the registry, and the wait until every worker has applied a revision."""

import asyncio
import logging
from math import inf

from ipgate.authorizer.follower import Follower
from ipgate.authorizer.shard_progress import ShardProgress
from ipgate.clock import Clock
from ipgate.domain.changes import Position
from ipgate.domain.errors import Unavailable
from ipgate.domain.revision import Revision
from ipgate.domain.shards import SHARDS
from ipgate.store.worker_registry import WorkerRegistry

log = logging.getLogger(__name__)

DEFAULT_WAIT = 30.0
"""Seconds that a call without a deadline waits for a revision."""

_RENEW_INTERVAL = 1.0
_GATHER_DELAY = 0.01
_POLL_INTERVAL = 0.01

_LEASE_MARGIN = 2.0
"""Seconds by which a lease outlasts the last answer that its worker can give, at least."""

_SETTLE_TIME = 3 * _RENEW_INTERVAL
"""Seconds after a break in the history during which rows may be missing from the registry."""


class WorkerLease:
    """Keeps the row of `worker` as long as the worker may answer.

    That is until `max_staleness` seconds after the store's last answer. A worker whose lease has ended no longer
    answers from memory.
    """

    def __init__(
        self, registry: WorkerRegistry, follower: Follower, clock: Clock, *, worker: str
    ) -> None:
        self._registry = registry
        self._follower = follower
        self._freshness = follower.freshness
        self._steady = clock.steady
        self._worker = worker
        follower.freshness.lease(-inf)
        self._reading = asyncio.Lock()
        self._read_at = -inf
        self._rows: dict[str, list[Position]] = {}

    async def renew(self) -> None:
        """Register what was applied.

        Raises: Unavailable.
        """
        began = self._steady()
        applied = [self._freshness.progress[shard].position for shard in range(SHARDS)]
        seconds = self._freshness.max_staleness + _LEASE_MARGIN
        await self._registry.renew(self._worker, applied, seconds)
        if not self._freshness.is_leased():
            # No change has waited for this worker until now, so it must catch up before it answers from
            # memory again.
            await self._follower.confirm()
        # By this worker's clock: the end that the store keeps was computed later.
        self._freshness.lease(began + seconds)

    async def run(self) -> None:
        """Renew the lease after each applied change, and at an interval."""
        failing = False
        while True:
            await self._follower.wait_for_change(_RENEW_INTERVAL)
            # Changes that arrive close together are registered together.
            await asyncio.sleep(_GATHER_DELAY)
            if self._freshness.youngest_age() > self._freshness.max_staleness:
                continue  # this worker answers nothing
            try:
                await self.renew()
                failing = False
            except Exception as error:
                # Nothing may end the renewals: without a lease each question costs a read of the store.
                if not failing:
                    expected = isinstance(error, Unavailable)
                    log.warning(
                        "lease not renewed, questions look at the store once it ends",
                        exc_info=not expected,
                    )
                failing = True
                await asyncio.sleep(_RENEW_INTERVAL)

    async def release(self) -> None:
        """Remove the row.

        Raises: Unavailable.
        """
        await self._registry.remove(self._worker)

    async def wait_until_applied_everywhere(self, revision: Revision, timeout: float) -> int:
        """Wait until every live worker has applied a revision, and return how many there are.

        Raises:
            Unavailable: `timeout` seconds passed first.
        """
        waiting = "this worker has not applied it"
        time = asyncio.get_running_loop().time
        deadline = time() + timeout
        try:
            async with asyncio.timeout_at(deadline):
                await self._follower.wait_until_applied(revision)
                # The clock is checked as well: asyncio.wait_for (Python 3.11), which redis-py calls, loses a
                # cancellation that comes together with its result.
                while time() < deadline:
                    progress = self._freshness.progress[revision.shard]
                    rows = await self._live()
                    behind = [
                        worker
                        for worker, positions in rows.items()
                        if not _has_applied(progress, positions[revision.shard], revision)
                    ]
                    waiting = f"{len(behind)} of {len(rows)} workers have not applied it"
                    settled = self._follower.seconds_since_reset() > _SETTLE_TIME
                    if not self._follower.includes(revision):
                        waiting = "a failover or a restored store lost it"
                    elif not behind and self._worker in rows and settled:
                        return len(rows)
                    await asyncio.sleep(_POLL_INTERVAL)
                raise TimeoutError
        except TimeoutError:
            raise Unavailable(
                f"the revision is not in force everywhere yet: {waiting}; try again",
                reason="REVISION_NOT_REACHED",
            ) from None

    async def status(self, revision: Revision) -> tuple[int, list[str]]:
        """Return how many live workers there are, and the names of those that have not applied a revision.

        While this worker has not applied it, the others count as behind, too: it cannot compare histories.

        Raises: Unavailable, also while rows may be missing from the registry.
        """
        progress = self._freshness.progress[revision.shard]
        rows = await self._live()
        if self._worker not in rows or self._follower.seconds_since_reset() <= _SETTLE_TIME:
            raise Unavailable(
                "the workers are being counted; try again", reason="REVISION_NOT_REACHED"
            )
        is_known = self._follower.includes(revision)
        behind = [
            worker
            for worker, positions in rows.items()
            if not (is_known and _has_applied(progress, positions[revision.shard], revision))
        ]
        return len(rows), sorted(behind)

    async def _live(self) -> dict[str, list[Position]]:
        """Return the rows, at most one poll interval old: one read serves all waiting calls."""
        async with self._reading:
            loop = asyncio.get_running_loop()
            if loop.time() - self._read_at >= _POLL_INTERVAL:
                self._rows = await self._registry.live()
                self._read_at = loop.time()
            return self._rows


def _has_applied(mine: ShardProgress, theirs: Position, revision: Revision) -> bool:
    """Return whether a worker at the position `theirs` has applied a revision that this worker has applied."""
    if theirs.epoch != revision.epoch:
        return False
    if not revision.sequence <= theirs.sequence <= mine.position.sequence:
        return False
    # Both must follow one history: a failover may have given the same sequence number to another change.
    return mine.recent.get(theirs.sequence) in (None, theirs.change_id)
