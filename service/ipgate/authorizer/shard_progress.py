"""The follower's progress in one shard: its position, and how long that may be answered from."""

from collections.abc import Mapping
from math import inf

from ipgate.authorizer.recent_changes import RecentChanges
from ipgate.domain.changes import Position
from ipgate.domain.revision import Revision


class ShardProgress:
    """The follower's progress in one shard.

    `valid_until`: steady time up to which cached policies may be used without a look at the store.
    """

    __slots__ = ("_fresh_at", "position", "recent", "token", "valid_until")

    def __init__(self, position: Position, change_ids: Mapping[int, str], shard: int) -> None:
        self.recent = RecentChanges(change_ids)
        self._fresh_at = self.valid_until = -inf
        self.advance(position, shard)

    @property
    def fresh_at(self) -> float:
        """The steady time at which the position was known to be the shard's last one."""
        return self._fresh_at

    def refresh(self, fresh_at: float, *, max_staleness: float, leased_until: float) -> None:
        """Record that the position was the last one at `fresh_at`."""
        self._fresh_at = fresh_at
        self.valid_until = min(fresh_at + max_staleness, leased_until)

    def advance(self, position: Position, shard: int) -> None:
        """Record the change that was applied last."""
        self.position = position
        self.token = Revision(shard, position.epoch, position.sequence, position.change_id).token()
        self.recent.add(position.sequence, position.change_id)

    def includes(self, revision: Revision) -> bool:
        """Return whether a revision was applied.

        Where its change is remembered, it must be exactly that change: a failover may have lost it and given
        its sequence number to another one.
        """
        if self.position.epoch != revision.epoch or self.position.sequence < revision.sequence:
            return False
        return self.recent.get(revision.sequence) in (None, revision.change_id)
