"""The names and types of all Redis keys; `docs/redis-keys.md` has the table.

Scripts build the same names from the prefix of a shard (prelude.lua).
"""

from typing import NamedTuple

from ipgate.domain.shards import TOKEN_SHARD, shard_of


class KeyKind(NamedTuple):
    """`form`: the name below the prefix of a shard, of `{workspace}` and `{id}`.

    `type`: of Redis.
    """

    form: str
    type: str


KINDS = {
    "meta": KeyKind("meta", "hash"),
    "changes": KeyKind("changes", "stream"),
    "audit": KeyKind("audit", "stream"),
    "audit-denied": KeyKind("audit-denied", "stream"),
    "audit-bytes": KeyKind("audit-bytes", "string"),
    "workspaces": KeyKind("workspaces", "zset"),
    "workspace": KeyKind("ws:{workspace}", "hash"),
    "lists": KeyKind("ws:{workspace}:lists", "zset"),
    "keys": KeyKind("ws:{workspace}:keys", "zset"),
    "unlinked": KeyKind("ws:{workspace}:unlinked", "zset"),
    "lists-by-name": KeyKind("ws:{workspace}:lists-by-name", "zset"),
    "keys-by-name": KeyKind("ws:{workspace}:keys-by-name", "zset"),
    "keys-by-expiry": KeyKind("ws:{workspace}:keys-by-expiry", "zset"),
    "disabled-keys": KeyKind("ws:{workspace}:disabled-keys", "zset"),
    "ipv6-lists": KeyKind("ws:{workspace}:ipv6-lists", "zset"),
    "list-names": KeyKind("ws:{workspace}:list-names", "hash"),
    "list": KeyKind("ws:{workspace}:list:{id}", "hash"),
    "list-ranges": KeyKind("ws:{workspace}:list:{id}:ranges", "hash"),
    "list-upgrade": KeyKind("ws:{workspace}:list:{id}:upgrade", "hash"),
    "staged": KeyKind("ws:{workspace}:staged:{id}", "hash"),
    "list-keys": KeyKind("ws:{workspace}:list:{id}:keys", "zset"),
    "key": KeyKind("ws:{workspace}:key:{id}", "hash"),
    "key-lists": KeyKind("ws:{workspace}:key:{id}:lists", "set"),
    "token": KeyKind("token:{id}", "hash"),
    "token-ids": KeyKind("token-ids", "hash"),
    "tokens": KeyKind("tokens", "zset"),
    "ws-tokens": KeyKind("ws-tokens:{workspace}", "zset"),
    "root": KeyKind("root", "string"),
}
"""The kinds of keys in a shard. `id`: of a list or an API key; of a token the digest of its secret."""

TOKEN_KINDS = frozenset({"token", "token-ids", "tokens", "ws-tokens", "root", "audit-denied"})
"""What lives in TOKEN_SHARD, whatever its workspace."""

WORKERS = "ipgate:workers"
"""The registry of live workers, a hash outside the shards."""

DIGEST_PREFIX = "ipgate:digest:"
"""Of the index from credentials to API keys: strings outside the shards."""


def shard_prefix(shard: int) -> str:
    """Return the prefix of all keys of a shard: a hash tag, so that they share a slot of a cluster."""
    return f"ipgate:{{s{shard:02}}}:"


def of_shard(kind: str, shard: int) -> str:
    """Return the key of a kind of which each shard has one."""
    return shard_prefix(shard) + KINDS[kind].form


def of(kind: str, workspace: str = "", identifier: str = "") -> str:
    """Return the key of a kind, for a workspace and the id of a resource in it."""
    shard = TOKEN_SHARD if kind in TOKEN_KINDS else shard_of(workspace)
    return shard_prefix(shard) + KINDS[kind].form.format(workspace=workspace, id=identifier)


def meta(shard: int) -> str:
    return of_shard("meta", shard)


def changes(shard: int) -> str:
    return of_shard("changes", shard)


def digest(sha256: str) -> str:
    """Return the key of the index entry of a credential."""
    return DIGEST_PREFIX + sha256
