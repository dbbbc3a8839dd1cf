"""Client addresses and the ranges of allow lists (design, section 2).

An IPv4 address is an int of 32 bits. A range is packed into one int, `base << 6 | prefix length`,
which orders ranges by their first address and wider before narrower.
"""

from collections.abc import Callable
from socket import AF_INET, AF_INET6, inet_ntoa, inet_pton
from struct import Struct

from ipgate.domain.errors import shown

PREFIX_BITS = 6
PREFIX_MASK = 0x3F

_unpack: Callable[[bytes], tuple[int]] = Struct("!I").unpack  # quicker than int.from_bytes
_MAPPED = bytes(10) + b"\xff\xff"
_PREFIXES = {str(length): length for length in range(33)}
_HOST_MASKS = tuple((1 << 32 - length) - 1 for length in range(33))


class BadRange(ValueError):
    """Text that is not a range; the message has the value, the reason and the remedy."""


def parse_address(text: str) -> int | None:
    """The IPv4 address that `text` stands for, or None for an IPv6 address, which no list holds.

    Raises ValueError for anything else. `inet_pton` is used for its strictness: four decimal
    octets without leading zeros, nothing before or after. IPv4-mapped IPv6 is unmapped.
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
    """The range that `text` stands for: `a.b.c.d` or `a.b.c.d/0` to `/32`, packed.

    Raises BadRange. `ipaddress` would accept netmasks, hostmasks and `/08`, hence not used.
    """
    address, slash, suffix = text.partition("/")
    try:
        base = int.from_bytes(inet_pton(AF_INET, address), "big")
        length = _PREFIXES[suffix] if slash else 32
    except (OSError, ValueError, KeyError):
        raise BadRange(f"{shown(text)} {_fault(text)}") from None
    if base & _HOST_MASKS[length]:
        network = format_range(range_holding(base, length))
        raise BadRange(f"{shown(text)} has host bits set; use {shown(network)}")
    return base << PREFIX_BITS | length


def _fault(text: str) -> str:
    """Why `text` is not a range, and what to write instead."""
    address, slash, suffix = text.partition("/")
    if not text:
        return "is empty; give an IPv4 address or CIDR range"
    if any(character.isspace() for character in text):
        return "contains a space; write it without"
    if ":" in text:
        return "is IPv6; only IPv4 is supported"
    if "-" in text:
        return "is a dash range; write it as CIDR ranges"
    try:
        inet_pton(AF_INET, address)
    except (OSError, ValueError):
        return "is not an IPv4 address or CIDR range"
    if "." in suffix:
        return "has a netmask; write a prefix length, /0 to /32"
    if slash and suffix.isascii() and suffix.isdigit() and suffix[0] == "0":
        return "has a leading zero; write it without"
    return "has a prefix length that is not 0 to 32"


def format_range(packed: int) -> str:
    """The canonical text of a range: `a.b.c.d/n`, or `a.b.c.d` alone for a /32."""
    base, length = packed >> PREFIX_BITS, packed & PREFIX_MASK
    address = inet_ntoa(base.to_bytes(4, "big"))
    return address if length == 32 else f"{address}/{length}"


def range_holding(address: int, length: int) -> int:
    """The range of that prefix length that holds `address`."""
    return (address & ~_HOST_MASKS[length]) << PREFIX_BITS | length


def last_address(packed: int) -> int:
    """The last address of a range."""
    return packed >> PREFIX_BITS | _HOST_MASKS[packed & PREFIX_MASK]


def address_count(packed: int) -> int:
    """How many addresses a range covers."""
    return 1 << 32 - (packed & PREFIX_MASK)
