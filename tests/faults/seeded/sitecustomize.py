"""Puts a known bug into every process that finds this on its path: what the checker must find."""

import os
from typing import Any


def drop_fence() -> None:
    """What was read is held at once, wherever the follower is."""
    from ipgate.authorizer.loading import Loading

    async def unfenced(_self: Any, _shard: int, flight: Any, read: Any) -> Any:
        _, facts = await read()
        flight.touched = -1
        return facts

    Loading._fenced = unfenced


def skip_invalidation() -> None:
    """Changes of the ranges of a list are not applied."""
    from ipgate.authorizer.cache import PolicyCache

    apply = PolicyCache.apply

    def skipping(self: Any, change: Any) -> None:
        if change.kind != "list":
            apply(self, change)

    PolicyCache.apply = skipping


def ignore_epoch() -> None:
    """Whatever the store says of its history, what is held stays."""
    from ipgate.authorizer.follower import Follower

    Follower._continues = lambda *_: True
    Follower._distrust = lambda *_: None


BUGS = {bug.__name__: bug for bug in (drop_fence, skip_invalidation, ignore_epoch)}

if wanted := os.environ.get("IPGATE_TEST_BUG"):
    BUGS[wanted]()
