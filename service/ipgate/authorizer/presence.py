"""Where a revision is in force: this worker's row in the register, and what all rows say."""

import asyncio
import logging
from math import inf

from ipgate.authorizer.follower import Follower
from ipgate.authorizer.history import History
from ipgate.clock import Clock
from ipgate.domain.errors import Unavailable
from ipgate.domain.revision import SHARDS, Revision
from ipgate.store.rules import Head
from ipgate.store.workers import WorkerRegister

log = logging.getLogger(__name__)

LONGEST_WAIT = 30.0
"""Seconds that a call without a deadline waits for a revision."""

_RENEWAL = 1.0
_PAUSE = 0.01
_POLL = 0.01

_MARGIN = 2.0
"""Seconds for which a row outlasts the last answer that its worker could give, at least."""

_SETTLING = 3 * _RENEWAL
"""Seconds after a break in the history in which rows may be missing from the register."""


class Presence:
    """Keeps the row of `worker` as long as it may answer, which is `max_staleness` seconds after
    the store was heard of last: a lease that ran out is that of a worker which answers no more."""

    def __init__(
        self, register: WorkerRegister, follower: Follower, clock: Clock, *, worker: str
    ) -> None:
        self._register = register
        self._follower = follower
        self._steady = clock.steady
        self._worker = worker
        follower.lease(-inf)
        self._reading = asyncio.Lock()
        self._read_at = -inf
        self._rows: dict[str, list[Head]] = {}

    async def renew(self) -> None:
        """Tells what was applied. Raises Unavailable."""
        began = self._steady()
        applied = [self._follower.histories[shard].head for shard in range(SHARDS)]
        seconds = self._follower.max_staleness + _MARGIN
        await self._register.renew(self._worker, applied, seconds)
        if not self._follower.is_leased():
            # Nobody has waited for this worker until now: what is in force must be applied before it
            # answers from memory again.
            await self._follower.confirm()
        # By the sender's clock: the end that the store keeps was computed after this.
        self._follower.lease(began + seconds)

    async def run(self) -> None:
        """Renews the row after each change that was applied, and in between."""
        failing = False
        while True:
            await self._follower.moved(_RENEWAL)
            # Changes that come close together are told of together.
            await asyncio.sleep(_PAUSE)
            if self._follower.youngest() > self._follower.max_staleness:
                continue  # nothing is answered of any shard
            try:
                await self.renew()
                failing = False
            except Exception as fault:
                # Nothing may end the renewing: without a lease each question costs a look at the store.
                if not failing:
                    expected = isinstance(fault, Unavailable)
                    log.warning(
                        "lease not renewed, questions look at the store once it ends",
                        exc_info=not expected,
                    )
                failing = True
                await asyncio.sleep(_RENEWAL)

    async def leave(self) -> None:
        """Strikes out the row. Raises Unavailable."""
        await self._register.leave(self._worker)

    async def everywhere(self, revision: Revision, timeout: float) -> int:
        """Waits until every live worker has applied a revision; returns how many there are.

        Raises Unavailable after `timeout` seconds.
        """
        waiting = "this worker has not applied it"
        time = asyncio.get_running_loop().time
        deadline = time() + timeout
        try:
            async with asyncio.timeout_at(deadline):
                await self._follower.applied(revision)
                # The clock is asked, too: asyncio.wait_for (Python 3.11), which redis-py calls, loses a
                # cancellation that comes together with its result.
                while time() < deadline:
                    history = self._follower.histories[revision.shard]
                    rows = await self._live()
                    behind = [
                        worker
                        for worker, heads in rows.items()
                        if not _applied(history, heads[revision.shard], revision)
                    ]
                    waiting = f"{len(behind)} of {len(rows)} workers have not applied it"
                    settled = self._follower.steady_for() > _SETTLING
                    if not self._follower.includes(revision):
                        waiting = "a failover or a restored store lost it"
                    elif not behind and self._worker in rows and settled:
                        return len(rows)
                    await asyncio.sleep(_POLL)
                raise TimeoutError
        except TimeoutError:
            raise Unavailable(
                f"the revision is not in force everywhere yet: {waiting}; try again",
                reason="REVISION_NOT_REACHED",
            ) from None

    async def _live(self) -> dict[str, list[Head]]:
        """The rows, not older than a poll: however many wait, one reads for all."""
        async with self._reading:
            loop = asyncio.get_running_loop()
            if loop.time() - self._read_at >= _POLL:
                self._rows = await self._register.live()
                self._read_at = loop.time()
            return self._rows


def _applied(mine: History, head: Head, revision: Revision) -> bool:
    """Whether a worker that stands at `head` has applied a revision that this one has applied."""
    if head.epoch != revision.epoch or not revision.number <= head.number <= mine.head.number:
        return False
    # It must stand in the same history: a failover may have given the same number to another change.
    return mine.recent.get(head.number) in (None, head.tip)
