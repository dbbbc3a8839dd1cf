"""Shards: each workspace lives in one of them, and each has a history of its own."""

from zlib import crc32

SHARDS = 16

TOKEN_SHARD = 0
"""The shard of all access tokens."""


def shard_of(workspace: str) -> int:
    """Return the shard of a workspace, by a stable hash of its id."""
    return crc32(workspace.encode()) % SHARDS
