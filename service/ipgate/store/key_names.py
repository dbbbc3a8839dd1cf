"""The names of all Redis keys; `docs/redis-keys.md` has the table.

Scripts build the same names from the prefix of a shard.
"""

from ipgate.domain.shards import shard_of

WORKERS = "ipgate:workers"
"""The registry of live workers."""


def shard_prefix(shard: int) -> str:
    """Return the prefix of all keys of a shard: a hash tag, so that they share a slot of a cluster."""
    return f"ipgate:{{s{shard:02}}}:"


def meta(shard: int) -> str:
    return shard_prefix(shard) + "meta"


def changes(shard: int) -> str:
    return shard_prefix(shard) + "changes"


def ranges(workspace: str, allow_list: str) -> str:
    return f"{shard_prefix(shard_of(workspace))}ws:{workspace}:list:{allow_list}:ranges"


def digest(sha256: str) -> str:
    return f"ipgate:digest:{sha256}"
