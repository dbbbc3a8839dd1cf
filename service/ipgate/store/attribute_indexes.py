"""The indexes by attributes: their members, and what a search reads of them.

A member is an id, or what orders the members, a NUL and the id. Scripts keep them (`members_of` in prelude.lua).
"""

from collections.abc import Mapping
from dataclasses import dataclass

_LAST = "\U0010ffff"
"""Comes after all that a text may go on with."""

OF_LISTS, OF_KEYS = ("lists-by-name",), ("keys-by-name", "disabled-keys", "keys-by-expiry")


@dataclass(frozen=True, slots=True)
class Scan:
    """A part of an index of a workspace: from `low` to `high`, as ZRANGE BYLEX takes them."""

    index: str
    low: str = "-"
    high: str = "+"


def members_of(kind: str, identifier: str, fields: Mapping[str, str]) -> dict[str, str]:
    """Return the indexes in which a stored list or API key is, each with its member."""
    folded = fields.get("folded", "")
    by_name = {"lists-by-name" if kind == "list" else "keys-by-name": f"{folded}\0{identifier}"}
    members = by_name if folded else {}
    if kind == "list":
        return members
    if fields.get("disabled") == "1":
        members["disabled-keys"] = identifier
    if fields.get("expire"):
        members["keys-by-expiry"] = f"{fields['expire']:0>21}\0{identifier}"
    return members


def id_of(member: str) -> str:
    return member.rpartition("\0")[2]


def starting(index: str, text: str) -> Scan:
    """Return the scan of the members that begin with a text."""
    return Scan(index, f"[{text}", f"({text}{_LAST}")


def expired(now: int) -> Scan:
    """Return the scan of the API keys that have expired at an instant, in ns since 1970."""
    return Scan("keys-by-expiry", "-", f"({now + 1:0>21}")
