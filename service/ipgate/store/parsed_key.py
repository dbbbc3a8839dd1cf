"""Parses the names of Redis keys."""

import re
from dataclasses import dataclass

from ipgate.domain.shards import SHARDS, TOKEN_SHARD, shard_of
from ipgate.store.key_names import DIGEST_PREFIX, KINDS, TOKEN_KINDS, WORKERS

_ID = "[a-z][a-z0-9-]{0,62}"
_SHA256 = "[0-9a-f]{64}"
_KEY = re.compile(r"ipgate:\{s([0-9]{2})\}:(.*)", re.DOTALL)
_DIGEST = re.compile(f"{DIGEST_PREFIX}({_SHA256})")

TYPES = {kind: form.type for kind, form in KINDS.items()} | {"digest": "string", "workers": "hash"}
"""The Redis type of each kind of key."""


def _pattern(kind: str) -> re.Pattern[str]:
    # Tokens without a workspace work for all.
    workspace = f"{_ID}|" if kind == "ws-tokens" else _ID
    identifier = _SHA256 if kind == "token" else _ID
    return re.compile(
        KINDS[kind].form.format(workspace=f"(?P<workspace>{workspace})", id=f"(?P<id>{identifier})")
    )


_PATTERNS = {kind: _pattern(kind) for kind in KINDS}


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """`kind`: one of TYPES.

    `id`: of the list or key, or the digest. `shard`: -1 outside the shards.
    """

    key: str
    kind: str
    shard: int = -1
    workspace: str = ""
    id: str = ""

    def in_right_shard(self) -> bool:
        """Return whether the key is in the shard in which readers look for it."""
        if self.kind in TOKEN_KINDS:
            return self.shard == TOKEN_SHARD
        return not self.workspace or self.shard == shard_of(self.workspace)


def parse_key(key: str) -> ParsedKey | None:
    """Return what a key is, None if its name has no known form."""
    if key == WORKERS:
        return ParsedKey(key, "workers")
    if match := _DIGEST.fullmatch(key):
        return ParsedKey(key, "digest", id=match[1])
    parts = _KEY.fullmatch(key)
    if not parts or int(parts[1]) >= SHARDS:
        return None
    for kind, pattern in _PATTERNS.items():
        if match := pattern.fullmatch(parts[2]):
            groups = match.groupdict()
            return ParsedKey(
                key, kind, int(parts[1]), groups.get("workspace", ""), groups.get("id", "")
            )
    return None
