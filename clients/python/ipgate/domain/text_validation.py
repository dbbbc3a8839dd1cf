"""Checks of the texts that people write: display names, descriptions and notes."""

import unicodedata

from ipgate.domain.characters import first_invisible, has_edge_space, without_unseen
from ipgate.domain.errors import Violation, quoted

MAX_DISPLAY_NAME = 200
MAX_DESCRIPTION = 2000
MAX_NOTE = 200


def check_display_name(field: str, value: str, *, required: bool = False) -> list[Violation]:
    """Return what is wrong with a display name."""
    return _check(field, value, required=required, longest=MAX_DISPLAY_NAME, allowed="")


def check_description(field: str, value: str, *, required: bool = False) -> list[Violation]:
    """Return what is wrong with a description, which may have several lines and tabs."""
    return _check(field, value, required=required, longest=MAX_DESCRIPTION, allowed="\n\t")


def check_note(field: str, value: str) -> list[Violation]:
    """Return what is wrong with the note of a range."""
    return _check(field, value, required=False, longest=MAX_NOTE, allowed="")


def unix_lines(description: str) -> str:
    """Return a description with the line ends that are stored, whatever its editor wrote."""
    return description.replace("\r\n", "\n").replace("\r", "\n")


def casefold_name(display_name: str) -> str:
    """Return the form in which two display names are compared.

    It has no case, one composition and no invisible characters. It is stored with the name, because the tables
    of Python may change.
    """
    composed = unicodedata.normalize("NFKC", without_unseen(display_name)).casefold()
    return without_unseen(unicodedata.normalize("NFKC", composed))


def _check(
    field: str, value: str, *, required: bool, longest: int, allowed: str
) -> list[Violation]:
    if not value:
        return [Violation(field, "is required; give a text")] if required else []
    if len(value) > longest:
        text = f"{quoted(value)} has {len(value)} characters; use at most {longest}"
        return [Violation(field, text)]
    invisible = first_invisible(value, allowed=allowed)
    if invisible:
        text = f"{quoted(value)} has the invisible character U+{ord(invisible):04X}; remove it"
        return [Violation(field, text)]
    if has_edge_space(value):
        return [Violation(field, f"{quoted(value)} begins or ends with a space; remove it")]
    return []
