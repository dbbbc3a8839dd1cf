"""Checks each line of an export separately."""

from typing import Any

from ipgate.domain.addresses import BadRange, format_range, parse_range
from ipgate.domain.errors import Violation, quoted
from ipgate.domain.shards import SHARDS
from ipgate.store.codecs import Check, Identifier, Number, Pattern
from ipgate.store.schema import ACCESS_TOKEN, ALLOW_LIST, API_KEY, RANGE, SCHEMAS, WORKSPACE, Schema

_MAX_VIOLATIONS = 100


def line_violations(record: dict[str, Any]) -> list[Violation]:
    """Return what is wrong with a line whose `kind` is known."""
    checks = _CHECKS[record["kind"]]
    violations = [
        Violation(name, "is missing" if name in checks else "is no field of this kind of line")
        for name in sorted(checks.keys() ^ record.keys() - {"kind"})
        if name not in _OPTIONAL or name in record
    ]
    for name in checks.keys() & record.keys():
        violations += checks[name](name, record[name])
    return violations


def _ranges(field: str, values: Any) -> list[Violation]:
    if not isinstance(values, list):
        return [Violation(field, "is not a list")]
    violations = [] if values else [Violation(field, "is empty; a list has at least one range")]
    previous = -1
    for index, item in enumerate(values):
        at = f"{field}[{index}]"
        text = item
        if isinstance(item, dict):
            text = item.get("cidr")
            violations += _attributes(at, item)
        try:
            packed = parse_range(text) if isinstance(text, str) else None
        except BadRange as error:
            violations.append(Violation(at, str(error)))
        else:
            if packed is None or format_range(packed) != text:
                violations.append(Violation(at, f"{quoted(str(text))} is not in canonical form"))
            elif packed <= previous:
                violations.append(
                    Violation(at, f"{quoted(text)} comes twice, or in the wrong order")
                )
            previous = packed or previous
        if len(violations) >= _MAX_VIOLATIONS:
            break
    return violations


def _attributes(field: str, item: dict[str, Any]) -> list[Violation]:
    """Return what is wrong with the attributes of a range."""
    codecs = RANGE.record_codecs()
    violations = [
        Violation(f"{field}.{name}", "is no attribute of a range")
        for name in sorted(item.keys() - codecs.keys() - {"cidr"})
    ]
    for name in codecs.keys() & item.keys():
        violations += codecs[name].check(f"{field}.{name}", item[name])
    return violations


def _ids(field: str, values: Any) -> list[Violation]:
    if not isinstance(values, list):
        return [Violation(field, "is not a list")]
    violations = [violation for value in values for violation in _ID(field, value)]
    if not violations and values != sorted(set(values)):
        violations = [Violation(field, "has ids twice, or in the wrong order")]
    return violations


def _positions(field: str, values: Any) -> list[Violation]:
    if not isinstance(values, list) or len(values) != SHARDS:
        return [Violation(field, f"is not a list of {SHARDS} shards")]
    violations = []
    for index, position in enumerate(values):
        at = f"{field}[{index}]"
        if not isinstance(position, dict) or position.keys() != _POSITION.keys():
            violations.append(Violation(at, "is not epoch, rev and tip"))
            continue
        for name, check in _POSITION.items():
            violations += check(f"{at}.{name}", position[name])
    return violations


def _counts(field: str, values: Any) -> list[Violation]:
    if not isinstance(values, dict) or values.keys() != SCHEMAS.keys():
        return [Violation(field, f"does not count {', '.join(SCHEMAS)}")]
    return [
        violation
        for name, value in values.items()
        for violation in _COUNT(f"{field}.{name}", value)
    ]


def _fields_of(schema: Schema, structure: dict[str, Check]) -> dict[str, Check]:
    """Return the checks of a line: its stored fields, and what the line has besides them."""
    return {name: codec.check for name, codec in schema.record_codecs().items()} | structure


_COUNT = Number(10**15).check
_TIME = Number((1 << 63) - 1).check
_ID = Identifier().check
_CHANGE_ID = Pattern("([0-9a-f]{16})?", "16 hexadecimal digits").check
_SHA256 = Pattern("[0-9a-f]{64}", "a SHA-256 in 64 hexadecimal digits").check
_POSITION: dict[str, Check] = {"epoch": _CHANGE_ID, "rev": _COUNT, "tip": _CHANGE_ID}
_OPTIONAL = frozenset({"folded"}).union(
    *(schema.optional_in_records() for schema in SCHEMAS.values())
)
"""Fields that older files lack."""

_CHECKS: dict[str, dict[str, Check]] = {
    "header": {
        "format": Pattern("ipgate-export", "ipgate-export").check,
        "version": Number(10**6).check,
        "time": _TIME,
        "shards": _positions,
        "counts": _counts,
    },
    "workspace": _fields_of(WORKSPACE, {"id": _ID}),
    "list": _fields_of(ALLOW_LIST, {"workspace": _ID, "id": _ID, "ranges": _ranges}),
    "key": _fields_of(API_KEY, {"workspace": _ID, "id": _ID, "lists": _ids}),
    "token": _fields_of(ACCESS_TOKEN, {"digest": _SHA256}),
    "trailer": {"lines": _COUNT, "sha256": _SHA256},
}
