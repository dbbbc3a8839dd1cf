"""The lines of an export: each resource as a JSON object, and back into the commands that store it.

`docs/backup.md` describes the format.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from ipgate.domain.addresses import format_range, parse_range
from ipgate.domain.intervals import Steps, coverage, in_order
from ipgate.domain.shards import TOKEN_SHARD, shard_of
from ipgate.domain.texts import folded
from ipgate.store.key_names import shard_prefix

FORMAT = "ipgate-export"
VERSION = 1
KINDS = ("workspace", "list", "key", "token")

T = TypeVar("T")
Record = dict[str, Any]
Command = list[str]

_BATCH = 1000


def line(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"


def workspace(identifier: str, fields: dict[str, str]) -> Record:
    return {
        "kind": "workspace",
        "id": identifier,
        "display_name": fields["display_name"],
        "require_allow_list": fields["require"] == "1",
        "default_enabled": fields["default_on"] == "1",
        "default_list": fields["default"],
        **_stamps(fields),
    }


def allow_list(
    owner: str, identifier: str, fields: dict[str, str], ranges: Iterable[str]
) -> Record:
    return {
        "kind": "list",
        "workspace": owner,
        "id": identifier,
        "display_name": fields["display_name"],
        "folded": fields["folded"],
        "description": fields["description"],
        "ranges": [format_range(each) for each in sorted(map(parse_range, ranges))],
        **_stamps(fields),
    }


def api_key(owner: str, identifier: str, fields: dict[str, str], lists: Iterable[str]) -> Record:
    return {
        "kind": "key",
        "workspace": owner,
        "id": identifier,
        "display_name": fields["display_name"],
        "disabled": fields["disabled"] == "1",
        "expire": int(fields["expire"]) if fields["expire"] else None,
        "digest": fields["digest"],
        "lists": sorted(lists),
        **_stamps(fields),
    }


def token(digest: str, fields: dict[str, str]) -> Record:
    return {
        "kind": "token",
        "id": fields["id"],
        "display_name": fields["display_name"],
        "role": fields["role"],
        "workspace": fields["workspace"],
        "expire": int(fields["expire"]) if fields["expire"] else None,
        "digest": digest,
        **_stamps(fields),
    }


def shard(record: Record) -> int:
    """The shard in which a resource is stored."""
    if record["kind"] == "token":
        return TOKEN_SHARD
    return shard_of(record["id" if record["kind"] == "workspace" else "workspace"])


def entry(record: Record) -> str:
    """The index entry of an API key."""
    return f"{record['workspace']}/{record['id']}/{record['etag']}"


def commands(record: Record) -> Iterator[Command]:
    """What stores a resource in its shard, in commands of bounded size."""
    prefix = shard_prefix(shard(record))
    if record["kind"] == "workspace":
        yield from _workspace_commands(prefix, record)
    elif record["kind"] == "token":
        yield from _token_commands(prefix, record)
    elif record["kind"] == "list":
        yield from _list_commands(f"{prefix}ws:{record['workspace']}", record)
    else:
        yield from _key_commands(f"{prefix}ws:{record['workspace']}", record)


def _workspace_commands(prefix: str, record: Record) -> Iterator[Command]:
    fields = {
        "display_name": record["display_name"],
        "require": _flag(record["require_allow_list"]),
        "default_on": _flag(record["default_enabled"]),
        "default": record["default_list"],
    }
    yield _hash(f"{prefix}ws:{record['id']}", record, fields)
    yield ["ZADD", prefix + "workspaces", "0", record["id"]]


def _list_commands(owner: str, record: Record) -> Iterator[Command]:
    key, name = f"{owner}:list:{record['id']}", folded_name(record)
    ranges = record["ranges"]
    fields = {
        "display_name": record["display_name"],
        "folded": name,
        "description": record["description"],
        "span": str(_span(ranges)),
        "ranges_tip": record["etag"],
    }
    yield _hash(key, record, fields)
    for first in range(0, len(ranges), _BATCH):
        yield ["SADD", key + ":ranges", *ranges[first : first + _BATCH]]
    yield ["ZADD", owner + ":lists", "0", record["id"]]
    yield ["HSET", owner + ":list-names", name, record["id"]]


def folded_name(record: Record) -> str:
    """The folded display name of a list as it was stored; of an older file, as it is folded now."""
    return str(record.get("folded") or folded(record["display_name"]))


def _key_commands(owner: str, record: Record) -> Iterator[Command]:
    key, lists = f"{owner}:key:{record['id']}", record["lists"]
    fields = {
        "display_name": record["display_name"],
        "disabled": _flag(record["disabled"]),
        "expire": _instant(record["expire"]),
        "digest": record["digest"],
        "indexed": record["etag"],
    }
    yield _hash(key, record, fields)
    yield ["ZADD", owner + ":keys", "0", record["id"]]
    for first in range(0, len(lists), _BATCH):
        yield ["SADD", key + ":lists", *lists[first : first + _BATCH]]
    for each in lists:
        yield ["ZADD", f"{owner}:list:{each}:keys", "0", record["id"]]


def _token_commands(prefix: str, record: Record) -> Iterator[Command]:
    fields = {
        "id": record["id"],
        "display_name": record["display_name"],
        "role": record["role"],
        "workspace": record["workspace"],
        "expire": _instant(record["expire"]),
    }
    yield _hash(f"{prefix}token:{record['digest']}", record, fields)
    yield ["HSET", prefix + "token-ids", record["id"], record["digest"]]
    yield ["ZADD", prefix + "tokens", "0", record["id"]]
    yield ["ZADD", f"{prefix}ws-tokens:{record['workspace']}", "0", record["id"]]


def _hash(key: str, record: Record, fields: dict[str, str]) -> Command:
    stamps = {name: str(record[name]) for name in ("created", "updated", "etag", "rev")}
    return ["HSET", key, *(word for pair in (fields | stamps).items() for word in pair)]


def _stamps(fields: dict[str, str]) -> Record:
    return {
        "created": int(fields["created"]),
        "updated": int(fields["updated"]),
        "etag": fields["etag"],
        "rev": int(fields["rev"]),
    }


def _span(ranges: Iterable[str]) -> int:
    """How many addresses the ranges cover together."""
    ordered = _result(in_order([parse_range(each) for each in ranges]))
    return _result(coverage(ordered))


def _result(steps: Steps[T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result


def _flag(value: bool) -> str:
    return "1" if value else "0"


def _instant(time: int | None) -> str:
    return "" if time is None else str(time)
