"""The lines of an export: each resource as a JSON object, and back into the commands that store it.

`docs/backup.md` describes the format.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from ipgate import cooperative
from ipgate.domain.addresses import is_ipv6_range, parse_range
from ipgate.domain.intervals import coverage, in_order
from ipgate.domain.shards import TOKEN_SHARD, shard_of
from ipgate.domain.text_validation import casefold_name
from ipgate.store import key_names
from ipgate.store.attribute_indexes import members_of
from ipgate.store.credential_index import entry_of
from ipgate.store.schema import (
    ACCESS_TOKEN,
    ALLOW_LIST,
    API_KEY,
    RANGE,
    WORKSPACE,
    encode_attributes,
)

FORMAT = "ipgate-export"
VERSIONS = (1, 2)
VERSION = 2
"""What is written. Version 1 has no attributes of ranges, and neither of the fields that are optional."""

KINDS = ("workspace", "list", "key", "token")

Record = dict[str, Any]
Command = list[str]

_BATCH = 1000


def line(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"


def workspace(identifier: str, fields: dict[str, str]) -> Record:
    return {"kind": "workspace", "id": identifier, **WORKSPACE.to_record(fields)}


def allow_list(
    owner: str, identifier: str, fields: dict[str, str], ranges: Mapping[str, str]
) -> Record:
    """`ranges`: with their stored values.

    Raises: KeyError and ValueError for damage.
    """
    ordered = sorted(ranges, key=parse_range)
    identity = {"kind": "list", "workspace": owner, "id": identifier}
    return {
        **identity,
        **ALLOW_LIST.to_record(fields),
        "ranges": [_range_record(text, ranges[text]) for text in ordered],
    }


def _range_record(text: str, value: str) -> str | Record:
    """Return a range without attributes as its text, any other as an object with those that are set."""
    if not value:
        return text
    stored = json.loads(value)
    attributes = RANGE.to_record(stored)
    return {"cidr": text} | {
        field.exported: attributes[field.exported] for field in RANGE.fields if field.name in stored
    }


def stored_ranges(record: Record) -> dict[str, str]:
    """Return the ranges of a list with their stored values."""
    return {
        range_cidr(item): ""
        if isinstance(item, str)
        else encode_attributes(RANGE.from_record(item))
        for item in record["ranges"]
    }


def range_cidr(item: str | Record) -> str:
    return item if isinstance(item, str) else str(item["cidr"])


def api_key(owner: str, identifier: str, fields: dict[str, str], lists: Iterable[str]) -> Record:
    identity = {"kind": "key", "workspace": owner, "id": identifier}
    return {**identity, **API_KEY.to_record(fields), "lists": sorted(lists)}


def token(digest: str, fields: dict[str, str]) -> Record:
    return {"kind": "token", **ACCESS_TOKEN.to_record(fields), "digest": digest}


def shard(record: Record) -> int:
    """Return the shard in which a resource is stored."""
    if record["kind"] == "token":
        return TOKEN_SHARD
    return shard_of(record["id" if record["kind"] == "workspace" else "workspace"])


def digests(record: Record) -> list[str]:
    """Return the digests of the credentials of an API key."""
    return [digest for digest in (record["digest"], record.get("previous_digest")) if digest]


def entry(record: Record) -> str:
    """Return the index entry of the credentials of an API key."""
    return entry_of(record["workspace"], record["id"], record["etag"])


def commands(record: Record) -> Iterator[Command]:
    """Yield the commands that store a resource in its shard, each of bounded size."""
    return _COMMANDS[record["kind"]](record)


def _workspace_commands(record: Record) -> Iterator[Command]:
    workspace = record["id"]
    yield _hash(key_names.of("workspace", workspace), WORKSPACE.from_record(record))
    yield _indexed(key_names.of_shard("workspaces", shard(record)), workspace)


def _list_commands(record: Record) -> Iterator[Command]:
    owner, identifier, ranges = record["workspace"], record["id"], stored_ranges(record)
    name = folded_name(record)
    derived = {"folded": name, "ranges_tip": record["etag"]} | _figures(ranges)
    yield _hash(key_names.of("list", owner, identifier), ALLOW_LIST.from_record(record) | derived)
    yield from _ranges(key_names.of("list-ranges", owner, identifier), list(ranges.items()))
    yield _indexed(key_names.of("lists", owner), identifier)
    if derived["ipv6_ranges"] != "0":
        yield _indexed(key_names.of("ipv6-lists", owner), identifier)
    yield ["HSET", key_names.of("list-names", owner), name, identifier]
    yield from _by_attributes("list", owner, identifier, {"folded": name})


def folded_name(record: Record) -> str:
    """Return the folded display name of a list as it was stored; for an older file, as it is folded now."""
    return str(record.get("folded") or casefold_name(record["display_name"]))


def _key_commands(record: Record) -> Iterator[Command]:
    owner, identifier, lists = record["workspace"], record["id"], record["lists"]
    folded = record.get("folded", casefold_name(record["display_name"]))
    fields = API_KEY.from_record(record) | {"indexed": record["etag"], "folded": folded}
    if fields["previous"]:
        fields["previous_indexed"] = record["etag"]
    yield _hash(key_names.of("key", owner, identifier), fields)
    yield from _by_attributes("key", owner, identifier, fields)
    yield _indexed(key_names.of("keys", owner), identifier)
    if not lists:
        yield _indexed(key_names.of("unlinked", owner), identifier)
    yield from _set(key_names.of("key-lists", owner, identifier), lists)
    for allow_list in lists:
        yield _indexed(key_names.of("list-keys", owner, allow_list), identifier)


def _by_attributes(
    kind: str, owner: str, identifier: str, fields: dict[str, str]
) -> Iterator[Command]:
    for index, member in members_of(kind, identifier, fields).items():
        yield _indexed(key_names.of(index, owner), member)


def _token_commands(record: Record) -> Iterator[Command]:
    identifier, digest = record["id"], record["digest"]
    yield _hash(key_names.of("token", identifier=digest), ACCESS_TOKEN.from_record(record))
    yield ["HSET", key_names.of("token-ids"), identifier, digest]
    yield _indexed(key_names.of("tokens"), identifier)
    yield _indexed(key_names.of("ws-tokens", record["workspace"]), identifier)


_COMMANDS = {
    "workspace": _workspace_commands,
    "list": _list_commands,
    "key": _key_commands,
    "token": _token_commands,
}


def _hash(key: str, fields: dict[str, str]) -> Command:
    return ["HSET", key, *(word for pair in fields.items() for word in pair)]


def _indexed(key: str, member: str) -> Command:
    return ["ZADD", key, "0", member]


def _set(key: str, members: list[str]) -> Iterator[Command]:
    for first in range(0, len(members), _BATCH):
        yield ["SADD", key, *members[first : first + _BATCH]]


def _ranges(key: str, ranges: list[tuple[str, str]]) -> Iterator[Command]:
    for first in range(0, len(ranges), _BATCH):
        yield ["HSET", key, *chain.from_iterable(ranges[first : first + _BATCH])]


def _figures(ranges: Iterable[str]) -> dict[str, str]:
    """Return what a list has stored of its ranges together."""
    ordered = cooperative.run_whole(in_order([parse_range(text) for text in ranges]))
    covered = cooperative.run_whole(coverage(ordered))
    return {
        "addresses": str(covered.addresses),
        "blocks": str(covered.blocks),
        "ipv6_ranges": str(sum(map(is_ipv6_range, ordered))),
    }
