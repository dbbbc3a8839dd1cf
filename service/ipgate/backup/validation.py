"""Checks a whole export before any of it is used: each line separately, and all lines together."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

from ipgate.backup import records
from ipgate.backup.fields import line_violations

Progress = Callable[[int, int], None]
"""Called with the lines that were read, and the number of lines. Each line is read twice, to check and to write it."""

MOST_FAULTS = 100
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Fault:
    """`line` counts from 1."""

    line: int
    text: str


@dataclass(slots=True)
class Validated:
    """At most 100 faults. `header` can be relied upon when there are none."""

    header: records.Record = field(default_factory=dict)
    sha256: str = ""
    faults: list[Fault] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the violations as human-readable lines."""
        return [f"line {each.line}: {each.text}" for each in self.faults]


def validate(file: IO[bytes], progress: Progress = lambda *_: None) -> Validated:
    """Return what is wrong with an export, read from the file's position. `progress` is called with how many
    lines were checked, and twice as many as there are."""
    return _Validation(progress).run(file)


class _Validation:
    """What was seen of the file so far."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._found = Validated()
        self._number = 0
        self._counts: Counter[str] = Counter()
        self._former: tuple[Any, ...] = ()
        self._workspaces: set[str] = set()
        self._owner = ""
        self._lists: set[str] = set()
        self._names: set[str] = set()
        self._digests: set[tuple[str, str]] = set()
        self._default: tuple[int, str] | None = None

    def run(self, file: IO[bytes]) -> Validated:
        sha256 = hashlib.sha256()
        ended = False
        for text in file:
            self._count()
            if ended:
                self._fault("comes after the trailer; nothing may")
                break
            record = self._parsed(text)
            if self._number == 1 and not self._is_header(record):
                break
            if record is not None:
                if ended := record["kind"] == "trailer":
                    self._trailer(record, sha256.hexdigest())
                elif self._number > 1:
                    self._resource(record)
            sha256.update(text)
            if len(self._found.faults) >= MOST_FAULTS:
                return self._found
        self._end_of_workspace()
        if not ended and (self._found.header or not self._number):
            self._number += 1
            self._fault("the trailer is missing: the file is incomplete")
        elif self._found.header and self._counts != Counter(self._found.header["counts"]):
            self._number = 1
            self._fault(f"counts do not agree with the lines, which are {dict(self._counts)}")
        del self._found.faults[MOST_FAULTS:]
        return self._found

    def _count(self) -> None:
        self._number += 1
        if not self._number % _PAGE and self._found.header:
            self._progress(self._number, 2 * sum(self._found.header["counts"].values()))

    def _fault(self, text: str) -> None:
        self._found.faults.append(Fault(self._number, text))

    def _parsed(self, text: bytes) -> records.Record | None:
        """The object of a line whose fields are as they must be, else None."""
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            self._fault("is not JSON")
            return None
        if not isinstance(record, dict):
            self._fault("is not a JSON object")
            return None
        kind = record.get("kind")
        if kind not in (*records.KINDS, "header", "trailer"):
            self._fault("has no known kind")
            return None
        faults = line_violations(record)
        for each in faults:
            self._fault(f"{each.field}: {each.description}")
        return None if faults else record

    def _is_header(self, record: records.Record | None) -> bool:
        """Nothing else in the file can be judged without its header."""
        if record is None or record["kind"] != "header":
            self._fault(f"is not the header of an {records.FORMAT} of version {records.VERSION}")
            return False
        if record["version"] != records.VERSION:
            self._fault(f"version {record['version']} is not known")
            return False
        self._found.header = record
        return True

    def _trailer(self, record: records.Record, sha256: str) -> None:
        self._found.sha256 = sha256
        if record["lines"] != self._number - 1:
            self._fault(f"says {record['lines']} lines came before it, and not {self._number - 1}")
        if record["sha256"] != sha256:
            self._fault("the SHA-256 is not that of the lines before: the file was changed")

    def _resource(self, record: records.Record) -> None:
        kind = record["kind"]
        if kind == "header":
            self._fault("is a second header")
            return
        self._in_order(record)
        self._counts[kind] += 1
        if record["rev"] > self._found.header["shards"][records.shard(record)]["rev"]:
            self._fault("rev: is later than the shard's in the header")
        if "digest" in record:
            if (kind, record["digest"]) in self._digests:
                self._fault("digest: is that of a line before")
            self._digests.add((kind, record["digest"]))
        if kind in ("list", "key") and record["workspace"] != self._owner:
            self._fault("workspace: is not that of the workspace line before")
            return
        checks = (self._begin_workspace, self._list, self._key, self._token)
        checks[records.KINDS.index(kind)](record)

    def _in_order(self, record: records.Record) -> None:
        """Workspaces by shard and id, each with its lists and then its keys; then the tokens."""
        kind = record["kind"]
        owner = record["id"] if kind == "workspace" else record["workspace"]
        position: tuple[Any, ...] = (0, records.shard(record), owner, records.KINDS.index(kind))
        position = (1,) if kind == "token" else position
        position = (*position, record["id"])
        if position <= self._former:
            self._fault("comes twice, or in the wrong order")
        self._former = position

    def _begin_workspace(self, record: records.Record) -> None:
        self._end_of_workspace()
        self._owner = record["id"]
        self._workspaces.add(self._owner)
        self._lists, self._names = set(), set()
        if record["default_list"]:
            self._default = (self._number, record["default_list"])
        elif record["default_enabled"]:
            self._fault("default_enabled: needs a default_list")

    def _end_of_workspace(self) -> None:
        if self._default is not None and self._default[1] not in self._lists:
            line, name = self._default
            text = f"default_list: there is no {name} in the workspace"
            self._found.faults.append(Fault(line, text))
        self._default = None

    def _list(self, record: records.Record) -> None:
        self._lists.add(record["id"])
        names = {records.folded_name(record), record["display_name"]}
        if names & self._names:
            self._fault("display_name: another list of the workspace has it")
        self._names |= names

    def _key(self, record: records.Record) -> None:
        for each in sorted(set(record["lists"]) - self._lists):
            self._fault(f"lists: there is no {each} in the workspace")

    def _token(self, record: records.Record) -> None:
        workspace = record["workspace"]
        if workspace and workspace not in self._workspaces:
            self._fault(f"workspace: there is no {workspace} in the file")
        if not workspace and record["role"] != "AUTHORIZER":
            self._fault("workspace: is required for this role")
