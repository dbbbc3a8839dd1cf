"""The fields of each line of an export, and the checks of one line by itself."""

import re
from collections.abc import Callable
from typing import Any

from ipgate.domain.addresses import BadRange, format_range, parse_range
from ipgate.domain.errors import Violation, shown
from ipgate.domain.names import id_faults
from ipgate.domain.resources import MAX_TIME, MIN_TIME, Role
from ipgate.domain.shards import SHARDS
from ipgate.domain.texts import check_description, check_display_name

Check = Callable[[str, Any], list[Violation]]

_TIP = re.compile("[0-9a-f]{16}")
_SHA256 = re.compile("[0-9a-f]{64}")
_MOST = 100


def line_faults(record: dict[str, Any]) -> list[Violation]:
    """What is wrong with a line whose `kind` is known."""
    checks = _FIELDS[record["kind"]]
    faults = [
        Violation(each, "is missing" if each in checks else "is no field of this kind of line")
        for each in sorted(checks.keys() ^ record.keys() - {"kind"})
        if each not in _OPTIONAL or each in record
    ]
    for field in checks.keys() & record.keys():
        faults += checks[field](field, record[field])
    return faults


def _as(kind: type, what: str, then: Check = lambda *_: []) -> Check:
    """A check of a value's type, and then of the value."""

    def check(field: str, value: Any) -> list[Violation]:
        # Exactly this type: True is an int, too.
        return then(field, value) if type(value) is kind else [Violation(field, f"is not {what}")]

    return check


def _matching(pattern: re.Pattern[str], what: str) -> Check:
    def check(field: str, value: str) -> list[Violation]:
        return [] if pattern.fullmatch(value) else [Violation(field, f"is not {what}")]

    return _as(str, what, check)


def _number(most: int, *, least: int = 0) -> Check:
    def check(field: str, value: int) -> list[Violation]:
        inside = least <= value <= most
        return [] if inside else [Violation(field, f"is not of {least} to {most}")]

    return _as(int, "a whole number", check)


def _or(other: Any, check: Check) -> Check:
    return lambda field, value: [] if value == other and value is not False else check(field, value)


def _one_of(*values: str) -> Check:
    what = "one of " + ", ".join(values)
    return lambda field, value: [] if value in values else [Violation(field, f"is not {what}")]


def _ranges(field: str, values: list[Any]) -> list[Violation]:
    faults = [] if values else [Violation(field, "is empty; a list has at least one range")]
    former = -1
    for index, text in enumerate(values):
        at = f"{field}[{index}]"
        try:
            packed = parse_range(text) if isinstance(text, str) else None
        except BadRange as fault:
            faults.append(Violation(at, str(fault)))
        else:
            if packed is None or format_range(packed) != text:
                faults.append(Violation(at, f"{shown(str(text))} is not in canonical form"))
            elif packed <= former:
                faults.append(Violation(at, f"{shown(text)} comes twice, or in the wrong order"))
            former = packed or former
        if len(faults) >= _MOST:
            break
    return faults


def _ids(field: str, values: list[Any]) -> list[Violation]:
    faults = [each for value in values for each in _ID(field, value)]
    if not faults and values != sorted(set(values)):
        faults = [Violation(field, "has ids twice, or in the wrong order")]
    return faults


def _heads(field: str, values: list[Any]) -> list[Violation]:
    if len(values) != SHARDS:
        return [Violation(field, f"does not have {SHARDS} shards")]
    faults = []
    for index, head in enumerate(values):
        if not isinstance(head, dict) or head.keys() != _HEAD.keys():
            faults.append(Violation(f"{field}[{index}]", "is not epoch, rev and tip"))
            continue
        for name, check in _HEAD.items():
            faults += check(f"{field}[{index}].{name}", head[name])
    return faults


def _counts(field: str, values: dict[str, Any]) -> list[Violation]:
    if values.keys() != {"workspace", "list", "key", "token"}:
        return [Violation(field, "does not count workspace, list, key and token")]
    return [each for name, value in values.items() for each in _COUNT(f"{field}.{name}", value)]


_FLAG = _as(bool, "true or false")
_ID = _as(str, "an id", id_faults)
_TIME = _number((1 << 63) - 1)
_COUNT = _number(10**15)
_EXPIRE = _or(None, _number(MAX_TIME, least=MIN_TIME))
_ETAG = _matching(_TIP, "16 hexadecimal digits")
_DIGEST = _matching(_SHA256, "a SHA-256 in 64 hexadecimal digits")
_NAME = _as(str, "a text", check_display_name)
_REQUIRED_NAME = _as(str, "a text", lambda f, v: check_display_name(f, v, required=True))
_DESCRIPTION = _as(str, "a text", lambda f, v: check_description(f, v, required=True))
_HEAD: dict[str, Check] = {"epoch": _or("", _ETAG), "rev": _COUNT, "tip": _or("", _ETAG)}
_STAMPS: dict[str, Check] = {"created": _TIME, "updated": _TIME, "etag": _ETAG, "rev": _COUNT}
_OPTIONAL = frozenset({"folded"})
"""Fields that older files lack."""

_FIELDS: dict[str, dict[str, Check]] = {
    "header": {
        "format": _one_of("ipgate-export"),
        "version": _number(1),
        "time": _TIME,
        "shards": _as(list, "a list", _heads),
        "counts": _as(dict, "an object", _counts),
    },
    "workspace": _STAMPS
    | {
        "id": _ID,
        "display_name": _NAME,
        "require_allow_list": _FLAG,
        "default_enabled": _FLAG,
        "default_list": _or("", _ID),
    },
    "list": _STAMPS
    | {
        "workspace": _ID,
        "id": _ID,
        "display_name": _REQUIRED_NAME,
        "folded": _REQUIRED_NAME,
        "description": _DESCRIPTION,
        "ranges": _as(list, "a list", _ranges),
    },
    "key": _STAMPS
    | {
        "workspace": _ID,
        "id": _ID,
        "display_name": _NAME,
        "disabled": _FLAG,
        "expire": _EXPIRE,
        "digest": _DIGEST,
        "lists": _as(list, "a list", _ids),
    },
    "token": _STAMPS
    | {
        "id": _ID,
        "display_name": _NAME,
        "role": _one_of(*(role.value for role in Role if role is not Role.ROOT)),
        "workspace": _or("", _ID),
        "expire": _EXPIRE,
        "digest": _DIGEST,
    },
    "trailer": {"lines": _COUNT, "sha256": _DIGEST},
}
