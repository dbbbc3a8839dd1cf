"""Codecs: how the values of a resource become the text that Redis holds, and the JSON of an export."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from ipgate.domain.errors import Violation
from ipgate.domain.names import id_violations
from ipgate.domain.resources import MAX_TIME, MIN_TIME, Role, stored_role

Check = Callable[[str, Any], list[Violation]]
"""What is wrong with the value of a field."""


class Codec(ABC):
    """One kind of value."""

    def encode(self, value: Any) -> str:
        """Return the stored text of a value."""
        return str(value)

    def decode(self, text: str) -> Any:
        """Return the value of a stored text.

        Raises: ValueError for damage.
        """
        return text

    def to_json(self, value: Any) -> Any:
        """Return the form of a value in an export."""
        return value

    def from_json(self, value: Any) -> Any:
        """Return the value of its form in an export, which `check` has accepted."""
        return value

    @abstractmethod
    def check(self, field: str, value: Any) -> list[Violation]:
        """Return what is wrong with the form of a value in an export."""


class Text(Codec):
    """A text, with the domain's check of what it may contain."""

    def __init__(self, check: Check) -> None:
        self._check = check

    def check(self, field: str, value: Any) -> list[Violation]:
        if type(value) is not str:
            return [Violation(field, "is not a text")]
        return self._check(field, value)


class Pattern(Codec):
    """A text of a fixed form; `what` names it in errors."""

    def __init__(self, pattern: str, what: str) -> None:
        self._pattern = re.compile(pattern)
        self._what = what

    def decode(self, text: str) -> str:
        if not self._pattern.fullmatch(text):
            raise ValueError(f"not {self._what}")
        return text

    def check(self, field: str, value: Any) -> list[Violation]:
        fits = type(value) is str and self._pattern.fullmatch(value)
        return [] if fits else [Violation(field, f"is not {self._what}")]


class Identifier(Codec):
    """The id of a resource.

    `optional`: "" stands for none.
    """

    def __init__(self, *, optional: bool = False) -> None:
        self._optional = optional

    def decode(self, text: str) -> str:
        if violations := self.check("", text):
            raise ValueError(violations[0].description)
        return text

    def check(self, field: str, value: Any) -> list[Violation]:
        if type(value) is not str:
            return [Violation(field, "is not an id")]
        return [] if self._optional and not value else id_violations(field, value)


class Flag(Codec):
    """True or false, stored as 1 or 0."""

    def encode(self, value: Any) -> str:
        return "1" if value else "0"

    def decode(self, text: str) -> bool:
        if text not in ("0", "1"):
            raise ValueError("not 0 or 1")
        return text == "1"

    def check(self, field: str, value: Any) -> list[Violation]:
        return [] if type(value) is bool else [Violation(field, "is not true or false")]


class Number(Codec):
    """A whole number of `least` to `most`."""

    _DIGITS = re.compile("-?[0-9]{1,21}")

    def __init__(self, most: int, *, least: int = 0) -> None:
        self._least, self._most = least, most

    def decode(self, text: str) -> Any:
        # Python would read other digits, too, and white space.
        if not self._DIGITS.fullmatch(text) or not self._least <= int(text) <= self._most:
            raise ValueError(f"not a number of {self._least} to {self._most}")
        return int(text)

    def check(self, field: str, value: Any) -> list[Violation]:
        if type(value) is not int:  # True is an int, too
            return [Violation(field, "is not a whole number")]
        if not self._least <= value <= self._most:
            return [Violation(field, f"is not of {self._least} to {self._most}")]
        return []


class Instant(Number):
    """Nanoseconds since 1970, or None, which is stored as ""."""

    def __init__(self) -> None:
        super().__init__(MAX_TIME, least=MIN_TIME)

    def encode(self, value: Any) -> str:
        return "" if value is None else str(value)

    def decode(self, text: str) -> Any:
        return super().decode(text) if text else None

    def check(self, field: str, value: Any) -> list[Violation]:
        return [] if value is None else super().check(field, value)


class StoredRole(Codec):
    """The role of an access token, by its name."""

    _NAMES = tuple(role.value for role in Role if role is not Role.ROOT)

    def encode(self, value: Any) -> str:
        return str(value.value)

    def decode(self, text: str) -> Role:
        return stored_role(text)

    def to_json(self, value: Any) -> Any:
        return value.value

    def from_json(self, value: Any) -> Role:
        return stored_role(value)

    def check(self, field: str, value: Any) -> list[Violation]:
        fits = value in self._NAMES
        return [] if fits else [Violation(field, f"is not one of {', '.join(self._NAMES)}")]
