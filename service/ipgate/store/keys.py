"""The names of all Redis keys; `docs/redis-keys.md` has the table. Scripts build the same names
from a shard's prefix."""

from zlib import crc32

from ipgate.domain.revision import SHARDS

TOKEN_SHARD = 0
"""Access tokens live in this shard."""


def shard_of(workspace: str) -> int:
    """The shard in which a workspace lives, by a stable hash of its id."""
    return crc32(workspace.encode()) % SHARDS


def shard_prefix(shard: int) -> str:
    """What all keys of a shard begin with: a hash tag, so that they share a Cluster slot."""
    return f"ipgate:{{s{shard:02}}}:"


def meta(shard: int) -> str:
    return shard_prefix(shard) + "meta"


def changes(shard: int) -> str:
    return shard_prefix(shard) + "changes"


def ranges(workspace: str, allow_list: str) -> str:
    return f"{shard_prefix(shard_of(workspace))}ws:{workspace}:list:{allow_list}:ranges"


def digest(sha256: str) -> str:
    return f"ipgate:digest:{sha256}"


WORKERS = "ipgate:workers"
"""The register of live workers."""
