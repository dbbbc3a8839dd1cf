"""An array of IPv6 addresses, which no typecode of `array` is wide enough for."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import overload

from ipgate.domain.addresses import IPV6

_HALF = 64
_LOW = (1 << _HALF) - 1


class WideArray:
    """IPv6 addresses in ascending order, in two arrays of halves: 16 bytes each. It is used as `array` is."""

    __slots__ = ("_highs", "_lows")

    itemsize = 16
    typecode = ""

    def __init__(self, addresses: Iterable[int] = ()) -> None:
        self._highs = array("Q")
        self._lows = array("Q")
        for address in addresses:
            self.append(address)

    def __len__(self) -> int:
        return len(self._highs)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> "WideArray": ...
    def __getitem__(self, index: int | slice) -> "int | WideArray":
        if isinstance(index, slice):
            part = WideArray()
            part._highs, part._lows = self._highs[index], self._lows[index]
            return part
        return IPV6 | self._highs[index] << _HALF | self._lows[index]

    def __setitem__(self, index: slice, addresses: "WideArray") -> None:
        self._highs[index], self._lows[index] = addresses._highs, addresses._lows

    def append(self, address: int) -> None:
        self._highs.append(address >> _HALF & _LOW)
        self._lows.append(address & _LOW)

    def insert(self, index: int, address: int) -> None:
        self._highs.insert(index, address >> _HALF & _LOW)
        self._lows.insert(index, address & _LOW)

    def position(self, address: int) -> int:
        """Return the index of the last of them that is not greater than `address`."""
        high, low = address >> _HALF & _LOW, address & _LOW
        index = bisect_right(self._highs, high) - 1
        if self._highs[index] < high or self._lows[index] <= low:
            return index
        # Of several with the same upper half, the last is too great.
        first = bisect_left(self._highs, high, 0, index)
        return bisect_right(self._lows, low, first, index) - 1
