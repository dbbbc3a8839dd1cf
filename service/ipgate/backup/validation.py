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

MAX_VIOLATIONS = 100
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class LineViolation:
    """`line` counts from 1."""

    line: int
    text: str


@dataclass(slots=True)
class Validated:
    """At most 100 violations.

    `header` can be relied upon when there are none.
    """

    header: records.Record = field(default_factory=dict)
    sha256: str = ""
    violations: list[LineViolation] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the violations as human-readable lines."""
        return [f"line {violation.line}: {violation.text}" for violation in self.violations]


def validate(file: IO[bytes], progress: Progress = lambda *_: None) -> Validated:
    """Return what is wrong with an export, read from the file's position.

    `progress` is called with how many lines were checked, and twice as many as there are.
    """
    return _Validation(progress).run(file)


class _Validation:
    """What was seen of the file so far."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._validated = Validated()
        self._number = 0
        self._counts: Counter[str] = Counter()
        self._former: tuple[Any, ...] = ()
        self._workspaces: set[str] = set()
        self._owner = ""
        self._has_ipv6 = False
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
                self._violation("comes after the trailer; nothing may")
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
            if len(self._validated.violations) >= MAX_VIOLATIONS:
                return self._validated
        self._end_of_workspace()
        if not ended and (self._validated.header or not self._number):
            self._number += 1
            self._violation("the trailer is missing: the file is incomplete")
        elif self._validated.header and self._counts != Counter(self._validated.header["counts"]):
            self._number = 1
            self._violation(f"counts do not agree with the lines, which are {dict(self._counts)}")
        del self._validated.violations[MAX_VIOLATIONS:]
        return self._validated

    def _count(self) -> None:
        self._number += 1
        if not self._number % _PAGE and self._validated.header:
            self._progress(self._number, 2 * sum(self._validated.header["counts"].values()))

    def _violation(self, text: str) -> None:
        self._validated.violations.append(LineViolation(self._number, text))

    def _parsed(self, text: bytes) -> records.Record | None:
        """Return the object of a line whose fields are as they must be, else None."""
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            self._violation("is not JSON")
            return None
        if not isinstance(record, dict):
            self._violation("is not a JSON object")
            return None
        kind = record.get("kind")
        if kind not in (*records.KINDS, "header", "trailer"):
            self._violation("has no known kind")
            return None
        violations = line_violations(record)
        for violation in violations:
            self._violation(f"{violation.field}: {violation.description}")
        return None if violations else record

    def _is_header(self, record: records.Record | None) -> bool:
        """Nothing else in the file can be judged without its header."""
        if record is None or record["kind"] != "header":
            self._violation(
                f"is not the header of an {records.FORMAT} of version {' or '.join(map(str, records.VERSIONS))}"
            )
            return False
        if record["version"] not in records.VERSIONS:
            self._violation(f"version {record['version']} is not known")
            return False
        self._validated.header = record
        return True

    def _trailer(self, record: records.Record, sha256: str) -> None:
        self._validated.sha256 = sha256
        if record["lines"] != self._number - 1:
            self._violation(
                f"says {record['lines']} lines came before it, and not {self._number - 1}"
            )
        if record["sha256"] != sha256:
            self._violation("the SHA-256 is not that of the lines before: the file was changed")

    def _resource(self, record: records.Record) -> None:
        kind = record["kind"]
        if kind == "header":
            self._violation("is a second header")
            return
        self._in_order(record)
        self._counts[kind] += 1
        if record["rev"] > self._validated.header["shards"][records.shard(record)]["rev"]:
            self._violation("rev: is later than the shard's in the header")
        for name in ("digest", "previous_digest"):
            if digest := record.get(name):
                if (kind, digest) in self._digests:
                    self._violation(f"{name}: is that of a line before")
                self._digests.add((kind, digest))
        if kind in ("list", "key") and record["workspace"] != self._owner:
            self._violation("workspace: is not that of the workspace line before")
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
            self._violation("comes twice, or in the wrong order")
        self._former = position

    def _begin_workspace(self, record: records.Record) -> None:
        self._end_of_workspace()
        self._owner = record["id"]
        self._has_ipv6 = record.get("ipv6_enabled", False)
        self._workspaces.add(self._owner)
        self._lists, self._names = set(), set()
        if record["default_list"]:
            self._default = (self._number, record["default_list"])
        elif record["default_enabled"]:
            self._violation("default_enabled: needs a default_list")

    def _end_of_workspace(self) -> None:
        if self._default is not None and self._default[1] not in self._lists:
            line, name = self._default
            text = f"default_list: there is no {name} in the workspace"
            self._validated.violations.append(LineViolation(line, text))
        self._default = None

    def _list(self, record: records.Record) -> None:
        self._lists.add(record["id"])
        names = {records.folded_name(record), record["display_name"]}
        if names & self._names:
            self._violation("display_name: another list of the workspace has it")
        self._names |= names
        if not self._has_ipv6 and any(":" in records.range_cidr(item) for item in record["ranges"]):
            self._violation("ranges: has IPv6, which ipv6_enabled of the workspace does not permit")

    def _key(self, record: records.Record) -> None:
        for missing in sorted(set(record["lists"]) - self._lists):
            self._violation(f"lists: there is no {missing} in the workspace")
        if record.get("previous_digest") and record.get("previous_expire") is None:
            self._violation("previous_expire: is required with a previous_digest")

    def _token(self, record: records.Record) -> None:
        workspace = record["workspace"]
        if workspace and workspace not in self._workspaces:
            self._violation(f"workspace: there is no {workspace} in the file")
        if not workspace and record["role"] != "AUTHORIZER":
            self._violation("workspace: is required for this role")
