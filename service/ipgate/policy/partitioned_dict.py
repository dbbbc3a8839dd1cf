"""Dictionaries of very many entries in which no single operation takes long.

A dictionary of a million entries holds the event loop for tens of milliseconds when it grows. Finding its
oldest entry takes as long after many old ones were removed. So the entries are spread over partitions, and
each operation works on one partition.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar
from weakref import ref

from ipgate.gc_untrack import untrack

PARTITIONS = 256
"""A million entries make 4,000 for each partition, which grows in a fraction of a millisecond."""

MASK = PARTITIONS - 1

K = TypeVar("K")
V = TypeVar("V")


class PartitionedDict(Generic[K, V]):
    """A dictionary in `partitions`; that of a key is `partitions[hash(key) & MASK]`."""

    __slots__ = ("_count", "_hand", "partitions")

    def __init__(self) -> None:
        self.partitions: list[dict[K, V]] = [{} for _ in range(PARTITIONS)]
        self._count = 0
        self._hand = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: K) -> bool:
        return key in self.partitions[hash(key) & MASK]

    def get(self, key: K) -> V | None:
        return self.partitions[hash(key) & MASK].get(key)

    def values(self) -> Iterator[V]:
        return (value for partition in self.partitions for value in partition.values())

    def put(self, key: K, value: V) -> None:
        """Add an entry as the youngest of its partition, also if the key was there before."""
        partition = self.partitions[hash(key) & MASK]
        if partition.pop(key, None) is None:
            self._count += 1
        partition[key] = value
        untrack(partition)

    def pop(self, key: K) -> V | None:
        value = self.partitions[hash(key) & MASK].pop(key, None)
        if value is not None:
            self._count -= 1
        return value

    def next_victim(self) -> V:
        """Return the oldest entry of the next partition: successive calls go round all partitions.

        Raises:
            LookupError: there are no entries.
        """
        for _ in range(PARTITIONS):
            self._hand = (self._hand + 1) & MASK
            for value in self.partitions[self._hand].values():
                return value
        raise LookupError


class WeakPartitionedDict(Generic[K, V]):
    """A partitioned dictionary that keeps no value alive.

    A value must `remove` its entry when it ends.
    """

    __slots__ = ("_partitions",)

    def __init__(self) -> None:
        self._partitions: list[dict[K, ref[V]]] = [{} for _ in range(PARTITIONS)]

    def get(self, key: K) -> V | None:
        entry = self._partitions[hash(key) & MASK].get(key)
        return None if entry is None else entry()

    def put(self, key: K, value: V) -> None:
        partition, entry = self._partitions[hash(key) & MASK], ref(value)
        partition[key] = entry
        untrack(partition, entry)

    def remove(self, key: K, value: V) -> None:
        """Remove the entry of a key if it is that of `value`."""
        partition = self._partitions[hash(key) & MASK]
        entry = partition.get(key)
        if entry is not None and entry() is value:
            del partition[key]
