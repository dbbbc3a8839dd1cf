"""What the policy of a workspace is, said as plainly as can be, and what it decides."""

import ipaddress
from dataclasses import dataclass, field, replace
from functools import cache

Span = tuple[int, int]
"""When a range counts: from the first of the two on until before the second, in ns since 1970."""

ALWAYS: Span = (0, 1 << 62)
OFF: Span = (0, 0)

Expected = tuple[str, str, str, str]
"""Whether it is allowed, denied, or allowed and reported; reason, id of the list, range."""


@dataclass(frozen=True)
class Key:
    credential: str
    previous: str = ""
    disabled: bool = False
    report_only: bool = False
    lists: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Policy:
    """The policy of a workspace at one point in its history."""

    lists: dict[str, dict[str, Span]] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    default: str = ""
    default_report_only: bool = False
    required: bool = False

    def with_list(self, name: str, ranges: dict[str, Span]) -> "Policy":
        return replace(self, lists=self.lists | {name: ranges})

    def with_key(self, name: str, key: Key) -> "Policy":
        return replace(self, keys=self.keys | {name: key})

    def without_key(self, name: str) -> "Policy":
        return replace(self, keys={other: key for other, key in self.keys.items() if other != name})

    def without_list(self, name: str) -> "Policy":
        return replace(
            self,
            lists={other: ranges for other, ranges in self.lists.items() if other != name},
            keys={
                other: replace(key, lists=key.lists - {name}) for other, key in self.keys.items()
            },
            default="" if self.default == name else self.default,
        )

    def holder(self, credential: str) -> str:
        """The key that has a credential, "" if none has."""
        return next(
            (
                name
                for name, key in self.keys.items()
                if credential in (key.credential, key.previous)
            ),
            "",
        )

    def decide_during(self, name: str, ip: str, began: int, ended: int) -> set[Expected]:
        """What may be decided between two instants, both in ns since 1970."""
        boundaries = {
            at for ranges in self.lists.values() for span in ranges.values() for at in span
        }
        instants = {began, *(at for at in boundaries if began < at <= ended)}
        return {self.decide(name, ip, at) for at in instants}

    def decide(self, name: str, ip: str, now: int) -> Expected:
        key = self.keys.get(name)
        if key is None:
            return UNKNOWN
        if key.disabled:
            return "denied", "KEY_DISABLED", "", ""
        if key.lists:
            match = self._search(key.lists, ip, now)
            if match:
                return "allowed", "LINKED_LIST_MATCH", *match
            return _denied(key.report_only), "NOT_IN_LINKED_LISTS", "", ""
        if self.default:
            match = self._search({self.default}, ip, now)
            if match:
                return "allowed", "DEFAULT_LIST_MATCH", *match
            return _denied(self.default_report_only), "NOT_IN_DEFAULT_LIST", "", ""
        if self.required:
            return "denied", "NO_ALLOW_LIST", "", ""
        return "allowed", "UNRESTRICTED", "", ""

    def _search(
        self, names: frozenset[str] | set[str], ip: str, now: int
    ) -> tuple[str, str] | None:
        """The list and the range that decide, if any."""
        matches = [
            (-_network(text).prefixlen, name, text)
            for name in names
            for text, (start, end) in self.lists[name].items()
            if start <= now < end and ipaddress.ip_address(ip) in _network(text)
        ]
        if not matches:
            return None
        _, name, text = min(matches)
        return name, text


UNKNOWN: Expected = ("denied", "KEY_UNKNOWN", "", "")


def _denied(report_only: bool) -> str:
    return "reported" if report_only else "denied"


@cache
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text)
