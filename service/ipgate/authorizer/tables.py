"""Tables of very many entries, in which nothing ever takes long.

A dictionary of a million entries holds the event loop for tens of milliseconds when it grows, and
finding its oldest entry takes as long once many old ones were removed. Hence parts: each operation
concerns one part, and takes no longer than that part's size has it.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar
from weakref import ref

from ipgate.authorizer.counting import leave_to_counting

PARTS = 256
"""4,000 entries each for a million: to grow takes a fraction of a millisecond."""

MASK = PARTS - 1

K = TypeVar("K")
V = TypeVar("V")


class Table(Generic[K, V]):
    """A dictionary in `parts`; that of a key is `parts[hash(key) & MASK]`."""

    __slots__ = ("_count", "_hand", "parts")

    def __init__(self) -> None:
        self.parts: list[dict[K, V]] = [{} for _ in range(PARTS)]
        self._count = 0
        self._hand = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: K) -> bool:
        return key in self.parts[hash(key) & MASK]

    def get(self, key: K) -> V | None:
        return self.parts[hash(key) & MASK].get(key)

    def values(self) -> Iterator[V]:
        return (value for part in self.parts for value in part.values())

    def put(self, key: K, value: V) -> None:
        """Adds an entry as the youngest of its part, also if the key was there before."""
        part = self.parts[hash(key) & MASK]
        if part.pop(key, None) is None:
            self._count += 1
        part[key] = value
        leave_to_counting(part)

    def pop(self, key: K) -> V | None:
        value = self.parts[hash(key) & MASK].pop(key, None)
        if value is not None:
            self._count -= 1
        return value

    def oldest(self) -> V:
        """The oldest entry of a part: of the next one at each call, so that all parts have their
        turn. Raises LookupError if there are no entries."""
        for _ in range(PARTS):
            self._hand = (self._hand + 1) & MASK
            for value in self.parts[self._hand].values():
                return value
        raise LookupError


class WeakTable(Generic[K, V]):
    """A table of what others hold. Who makes an entry must `forget` it at the end of its value."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[dict[K, ref[V]]] = [{} for _ in range(PARTS)]

    def get(self, key: K) -> V | None:
        entry = self._parts[hash(key) & MASK].get(key)
        return None if entry is None else entry()

    def put(self, key: K, value: V) -> None:
        part, entry = self._parts[hash(key) & MASK], ref(value)
        part[key] = entry
        leave_to_counting(part, entry)

    def forget(self, key: K, value: V) -> None:
        """Removes the entry of a key if it is that of `value`."""
        part = self._parts[hash(key) & MASK]
        entry = part.get(key)
        if entry is not None and entry() is value:
            del part[key]
