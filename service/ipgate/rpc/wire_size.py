"""Bounds on a request before it is decoded: its bytes, and how many fields and entries it has.

Decoding takes as long as there are fields, all in one go: 4 MB of empty entries hold the event loop for
a tenth of a second. Counting them works in steps and ends at the limit.
"""

from typing import Any

from ipgate.domain.errors import LimitExceeded
from ipgate.domain.intervals import Steps

STEP = 4096
"""Fields counted between two yields: about a millisecond."""

_VARINT, _LENGTH = 0, 2
_FIXED = {1: 8, 3: 0, 4: 0, 5: 4}
"""Bytes after the tag, by wire type: of numbers of fixed size, and of the begin and end of a group."""


def check_bytes(raw: bytes, limit: int) -> None:
    """Raises LimitExceeded."""
    if len(raw) > limit:
        text = f"the request has {len(raw):,} bytes; this method takes at most {limit:,}"
        raise LimitExceeded(text)


def check_fields(raw: bytes, descriptor: Any, limit: int) -> Steps[None]:
    """Raises LimitExceeded if an encoded message of the type `descriptor` and the messages in it have
    more fields and entries than `limit`. What is malformed is left to the decoder, which stops there."""
    at = count = 0
    inside: list[tuple[int, Any]] = [(len(raw), descriptor)]
    while inside:
        end, kind = inside[-1]
        if at >= end:
            inside.pop()
            continue
        count += 1
        if count > limit:
            text = f"the request has more than {limit:,} fields and entries; send less at a time"
            raise LimitExceeded(text)
        if not count % STEP:
            yield
        tag, at = _varint(raw, at)
        wire = tag & 7
        if wire == _LENGTH:
            length, at = _varint(raw, at)
            field = kind.fields_by_number.get(tag >> 3)
            if field is not None and field.message_type is not None:
                inside.append((min(at + length, end), field.message_type))
            else:
                at += length
        elif wire == _VARINT:
            _, at = _varint(raw, at)
        else:
            at += _FIXED.get(wire, len(raw))


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """The number that begins at an index, and the index after it; 0 beyond the end."""
    value = shift = 0
    while at < len(raw) and shift < 70:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    return value, at
