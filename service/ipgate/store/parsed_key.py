"""Parses the names of Redis keys (docs/redis-keys.md)."""

import re
from dataclasses import dataclass

from ipgate.domain.shards import SHARDS, TOKEN_SHARD, shard_of
from ipgate.store.key_names import WORKERS, shard_prefix

_ID = "[a-z][a-z0-9-]{0,62}"
_SHA256 = "[0-9a-f]{64}"
_KEY = re.compile(r"ipgate:\{s([0-9]{2})\}:(.*)", re.DOTALL)
_DIGEST = re.compile(f"ipgate:digest:({_SHA256})")

TYPES = {
    "meta": "hash",
    "changes": "stream",
    "workspaces": "zset",
    "workspace": "hash",
    "lists": "zset",
    "keys": "zset",
    "list-names": "hash",
    "list": "hash",
    "list-ranges": "set",
    "list-keys": "zset",
    "key": "hash",
    "key-lists": "set",
    "token": "hash",
    "token-ids": "hash",
    "tokens": "zset",
    "ws-tokens": "zset",
    "digest": "string",
    "workers": "hash",
    "root": "string",
}
"""Each kind of key, and its type."""

_FORMS = [
    (re.compile(form), kind)
    for form, kind in (
        ("(meta|changes|workspaces|token-ids|tokens|root)", ""),
        (f"ws:(?P<workspace>{_ID})", "workspace"),
        (f"ws:(?P<workspace>{_ID}):(lists|keys|list-names)", ""),
        (f"ws:(?P<workspace>{_ID}):list:(?P<id>{_ID})", "list"),
        (f"ws:(?P<workspace>{_ID}):list:(?P<id>{_ID}):ranges", "list-ranges"),
        (f"ws:(?P<workspace>{_ID}):list:(?P<id>{_ID}):keys", "list-keys"),
        (f"ws:(?P<workspace>{_ID}):key:(?P<id>{_ID})", "key"),
        (f"ws:(?P<workspace>{_ID}):key:(?P<id>{_ID}):lists", "key-lists"),
        (f"token:(?P<id>{_SHA256})", "token"),
        (f"ws-tokens:(?P<workspace>{_ID}|)", "ws-tokens"),
    )
]
_OF_TOKENS = ("token", "token-ids", "tokens", "ws-tokens", "root")


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """`kind`: one of TYPES. `id`: of the list or key, or the digest. `shard`: -1 for one outside of them."""

    key: str
    kind: str
    shard: int = -1
    workspace: str = ""
    id: str = ""

    @property
    def prefix(self) -> str:
        return shard_prefix(self.shard)

    @property
    def owner(self) -> str:
        """The key of the workspace."""
        return f"{self.prefix}ws:{self.workspace}"

    def allow_list(self, allow_list: str) -> str:
        return f"{self.owner}:list:{allow_list}"

    def api_key(self, key: str) -> str:
        return f"{self.owner}:key:{key}"

    def in_right_shard(self) -> bool:
        """Whether the key is in the shard in which readers look for it."""
        if self.kind in _OF_TOKENS:
            return self.shard == TOKEN_SHARD
        return not self.workspace or self.shard == shard_of(self.workspace)


def parse_key(key: str) -> ParsedKey | None:
    """Return what a key is, None if its name has no known form."""
    if key == WORKERS:
        return ParsedKey(key, "workers")
    if found := _DIGEST.fullmatch(key):
        return ParsedKey(key, "digest", id=found[1])
    parts = _KEY.fullmatch(key)
    if not parts or int(parts[1]) >= SHARDS:
        return None
    for form, kind in _FORMS:
        if found := form.fullmatch(parts[2]):
            named = found.groupdict()
            return ParsedKey(
                key,
                kind or str(found[found.re.groups]),
                int(parts[1]),
                named.get("workspace") or "",
                named.get("id") or "",
            )
    return None
