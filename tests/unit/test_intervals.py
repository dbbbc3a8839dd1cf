"""Compiled lists and unions against a naive oracle, over sets made to be awkward."""

import asyncio
import ipaddress
import itertools
from array import array

from hypothesis import example, given, settings
from hypothesis import strategies as st
from ipgate import cooperative
from ipgate.domain.addresses import format_range, last_address, parse_range, range_holding
from ipgate.domain.intervals import STEP, Intervals, compile_list, compile_union, coverage, in_order
from ipgate.domain.list_patch import apply_patches, parse_patches


def compiled(name: str, ranges: list[int]) -> Intervals:
    return asyncio.run(cooperative.run(compile_list(name, ranges)))


def union(*lists: Intervals) -> Intervals:
    return asyncio.run(cooperative.run(compile_union(lists)))


# Few bits vary, so that ranges nest, touch and repeat all the time; both ends of the address space
# come up often.
CORNERS = st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1, 0x0A000000, 0x0A0000FF])
NEAR = st.tuples(CORNERS, st.integers(-300, 300)).map(lambda pair: (pair[0] + pair[1]) % 2**32)
LENGTHS = st.one_of(st.sampled_from([0, 1, 31, 32]), st.integers(0, 32), st.integers(22, 32))


@st.composite
def ranges(draw: st.DrawFn) -> int:
    address, length = draw(NEAR), draw(LENGTHS)
    return range_holding(address, length)


def oracle(lists: dict[str, list[int]], address: int) -> tuple[str, str] | None:
    """The list and range that cover an address: the narrowest, then the first list."""
    matches = [
        (-network.prefixlen, name, str(network).removesuffix("/32"))
        for name, packed in lists.items()
        for network in (ipaddress.ip_network(format_range(packed_range)) for packed_range in packed)
        if ipaddress.IPv4Address(address) in network
    ]
    return min(matches)[1:] if matches else None


def verdict(intervals: Intervals, address: int) -> tuple[str, str] | None:
    owner = intervals.find(address)
    if not owner:
        return None
    length, name = owner
    return name, format_range(range_holding(address, length))


def probes(packed: list[int]) -> list[int]:
    """The addresses at which an answer can change, and their neighbours."""
    edges = {0, 2**32 - 1}
    for packed_range in packed:
        for edge in (packed_range >> 6, last_address(packed_range)):
            edges |= {edge, max(edge - 1, 0), min(edge + 1, 2**32 - 1)}
    return sorted(edges)


@given(st.lists(ranges(), max_size=25))
@example([parse_range("0.0.0.0/0")])
@example([parse_range("255.255.255.255"), parse_range("255.255.255.254/31")])
@example([parse_range("10.0.0.0/24"), parse_range("10.0.1.0/24"), parse_range("10.0.0.0/23")])
def test_a_compiled_list_answers_as_the_oracle(packed: list[int]) -> None:
    """At every edge of every range, the most specific range is found, or none."""
    intervals = compiled("one", packed)
    for address in probes(packed):
        assert verdict(intervals, address) == oracle({"one": packed}, address)


@settings(max_examples=150)
@given(st.lists(st.lists(ranges(), min_size=1, max_size=8), min_size=1, max_size=7))
def test_a_union_answers_as_the_oracle(lists: list[list[int]]) -> None:
    """The union names the most specific range of all lists, and the first list between equals."""
    named = {f"list-{index}": packed for index, packed in enumerate(lists)}
    parts = [compiled(name, packed) for name, packed in reversed(named.items())]
    intervals = union(*parts)
    for address in probes([packed_range for packed in lists for packed_range in packed]):
        assert verdict(intervals, address) == oracle(named, address)


@given(st.lists(ranges(), max_size=40))
def test_coverage_counts_each_address_once(packed: list[int]) -> None:
    """The guard's figure is that of the collapsed networks."""
    networks = [ipaddress.IPv4Network(format_range(packed_range)) for packed_range in packed]
    wanted = sum(network.num_addresses for network in ipaddress.collapse_addresses(networks))
    assert wanted == asyncio.run(cooperative.run(coverage(sorted(packed))))


@given(st.lists(st.integers(0, 2**38 - 1), max_size=300), st.integers(0, 20))
def test_sorting_in_steps_is_sorting(values: list[int], copies: int) -> None:
    """Whatever the order and the number of runs, the result is the sorted list."""
    spread = [(value * 2654435761 + copy) % 2**38 for copy in range(copies) for value in values]
    many = values + spread
    assert sorted(many) == asyncio.run(cooperative.run(in_order(many)))


def test_intervals_cover_the_address_space_in_order() -> None:
    """The first interval begins at 0 and each later one after the one before."""
    intervals = compiled("one", [parse_range("0.0.0.0"), parse_range("255.255.255.255")])
    assert intervals.starts == array("I", [0, 1, 2**32 - 1])
    assert list(intervals.owners) == [33, 0, 33]


def test_a_long_list_is_compiled_in_many_steps() -> None:
    """Compiling pauses after every few thousand ranges, so that nobody waits for all of it."""
    packed = [parse_range(f"10.{a}.{b}.0/24") for a in range(80) for b in range(0, 256, 2)]
    assert len(list(compile_list("one", packed))) >= 3 * len(packed) // STEP


def test_a_range_takes_at_most_24_bytes() -> None:
    """100,000 scattered ranges are held in less than 24 bytes each, alone and in a union."""
    packed = [
        parse_range(f"{a}.{b}.{c}.77")
        for a in range(10, 20)
        for b in range(100)
        for c in range(100)
    ]
    alone = compiled("one", packed)
    assert alone.size() / len(packed) < 24
    assert union(alone, compiled("two", packed[:10])).size() / len(packed) < 24


@given(
    st.lists(ranges(), min_size=1, max_size=30),
    st.lists(ranges(), max_size=10),
    st.lists(st.integers(0, 99), max_size=10),
)
def test_an_amended_list_decides_as_one_that_was_compiled(
    before: list[int], coming: list[int], leaving: list[int]
) -> None:
    """Ranges that come, and then ranges that go, each as one change."""
    intervals = compiled("l", before)
    now = set(before) | set(coming)
    held = apply_patches(
        intervals, parse_patches(" ".join(f"+{format_range(packed)}" for packed in now))
    )
    assert held is not None
    gone = {sorted(now)[index % len(now)] for index in leaving}
    staying = now - gone
    held = apply_patches(held, parse_patches(" ".join(told(packed, staying) for packed in gone)))
    assert held is not None
    expected = compiled("l", sorted(staying))
    for address in probes([*before, *coming]):
        assert verdict(held, address) == verdict(expected, address)
    assert all(a != b for a, b in itertools.pairwise(held.owners))


def told(gone: int, staying: set[int]) -> str:
    """A range that goes, as the store tells of it."""
    holding = [
        packed & 63
        for packed in staying
        if packed & 63 < gone & 63 and packed >> 6 <= gone >> 6 <= last_address(packed)
    ]
    return f"-{format_range(gone)}" + (f">{max(holding)}" if holding else "")


def test_a_range_over_many_others_is_not_amended() -> None:
    """It would take long: such a list is compiled again, in steps."""
    many = compiled("l", [parse_range(f"10.{n >> 8}.{n & 255}.0/24") for n in range(0, 9000, 2)])
    assert apply_patches(many, parse_patches("+10.0.0.0/8")) is None
    assert apply_patches(many, parse_patches("+10.0.0.0/16")) is not None
