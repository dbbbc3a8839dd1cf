"""Bounds on a request before it is decoded: its bytes, and how many fields and entries it has.

Decoding takes as long as there are fields, all in one go: 4 MB of empty entries hold the event loop for
a tenth of a second. Counting them works in steps and ends at the limit.
"""

from functools import cache
from typing import Any

from ipgate.domain.errors import LimitExceeded
from ipgate.domain.intervals import Steps

STEP = 2048
"""Fields counted between two yields: a millisecond or two."""

_VARINT, _LENGTH = 0, 2
_FIXED = {1: 8, 3: 0, 4: 0, 5: 4}
"""Bytes after the tag, by wire type: of numbers of fixed size, and of the begin and end of a group."""


def check_bytes(raw: bytes, limit: int) -> None:
    """Check the size of an encoded message.

    Raises: LimitExceeded.
    """
    if len(raw) > limit:
        text = f"the request has {len(raw):,} bytes; this method takes at most {limit:,}"
        raise LimitExceeded(text)


def check_fields(raw: bytes, descriptor: Any, limit: int) -> Steps[int]:
    """Count the fields and entries of an encoded message of the type `descriptor` and of the messages in it.

    Malformed parts are left to the decoder, which stops there.

    Raises: LimitExceeded if there are more than `limit`.
    """
    at = count = 0
    inside: list[tuple[int, Any]] = [(len(raw), _messages(descriptor))]
    while inside:
        end, messages = inside[-1]
        while at < end:
            count += 1
            if count > limit:
                text = (
                    f"the request has more than {limit:,} fields and entries; send less at a time"
                )
                raise LimitExceeded(text)
            if not count % STEP:
                yield
            tag = raw[at]
            # Nearly all are short texts of a field with a low number.
            if (
                tag & 0x87 == _LENGTH
                and tag >> 3 not in messages
                and raw[at + 1 : at + 2] < b"\x80"
            ):
                at += 2 + (raw[at + 1] if at + 1 < end else 0)
                continue
            at, inner, kind = _field(raw, at, messages)
            if kind is not None:
                inside.append((min(inner, end), kind))
                break
        else:
            inside.pop()
    return count


@cache
def _messages(descriptor: Any) -> dict[int, Any]:
    """Return the fields that are messages, by their numbers."""
    return {
        field.number: field.message_type
        for field in descriptor.fields
        if field.message_type is not None
    }


def _field(raw: bytes, at: int, messages: dict[int, Any]) -> tuple[int, int, dict[int, Any] | None]:
    """Return the index after a field, and for a message its begin, its end and the messages in it."""
    tag, at = _varint(raw, at)
    wire = tag & 7
    if wire == _VARINT:
        return _varint(raw, at)[1], 0, None
    if wire != _LENGTH:
        return at + _FIXED.get(wire, len(raw)), 0, None
    length, at = _varint(raw, at)
    if tag >> 3 in messages:
        return at, at + length, _messages(messages[tag >> 3])
    return at + length, 0, None


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at an index, and the index after it; 0 beyond the end."""
    value = shift = 0
    while at < len(raw) and shift < 70:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    return value, at
