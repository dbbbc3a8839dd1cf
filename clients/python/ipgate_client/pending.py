"""What must be awaited, and is not true by accident."""

from collections.abc import Coroutine, Generator
from typing import Any, NoReturn, TypeVar

Value_co = TypeVar("Value_co", covariant=True)


class Pending(Coroutine[Any, Any, Value_co]):
    """A coroutine that raises where its truth is asked for: `if client.check(...):` without `await` allows nobody."""

    __slots__ = ("_coroutine",)

    def __init__(self, coroutine: Coroutine[Any, Any, Value_co]) -> None:
        self._coroutine = coroutine

    def __bool__(self) -> NoReturn:
        self._coroutine.close()
        raise TypeError("await the verdict: `if await client.check(...):`")

    def __await__(self) -> Generator[Any, Any, Value_co]:
        return self._coroutine.__await__()

    def send(self, value: Any) -> Any:
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        return self._coroutine.throw(*error)

    def close(self) -> None:
        self._coroutine.close()
