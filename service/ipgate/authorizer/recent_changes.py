"""The ids of a shard's last changes, in memory of a fixed size."""

from array import array
from collections.abc import Mapping

CAPACITY = 2048
"""Changes that are remembered: 32 KB for a shard. A dictionary of them would grow to half a megabyte."""

_EMPTY = (1 << 64) - 1


class RecentChanges:
    """Change ids (16 hexadecimal digits) by sequence number.

    A newer change overwrites the oldest one.
    """

    __slots__ = ("_change_ids", "_sequences")

    def __init__(self, change_ids: Mapping[int, str]) -> None:
        self._sequences = array("Q", [_EMPTY]) * CAPACITY
        self._change_ids = array("Q", [0]) * CAPACITY
        for sequence in sorted(change_ids):
            self.add(sequence, change_ids[sequence])

    def add(self, sequence: int, change_id: str) -> None:
        if change_id:
            self._sequences[sequence % CAPACITY] = sequence
            self._change_ids[sequence % CAPACITY] = int(change_id, 16)

    def get(self, sequence: int) -> str | None:
        """Return the id of a change, None if it is not remembered."""
        slot = sequence % CAPACITY
        return f"{self._change_ids[slot]:016x}" if self._sequences[slot] == sequence else None
