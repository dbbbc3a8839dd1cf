"""Puts a known bug into every process that finds this on its path: what the checker must find."""

import os
from typing import Any


def drop_fence() -> None:
    """The loader caches what it read without waiting for the follower."""
    from ipgate.authorizer.loader import PolicyLoader

    async def unfenced(_self: Any, _shard: int, flight: Any, read: Any) -> Any:
        _, facts = await read()
        flight.invalidated_at = -1
        return facts

    PolicyLoader._read_consistently = unfenced


def skip_invalidation() -> None:
    """Changes of the ranges of a list are not applied."""
    from ipgate.policy.cache import PolicyCache

    apply = PolicyCache.apply

    def skipping(self: Any, touched: Any) -> None:
        if not touched.list_ranges:
            apply(self, touched)

    PolicyCache.apply = skipping


def ignore_epoch() -> None:
    """Whatever the store says of its history, what is held stays."""
    from ipgate.authorizer import follower

    follower._continues = lambda *_: True
    follower.Follower._invalidate = lambda *_: None


BUGS = {bug.__name__: bug for bug in (drop_fence, skip_invalidation, ignore_epoch)}

if wanted := os.environ.get("IPGATE_TEST_BUG"):
    BUGS[wanted]()
