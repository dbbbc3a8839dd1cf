"""Client addresses and the ranges of allow lists (docs/rules.md).

An IPv4 address is an int of 32 bits, an IPv6 address one of 128 bits with the bit `IPV6` above them. A range is
packed into one int, `base << 8 | prefix length`, which orders ranges by their first address, wider before
narrower, and IPv4 before IPv6.
"""

from collections.abc import Callable
from ipaddress import IPv6Address
from socket import AF_INET, AF_INET6, inet_ntoa, inet_ntop, inet_pton
from struct import Struct

from ipgate.domain.errors import quoted
from ipgate.domain.range_remedies import explain

PREFIX_BITS = 8
PREFIX_MASK = 0xFF

IPV6 = 1 << 128
"""Set in the int of every IPv6 address."""

LAST_IPV4, LAST_IPV6 = 0xFFFFFFFF, IPV6 | IPV6 - 1

_unpack: Callable[[bytes], tuple[int]] = Struct("!I").unpack  # quicker than int.from_bytes
_MAPPED = bytes(10) + b"\xff\xff"
_PREFIXES = {str(length): length for length in range(129)}
_HOST_MASKS = tuple((1 << 32 - length) - 1 for length in range(33))
_HOST_MASKS_6 = tuple((1 << 128 - length) - 1 for length in range(129))
_NETWORK_MASKS = tuple(~mask for mask in _HOST_MASKS)
_NETWORK_MASKS_6 = tuple(~mask for mask in _HOST_MASKS_6)


class BadRange(ValueError):
    """Text that is not a range; the message has the value, the reason and the remedy.

    It is made when it is looked at: of many bad ranges most are only counted.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"{quoted(self.text)} {explain(self.text)}"


def parse_address(text: str) -> int:
    """Return the address that `text` stands for.

    `inet_pton` is used for its strictness: four decimal octets without leading zeros, nothing before or
    after, and no zone. IPv4-mapped IPv6 is unmapped.

    Raises: ValueError for anything else.
    """
    try:
        if ":" not in text:
            (address,) = _unpack(inet_pton(AF_INET, text))
            return address
        packed = inet_pton(AF_INET6, text)
    except OSError:
        raise ValueError("not an IP address") from None
    if packed.startswith(_MAPPED):
        return int.from_bytes(packed[12:], "big")
    return IPV6 | int.from_bytes(packed, "big")


def format_address(address: int) -> str:
    """Return the canonical text of an address; that of IPv6 is as in RFC 5952."""
    if address <= LAST_IPV4:
        return inet_ntoa(address.to_bytes(4, "big"))
    value = address & IPV6 - 1
    # In these, libraries differ about where to write four octets.
    return (
        str(IPv6Address(value))
        if value < 1 << 48
        else inet_ntop(AF_INET6, value.to_bytes(16, "big"))
    )


def parse_range(text: str) -> int:
    """Return the range that `text` stands for, packed: an address, or `address/prefix length`.

    `ipaddress` would accept netmasks, hostmasks, `/08` and zones, hence not used.

    Raises: BadRange, also for a range of IPv4-mapped addresses.
    """
    address, slash, suffix = text.partition("/")
    try:
        if ":" in address:
            packed = inet_pton(AF_INET6, address)
            base = IPV6 | int.from_bytes(packed, "big")
            length = _PREFIXES[suffix] if slash else 128
            if packed.startswith(_MAPPED) or base & _HOST_MASKS_6[length]:
                raise BadRange(text)
        else:
            base = int.from_bytes(inet_pton(AF_INET, address), "big")
            length = _PREFIXES[suffix] if slash else 32
            if base & _HOST_MASKS[length]:
                raise BadRange(text)
    except (OSError, ValueError, KeyError, IndexError):
        raise BadRange(text) from None
    return base << PREFIX_BITS | length


def format_range(packed: int) -> str:
    """Return the canonical text of a range: the address alone where it has one, else `address/prefix length`."""
    base, length = packed >> PREFIX_BITS, packed & PREFIX_MASK
    text = format_address(base)
    return text if length == (32 if base <= LAST_IPV4 else 128) else f"{text}/{length}"


def is_ipv6_range(packed: int) -> bool:
    """Return whether a packed range is one of IPv6."""
    return packed >= IPV6 << PREFIX_BITS


def range_holding(address: int, length: int) -> int:
    """Return the range of that prefix length that holds `address`."""
    masks = _NETWORK_MASKS if address <= LAST_IPV4 else _NETWORK_MASKS_6
    return (address & masks[length]) << PREFIX_BITS | length


def last_address(packed: int) -> int:
    """Return the last address of a range."""
    base = packed >> PREFIX_BITS
    masks = _HOST_MASKS if base <= LAST_IPV4 else _HOST_MASKS_6
    return base | masks[packed & PREFIX_MASK]


def enclosing_ranges(packed: int) -> list[int]:
    """Return the wider ranges that hold a range, the narrowest first."""
    base, length = packed >> PREFIX_BITS, packed & PREFIX_MASK
    return [range_holding(base, wider) for wider in range(length - 1, -1, -1)]
