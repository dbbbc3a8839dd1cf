"""What the policy of a workspace is, said as plainly as can be, and what it decides."""

import ipaddress
from dataclasses import dataclass, field, replace
from functools import cache

Expected = tuple[str, str, str]
"""Reason, id of the list, range."""


@dataclass(frozen=True)
class Key:
    credential: str
    disabled: bool = False
    lists: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Policy:
    """The policy of a workspace at one point in its history."""

    lists: dict[str, frozenset[str]] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    default: str = ""
    required: bool = False

    def with_list(self, name: str, ranges: frozenset[str]) -> "Policy":
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
        return next((name for name, key in self.keys.items() if key.credential == credential), "")

    def decide(self, name: str, ip: str) -> Expected:
        key = self.keys.get(name)
        if key is None:
            return "KEY_UNKNOWN", "", ""
        if key.disabled:
            return "KEY_DISABLED", "", ""
        if key.lists:
            return self._search(key.lists, ip, "LINKED_LIST_MATCH", "NOT_IN_LINKED_LISTS")
        if self.default:
            return self._search({self.default}, ip, "DEFAULT_LIST_MATCH", "NOT_IN_DEFAULT_LIST")
        return ("NO_ALLOW_LIST" if self.required else "UNRESTRICTED"), "", ""

    def _search(
        self, names: frozenset[str] | set[str], ip: str, match: str, otherwise: str
    ) -> Expected:
        matches = [
            (-_network(text).prefixlen, name, text)
            for name in names
            for text in self.lists[name]
            if ipaddress.ip_address(ip) in _network(text)
        ]
        if not matches:
            return otherwise, "", ""
        _, name, text = min(matches)
        return match, name, text


@cache
def _network(text: str) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(text)
