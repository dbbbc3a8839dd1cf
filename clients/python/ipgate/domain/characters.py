"""Which characters a text may have, by fixed ranges of code points.

Python's own tables differ from version to version: a name that one server stores must be readable by
every other, and restorable from a backup by any.
"""

import re

_CONTROLS = r"\x00-\x1f\x7f-\x9f"
_INVISIBLE = (
    r"\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    r"\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff"
    r"\U000e01f0-\U000e0fff"
)
"""Format characters, fillers, marks of direction, tags."""

_NO_CHARACTERS = (
    r"\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff"
    + "".join(rf"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(1, 15))
    + r"\U000f0000-\U0010ffff"
)
"""Surrogates, private use, and code points that will never be characters."""

_JOINABLE = r"[^\x00-\u02ff\u2000-\u206f\u3000]"
_SEQUENCES = (
    # A joiner between two letters, as Persian and Hindi need it, or between the parts of an emoji.
    rf"(?<={_JOINABLE})[\u200c\u200d](?={_JOINABLE})"
    # The tags of a flag, as that of Wales.
    r"|(?<=\U0001f3f4)[\U000e0020-\U000e007e]{1,8}\U000e007f"
)
_PATTERN = re.compile(rf"({_SEQUENCES})|([{_CONTROLS}{_INVISIBLE}{_NO_CHARACTERS}])")

_SPACES = " \t\n\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"

_UNSEEN = re.compile("[\u200c\u200d\ufe00-\ufe0f\U000e0020-\U000e007f\U000e0100-\U000e01ef]")


def first_invisible(text: str, *, allowed: str = "") -> str:
    """Return the first invisible or invalid character that is not in `allowed`, or ""."""
    for match in _PATTERN.finditer(text):
        if match[2] and match[2] not in allowed:
            return match[2]
    return ""


def readable(text: str, *, allowed: str = "") -> str:
    """Return `text` on one line, readable for humans.

    Characters that are invisible, would end the line or command a terminal are escaped, except `allowed`.
    """
    return _PATTERN.sub(
        lambda match: match[0] if match[1] or match[2] in allowed else _escaped(match[2]), text
    )


def has_edge_space(text: str) -> bool:
    return text != text.strip(_SPACES)


def without_unseen(text: str) -> str:
    """`text` without joiners and selectors of variants, which make names differ that look alike."""
    return _UNSEEN.sub("", text)


def _escaped(character: str) -> str:
    point = ord(character)
    if point in (9, 10, 13):
        return {9: "\\t", 10: "\\n", 13: "\\r"}[point]
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
