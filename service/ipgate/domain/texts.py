"""Checks of the texts that people write: display names and descriptions."""

import unicodedata

from ipgate.domain.errors import Violation, shown

MAX_DISPLAY_NAME = 200
MAX_DESCRIPTION = 2000

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that would let a text break a log line or look like another text."""


def check_display_name(field: str, value: str, *, required: bool = False) -> list[Violation]:
    """What is wrong with a display name."""
    return _check(field, value, required=required, longest=MAX_DISPLAY_NAME, allowed="")


def check_description(field: str, value: str, *, required: bool = False) -> list[Violation]:
    """What is wrong with a description, which may have several lines."""
    return _check(field, value, required=required, longest=MAX_DESCRIPTION, allowed="\n")


def folded(display_name: str) -> str:
    """The form in which two display names are compared: without case, composed alike."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", display_name).casefold())


def _check(
    field: str, value: str, *, required: bool, longest: int, allowed: str
) -> list[Violation]:
    if not value:
        return [Violation(field, "is required; give a text")] if required else []
    if len(value) > longest:
        text = f"{shown(value)} has {len(value)} characters; use at most {longest}"
        return [Violation(field, text)]
    for character in value:
        if character not in allowed and unicodedata.category(character) in _HIDDEN:
            point = f"U+{ord(character):04X}"
            return [
                Violation(field, f"{shown(value)} has the invisible character {point}; remove it")
            ]
    if value != value.strip():
        return [Violation(field, f"{shown(value)} begins or ends with a space; remove it")]
    return []
