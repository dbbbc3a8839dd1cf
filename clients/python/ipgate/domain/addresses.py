"""Client addresses and the ranges of allow lists (docs/rules.md).

An IPv4 address is an int of 32 bits. A range is packed into one int, `base << 6 | prefix length`,
which orders ranges by their first address and wider before narrower.
"""

from collections.abc import Callable
from socket import AF_INET, AF_INET6, inet_ntoa, inet_pton
from struct import Struct

from ipgate.domain.errors import quoted
from ipgate.domain.range_remedies import explain

PREFIX_BITS = 6
PREFIX_MASK = 0x3F

_unpack: Callable[[bytes], tuple[int]] = Struct("!I").unpack  # quicker than int.from_bytes
_MAPPED = bytes(10) + b"\xff\xff"
_PREFIXES = {str(length): length for length in range(33)}
_HOST_MASKS = tuple((1 << 32 - length) - 1 for length in range(33))


class BadRange(ValueError):
    """Text that is not a range; the message has the value, the reason and the remedy.

    It is made when it is looked at: of many bad ranges most are only counted.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"{quoted(self.text)} {explain(self.text)}"


def parse_address(text: str) -> int | None:
    """Return the IPv4 address that `text` stands for, or None for an IPv6 address, which no list holds.

    `inet_pton` is used for its strictness: four decimal octets without leading zeros, nothing before or
    after. IPv4-mapped IPv6 is unmapped.

    Raises: ValueError for anything else.
    """
    try:
        (address,) = _unpack(inet_pton(AF_INET, text))
        return address
    except OSError:
        pass
    try:
        packed = inet_pton(AF_INET6, text)
    except OSError:
        raise ValueError("not an IP address") from None
    return int.from_bytes(packed[12:], "big") if packed.startswith(_MAPPED) else None


def parse_range(text: str) -> int:
    """Return the range that `text` stands for: `a.b.c.d` or `a.b.c.d/0` to `/32`, packed.

    `ipaddress` would accept netmasks, hostmasks and `/08`, hence not used.

    Raises: BadRange.
    """
    address, slash, suffix = text.partition("/")
    try:
        base = int.from_bytes(inet_pton(AF_INET, address), "big")
        length = _PREFIXES[suffix] if slash else 32
    except (OSError, ValueError, KeyError):
        raise BadRange(text) from None
    if base & _HOST_MASKS[length]:
        raise BadRange(text)
    return base << PREFIX_BITS | length


def format_range(packed: int) -> str:
    """Return the canonical text of a range: `a.b.c.d/n`, or `a.b.c.d` alone for a /32."""
    base, length = packed >> PREFIX_BITS, packed & PREFIX_MASK
    address = inet_ntoa(base.to_bytes(4, "big"))
    return address if length == 32 else f"{address}/{length}"


def range_holding(address: int, length: int) -> int:
    """Return the range of that prefix length that holds `address`."""
    return (address & ~_HOST_MASKS[length]) << PREFIX_BITS | length


def last_address(packed: int) -> int:
    """Return the last address of a range."""
    return packed >> PREFIX_BITS | _HOST_MASKS[packed & PREFIX_MASK]


def address_count(packed: int) -> int:
    """Return how many addresses a range covers."""
    return 1 << 32 - (packed & PREFIX_MASK)
