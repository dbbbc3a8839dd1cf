"""Counts what is in flight."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ipgate.domain.errors import IpgateError


class CallLimit:
    """`error` makes the error beyond the limit."""

    def __init__(self, maximum: int, error: Callable[[], IpgateError]) -> None:
        self.left = self.most = maximum
        self.refused = 0
        self._error = error

    def error(self) -> IpgateError:
        """Return the error of one beyond the limit, which counts as refused."""
        self.refused += 1
        return self._error()

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
