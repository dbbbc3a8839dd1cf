"""How up to date the cached policies are: what every answer from memory depends on."""

from math import inf

from ipgate.authorizer.shard_progress import ShardProgress
from ipgate.clock import Clock
from ipgate.domain.errors import Unavailable


class Freshness:
    """The follower's progress in all shards, under the bound `max_staleness` in seconds.

    A worker answers from memory while it has a lease: WaitForRevision waits for such workers. Without a lease
    it reads the store's positions for each question (`Follower.confirm`).
    """

    def __init__(self, clock: Clock, max_staleness: float) -> None:
        self.max_staleness = max_staleness
        self.progress: dict[int, ShardProgress] = {}
        self._steady = clock.steady
        self._leased_until = inf

    def refresh(self, shard: int, fresh_at: float) -> None:
        """Record that the progress of a shard was up to date at a steady time; -inf: it must not be used."""
        self.progress[shard].refresh(
            fresh_at, max_staleness=self.max_staleness, leased_until=self._leased_until
        )

    def lease(self, until: float) -> None:
        """Record the steady time until which WaitForRevision counts this worker."""
        self._leased_until = until
        for shard, progress in self.progress.items():
            self.refresh(shard, progress.fresh_at)

    def is_leased(self) -> bool:
        return self._steady() <= self._leased_until

    def is_stale(self, shard: int | None = None) -> bool:
        """Return whether nothing may be answered about a shard, or about at least one shard for None."""
        if shard is None:
            return self.oldest_age() > self.max_staleness
        return self._steady() - self.progress[shard].fresh_at > self.max_staleness

    def require(self, shard: int | None = None) -> None:
        """Check that cached policies are fresh enough to answer.

        Raises: Unavailable if `is_stale`.
        """
        if self.is_stale(shard):
            raise Unavailable(
                f"the store has not answered for more than {self.max_staleness:g} s; try again",
                reason="STALE",
            )

    def oldest_age(self) -> float:
        """Return the seconds since the shard that is least up to date was up to date."""
        return self._steady() - min(progress.fresh_at for progress in self.progress.values())

    def youngest_age(self) -> float:
        """Return the seconds since the shard that is most up to date was up to date."""
        return self._steady() - max(progress.fresh_at for progress in self.progress.values())
