"""What files of ranges are read into, whatever their format is."""

from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple

from ipgate.domain.addresses import BadRange, parse_range


class BadFile(ValueError):
    """A file that cannot be read as what it is said to be; the message says where, why and what to do."""


class Entry(NamedTuple):
    """A text that stands for a range.

    `where`: its line, or its place in a JSON document. `note`: what the file says about it.
    """

    where: str
    text: str
    note: str = ""


class Line(NamedTuple):
    number: int
    text: str

    @property
    def where(self) -> str:
        return f"line {self.number}"


def is_range(text: str) -> bool:
    try:
        parse_range(text)
    except BadRange:
        return is_ipv6(text)
    return True


def is_ipv6(text: str) -> bool:
    address, slash, length = text.partition("/")
    try:
        mapped = IPv6Address(address).ipv4_mapped
    except AddressValueError:
        return False
    # An IPv4 address in disguise is not left out in silence.
    return mapped is None and (
        not slash or (length.isascii() and length.isdigit() and int(length) <= 128)
    )
