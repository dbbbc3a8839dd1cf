"""What the bench needs to know of a contender."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.h2load import Paced


class Load(Protocol):
    def saturate(self, calls: int) -> float:
        """Makes so many calls as fast as they are answered; how many that were a second."""

    def pace(self, rate: int, seconds: float) -> Paced:
        """Makes `rate` calls a second."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question, asked again and again."""

    load: Load
    check: Callable[[], None]
    """Asks once, and once with an address that is denied; AssertionError if an answer is wrong."""
    decisions: int = 1
    """In one call."""
    paced: bool = True
    """Whether it is asked at fixed rates too."""


@dataclass(frozen=True, slots=True)
class Running:
    """A contender that answers."""

    version: str
    pids: Callable[[], list[int]]
    """All its processes, the store's too."""
    asks: dict[str, Ask]
    """By the names that the contender announced."""


@dataclass(frozen=True, slots=True)
class Contender:
    name: str
    asks: tuple[str, ...]
    """The names of its rows, which are reported as missing if it cannot be started."""
    start: Callable[[Path], AbstractContextManager[Running]]
    """With a directory of its own. Raises Missing."""
