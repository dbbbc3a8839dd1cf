"""The tips of a shard's last changes, in memory that is taken once and does not grow."""

from array import array
from collections.abc import Mapping

CAPACITY = 2048
"""Changes that are remembered: 32 KB for a shard. As a dictionary they took half a megabyte, which a
worker took little by little as changes came."""

_NOTHING = (1 << 64) - 1


class RecentTips:
    """By the number of a change its tip, 16 hexadecimal digits, while no newer change has its place."""

    __slots__ = ("_numbers", "_tips")

    def __init__(self, tips: Mapping[int, str]) -> None:
        self._numbers = array("Q", [_NOTHING]) * CAPACITY
        self._tips = array("Q", [0]) * CAPACITY
        for number in sorted(tips):
            self.add(number, tips[number])

    def add(self, number: int, tip: str) -> None:
        if tip:
            self._numbers[number % CAPACITY] = number
            self._tips[number % CAPACITY] = int(tip, 16)

    def get(self, number: int) -> str | None:
        """The tip of a change, None if it is not remembered."""
        place = number % CAPACITY
        return f"{self._tips[place]:016x}" if self._numbers[place] == number else None
