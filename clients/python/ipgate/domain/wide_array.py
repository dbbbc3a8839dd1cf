"""An array of IPv6 addresses, which no typecode of `array` is wide enough for."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import overload

from ipgate.domain.addresses import IPV6

HALF = 64
LOW_HALF = (1 << HALF) - 1


class WideArray:
    """IPv6 addresses in ascending order, in two arrays of halves: 16 bytes each. It is used as `array` is."""

    __slots__ = ("highs", "lows")

    itemsize = 16
    typecode = ""

    def __init__(self, addresses: Iterable[int] = ()) -> None:
        self.highs = array("Q")
        self.lows = array("Q")
        for address in addresses:
            self.append(address)

    def __iter__(self) -> Iterator[int]:
        for high, low in zip(self.highs, self.lows, strict=True):
            yield IPV6 | high << HALF | low

    def __len__(self) -> int:
        return len(self.highs)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> "WideArray": ...
    def __getitem__(self, index: int | slice) -> "int | WideArray":
        if isinstance(index, slice):
            part = WideArray()
            part.highs, part.lows = self.highs[index], self.lows[index]
            return part
        return IPV6 | self.highs[index] << HALF | self.lows[index]

    def __setitem__(self, index: slice, addresses: "WideArray") -> None:
        self.highs[index], self.lows[index] = addresses.highs, addresses.lows

    def append(self, address: int) -> None:
        self.highs.append(address >> HALF & LOW_HALF)
        self.lows.append(address & LOW_HALF)

    def insert(self, index: int, address: int) -> None:
        self.highs.insert(index, address >> HALF & LOW_HALF)
        self.lows.insert(index, address & LOW_HALF)

    def position(self, address: int) -> int:
        """Return the index of the last of them that is not greater than `address`."""
        high = address >> HALF & LOW_HALF
        index = bisect_right(self.highs, high) - 1
        if self.highs[index] < high or self.lows[index] <= address & LOW_HALF:
            return index
        return self.position_before(address, index)

    def position_before(self, address: int, index: int) -> int:
        """Return the same, where that at `index` is the last with the same upper half, and too great."""
        highs, lows, low = self.highs, self.lows, address & LOW_HALF
        high = highs[index]
        index -= 1
        # There are seldom many with the same upper half: this settles a single address.
        if highs[index] < high or lows[index] <= low:
            return index
        return bisect_right(lows, low, bisect_left(highs, high, 0, index), index) - 1
