"""What the follower knows of a shard: where it stands, and how long that can be answered by."""

from collections.abc import Mapping
from math import inf

from ipgate.authorizer.recent_tips import RecentTips
from ipgate.domain.revision import Revision
from ipgate.store.rules import Head


class History:
    """What the follower knows of one shard. `valid_until`: the steady time up to which it can be
    answered by without a look at the store."""

    __slots__ = ("_fresh_at", "head", "recent", "token", "valid_until")

    def __init__(self, head: Head, tips: Mapping[int, str], shard: int) -> None:
        self.recent = RecentTips(tips)
        self._fresh_at = self.valid_until = -inf
        self.advance(head, shard)

    @property
    def fresh_at(self) -> float:
        """The steady time at which this was known to be the present."""
        return self._fresh_at

    def refresh(self, fresh_at: float, *, max_staleness: float, leased_until: float) -> None:
        self._fresh_at = fresh_at
        self.valid_until = min(fresh_at + max_staleness, leased_until)

    def advance(self, head: Head, shard: int) -> None:
        self.head = head
        self.token = Revision(shard, head.epoch, head.number, head.tip).token()
        self.recent.add(head.number, head.tip)

    def includes(self, revision: Revision) -> bool:
        """Whether a revision was applied. Where its change is remembered, it must be that very one:
        a failover may have lost it, and given its number to another."""
        if self.head.epoch != revision.epoch or self.head.number < revision.number:
            return False
        return self.recent.get(revision.number) in (None, revision.tip)
