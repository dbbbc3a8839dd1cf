"""The same ranges for everybody, and addresses inside and outside."""

import random

from ipgate.domain.addresses import IPV6, format_range, range_holding

SEED = 20250530
OUTSIDE = "203.0.113.9"
"""In none of the ranges."""


def packed(count: int) -> list[int]:
    """Scattered /24 and single addresses, half of each, as ipgate holds them."""
    source = random.Random(SEED)
    networks = source.sample(range(2**24), count // 2)
    addresses = source.sample(range(2**32), count - count // 2)
    return [network << 8 << 8 | 24 for network in networks] + [
        address << 8 | 32 for address in addresses
    ]


def packed_ipv6(count: int) -> list[int]:
    """Scattered /64 and single addresses of IPv6, half of each."""
    source = random.Random(SEED)
    addresses = [IPV6 | source.getrandbits(128) for _ in range(count)]
    return [
        range_holding(address, 64 if index % 2 else 128) for index, address in enumerate(addresses)
    ]


def texts(count: int) -> list[str]:
    return [format_range(packed_range) for packed_range in packed(count)]


def inside(ranges: list[str]) -> str:
    """An address in the middle one, so that who looks through them in order looks through half."""
    return ranges[len(ranges) // 2].partition("/")[0]


def all_inside(ranges: list[str], count: int) -> list[str]:
    """So many addresses, each another one; the first as `inside` gives it, the others in networks."""
    networks = [cidr.rpartition(".")[0] for cidr in ranges if "/24" in cidr]
    numbers = range(1, count)
    others = [f"{networks[number % len(networks)]}.{number // len(networks)}" for number in numbers]
    return [inside(ranges), *others]
