"""Counts what is in flight."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ipgate.domain.errors import IpgateError


class Room:
    """`refusal` makes the error beyond the limit."""

    def __init__(self, most: int, refusal: Callable[[], IpgateError]) -> None:
        self.left = most
        self.refusal = refusal

    @contextmanager
    def place(self) -> Iterator[None]:
        """Takes a place while it lasts. Raises the error if there is none."""
        if self.left <= 0:
            raise self.refusal()
        self.left -= 1
        try:
            yield
        finally:
            self.left += 1
