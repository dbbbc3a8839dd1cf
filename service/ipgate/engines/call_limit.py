"""Counts what is in flight."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ipgate.domain.errors import IpgateError


class CallLimit:
    """`error` makes the error beyond the limit."""

    def __init__(self, maximum: int, error: Callable[[], IpgateError]) -> None:
        self.left = maximum
        self.error = error

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Take a slot for the duration of the context.

        Raises the error if there is none.
        """
        if self.left <= 0:
            raise self.error()
        self.left -= 1
        try:
            yield
        finally:
            self.left += 1
