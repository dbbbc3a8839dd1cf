"""The data set of `bench scale`, as an export file that `ipgate import` takes."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ipgate.domain.shards import SHARDS, shard_of
from rich.progress import Progress

BIG, MANY = "big", "many"
"""Workspaces: of the list with the most ranges and keys, and of the key with the most lists."""

INSIDE, OUTSIDE = "10.0.0.1", "192.0.2.1"
"""Addresses that each list of the data set holds, and that none does."""

_STAMPS = {"created": 1, "updated": 2, "etag": "0123456789abcdef", "rev": 1}


class DataSet:
    """`keys` in all, in so many `workspaces`, each with a list for all its keys; and beside these a
    list of `ranges` with `linked` keys, and a key with `lists`."""

    def __init__(self, keys: int) -> None:
        self.keys = keys
        self.workspaces = min(1000, keys)
        self.ranges = min(100_000, keys)
        self.linked = min(100_000, keys // 10)
        self.lists = min(1000, keys // 10)

    def total(self) -> int:
        return self.keys + self.workspaces + self.lists + 4

    def owner(self, index: int) -> str:
        """The workspace of the key of that number: the first ones are linked to the big list."""
        if index < self.linked:
            return BIG
        return f"w{index % self.workspaces:03}"

    def write(self, path: Path, progress: Progress) -> None:
        task = progress.add_task("writing the data set", total=self.total())
        sha256, lines = hashlib.sha256(), 0
        with path.open("wb") as file:
            for record in self._records():
                text = (json.dumps(record, separators=(",", ":")) + "\n").encode()
                sha256.update(text)
                file.write(text)
                lines += 1
                if not lines % 1000:
                    progress.update(task, completed=lines)
            trailer = {"kind": "trailer", "lines": lines, "sha256": sha256.hexdigest()}
            file.write(json.dumps(trailer).encode() + b"\n")
        progress.update(task, completed=self.total())

    def _records(self) -> Iterator[dict[str, Any]]:
        names = [f"w{index:03}" for index in range(self.workspaces)] + [BIG, MANY]
        yield {
            "kind": "header",
            "format": "ipgate-export",
            "version": 1,
            "time": 1,
            "shards": [{"epoch": "a" * 16, "rev": 1, "tip": "b" * 16}] * SHARDS,
            "counts": {
                "workspace": len(names),
                "list": self.workspaces + 1 + self.lists,
                "key": self.keys + 1,
                "token": 0,
            },
        }
        members: dict[str, list[int]] = {name: [] for name in names}
        for index in range(self.keys):
            members[self.owner(index)].append(index)
        for name in sorted(names, key=lambda name: (shard_of(name), name)):
            yield _workspace(name)
            if name == MANY:
                ids = [f"l{index:04}" for index in range(self.lists)]
                for index, list_id in enumerate(ids):
                    yield _list(name, list_id, [INSIDE, f"10.1.{index >> 7}.{2 * index & 255}"])
                yield _key(name, self.keys, ids)
                continue
            yield _list(name, "l", _scattered(self.ranges if name == BIG else 10))
            for index in members[name]:
                yield _key(name, index, ["l"])


def _scattered(count: int) -> list[str]:
    """Every second address, so that no two ranges make one interval."""
    return [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(1, 2 * count, 2)]


def credential(index: int) -> str:
    return f"the credential of key {index}"


def name_of(workspace: str, index: int) -> str:
    return f"workspaces/{workspace}/apiKeys/{_id(index)}"


def _id(index: int) -> str:
    return f"k{index:07}"


def _workspace(name: str) -> dict[str, Any]:
    return {
        "kind": "workspace",
        "id": name,
        "display_name": "",
        "require_allow_list": False,
        "default_enabled": False,
        "default_list": "",
        **_STAMPS,
    }


def _list(workspace: str, name: str, ranges: list[str]) -> dict[str, Any]:
    return {
        "kind": "list",
        "workspace": workspace,
        "id": name,
        "display_name": name,
        "description": "d",
        "ranges": ranges,
        **_STAMPS,
    }


def _key(workspace: str, index: int, lists: list[str]) -> dict[str, Any]:
    return {
        "kind": "key",
        "workspace": workspace,
        "id": _id(index),
        "display_name": "",
        "disabled": False,
        "expire": None,
        "digest": hashlib.sha256(credential(index).encode()).hexdigest(),
        "lists": lists,
        **_STAMPS,
    }
