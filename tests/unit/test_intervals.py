"""Compiled lists and unions against a naive oracle, over sets made to be awkward, of both families."""

import asyncio
import ipaddress
import itertools
from array import array
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ipgate import cooperative
from ipgate.domain.addresses import (
    IPV6,
    LAST_IPV4,
    LAST_IPV6,
    PREFIX_BITS,
    PREFIX_MASK,
    format_address,
    format_range,
    last_address,
    parse_range,
    range_holding,
)
from ipgate.domain.intervals import (
    STEP,
    Intervals,
    block_count,
    compile_list,
    compile_union,
    coverage,
    in_order,
)
from ipgate.domain.list_patch import apply_patches, format_patch, parse_patches
from ipgate.domain.validity import ALWAYS, NEVER, Validity

Valid = dict[int, Validity]


def compiled(name: str, ranges: Sequence[int], valid: Valid | None = None) -> Intervals:
    return asyncio.run(cooperative.run(compile_list(name, ranges, valid)))


def union(*lists: Intervals) -> Intervals:
    return asyncio.run(cooperative.run(compile_union(lists)))


# Few bits vary, so that ranges nest, touch and repeat all the time; both ends of the address spaces, and of the
# halves in which IPv6 is held, come up often.
CORNERS = st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1, 0x0A000000, 0x0A0000FF])
NEAR = st.tuples(CORNERS, st.integers(-300, 300)).map(lambda pair: (pair[0] + pair[1]) % 2**32)
LENGTHS = st.one_of(st.sampled_from([0, 1, 31, 32]), st.integers(0, 32), st.integers(22, 32))
CORNERS6 = st.sampled_from([0, 2**64 - 1, 2**64, 2**127, 2**128 - 1, 0x20010DB8 << 96])
NEAR6 = st.tuples(CORNERS6, st.integers(-300, 300), st.sampled_from([1, 2**64])).map(
    lambda parts: (parts[0] + parts[1] * parts[2]) % 2**128 | IPV6
)
LENGTHS6 = st.one_of(
    st.sampled_from([0, 1, 63, 64, 65, 127, 128]), st.integers(0, 128), st.integers(118, 128)
)
TIMES = st.integers(0, 4)
"""Instants of the tests, few enough that boundaries coincide."""

VALIDITIES = st.one_of(
    st.just(ALWAYS), st.just(NEVER), st.builds(Validity, TIMES, TIMES).filter(lambda v: v != ALWAYS)
)


@st.composite
def ranges(draw: st.DrawFn) -> int:
    if draw(st.booleans()):
        return range_holding(draw(NEAR), draw(LENGTHS))
    return range_holding(draw(NEAR6), draw(LENGTHS6))


def oracle(lists: Mapping[str, Sequence[int]], address: int) -> tuple[str, str] | None:
    """The list and range that cover an address: the narrowest, then the first list."""
    plain = ipaddress.ip_address(format_address(address))
    matches = [
        (-network.prefixlen, name, str(network).removesuffix(f"/{network.max_prefixlen}"))
        for name, packed in lists.items()
        for network in (ipaddress.ip_network(format_range(packed_range)) for packed_range in packed)
        if plain in network
    ]
    return min(matches)[1:] if matches else None


def verdict(intervals: Intervals, address: int, now: int = 0) -> tuple[str, str] | None:
    plain = intervals.conditional is None
    hit = intervals.find(address) if plain else intervals.find_at(address, now)
    if not hit:
        return None
    length, name = hit
    return name, format_range(range_holding(address, length))


def probes(packed: Sequence[int]) -> list[int]:
    """The addresses at which an answer can change, and their neighbours."""
    edges = {0, LAST_IPV4, IPV6, LAST_IPV6}
    for packed_range in packed:
        for edge in (packed_range >> PREFIX_BITS, last_address(packed_range)):
            first, last = (0, LAST_IPV4) if edge <= LAST_IPV4 else (IPV6, LAST_IPV6)
            edges |= {edge, max(edge - 1, first), min(edge + 1, last)}
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


@given(
    st.dictionaries(ranges(), VALIDITIES, min_size=1, max_size=15),
    st.sampled_from(["all", "one by one"]),
)
def test_only_what_counts_decides(validities: Valid, how: str) -> None:
    """At every instant a list answers as the oracle does for the ranges that count then, however it came about."""
    valid = {packed: v for packed, v in validities.items() if v != ALWAYS}
    if how == "all":
        intervals = compiled("one", list(validities), valid)
    else:
        intervals = compiled("one", [])
        known: set[int] = set()
        for packed, v in validities.items():
            known.add(packed)
            text = format_patch(
                format_range(packed), present=True, outer=outer(packed, known), valid=v
            )
            patched = apply_patches(intervals, parse_patches(text))
            assert patched is not None
            intervals = patched
    assert (intervals.conditional is not None) == bool(valid)
    for now in range(5):
        counting = [packed for packed, v in validities.items() if v.holds(now)]
        for address in probes(list(validities)):
            assert verdict(intervals, address, now) == oracle({"one": counting}, address)


def test_a_union_takes_no_ranges_that_do_not_always_count() -> None:
    """It could not tell which other range decides where one of them does not count."""
    packed = parse_range("192.0.2.0/24")
    with pytest.raises(ValueError, match="no union"):
        union(compiled("a", [packed]), compiled("b", [packed], {packed: NEVER}))


@given(st.lists(ranges(), max_size=40))
def test_coverage_counts_each_address_once(packed: list[int]) -> None:
    """The guard's figure is that of the collapsed networks; of IPv6 it counts /64 blocks, in part or whole."""
    networks = [ipaddress.ip_network(format_range(packed_range)) for packed_range in packed]
    narrow = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    wide = [network for network in networks if isinstance(network, ipaddress.IPv6Network)]
    blocks = [
        network if network.prefixlen <= 64 else network.supernet(new_prefix=64) for network in wide
    ]
    covered = asyncio.run(cooperative.run(coverage(sorted(packed))))
    assert covered.addresses == sum(
        network.num_addresses for network in ipaddress.collapse_addresses(narrow)
    )
    assert covered.blocks == sum(
        network.num_addresses >> 64 for network in ipaddress.collapse_addresses(blocks)
    )
    for packed_range in packed:
        alone = asyncio.run(cooperative.run(coverage([packed_range])))
        assert sum(alone) == block_count(packed_range)


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


def test_a_range_of_ipv6_takes_at_most_60_bytes() -> None:
    """100,000 scattered ranges are held in less than that each."""
    packed = [
        parse_range(f"2001:db8:{a:x}:{b:x}::/64") for a in range(1000) for b in range(0, 200, 2)
    ]
    assert compiled("one", packed).size() / len(packed) < 60


@given(
    st.dictionaries(ranges(), VALIDITIES, min_size=1, max_size=20),
    st.dictionaries(ranges(), VALIDITIES, max_size=10),
    st.lists(st.integers(0, 99), max_size=10),
)
def test_a_patched_list_decides_as_one_that_was_compiled(
    before: Valid, coming: Valid, leaving: list[int]
) -> None:
    """Ranges that come or count at other times, and then ranges that go, each as one change."""
    after = before | coming
    held = changed(compiled("l", list(before), conditional(before)), after, after)
    gone = {sorted(after)[index % len(after)] for index in leaving}
    staying = {packed: valid for packed, valid in after.items() if packed not in gone}
    held = changed(held, dict.fromkeys(gone), staying)
    expected = compiled("l", list(staying), conditional(staying))
    for now in range(5):
        for address in probes(list(after)):
            assert verdict(held, address, now) == verdict(expected, address, now)
    assert all(a != b for a, b in itertools.pairwise(held.owners))
    assert all(a != b for a, b in itertools.pairwise(held.owners6 or ()))
    assert (held.conditional is None) == (not conditional(staying))
    assert (held.owners6 is None) == all(packed < IPV6 << PREFIX_BITS for packed in staying)


def conditional(validities: Valid) -> Valid:
    return {packed: valid for packed, valid in validities.items() if valid != ALWAYS}


def changed(
    intervals: Intervals, changes: Mapping[int, Validity | None], after: Mapping[int, object]
) -> Intervals:
    """Apply a change as the store tells of it; None stands for a range that goes."""
    words = [
        format_patch(
            format_range(packed),
            present=valid is not None,
            outer=outer(packed, after),
            valid=valid or ALWAYS,
        )
        for packed, valid in changes.items()
    ]
    patched = apply_patches(intervals, parse_patches(" ".join(words)))
    assert patched is not None
    return patched


def outer(packed: int, ranges: Mapping[int, object] | set[int]) -> int | None:
    """The prefix length of the most specific range around another one."""
    holding = [
        wider & PREFIX_MASK
        for wider in ranges
        if wider & PREFIX_MASK < packed & PREFIX_MASK
        and wider >> PREFIX_BITS <= packed >> PREFIX_BITS <= last_address(wider)
    ]
    return max(holding, default=None)


def test_a_range_over_many_others_is_not_patched() -> None:
    """It would take long: such a list is compiled again, in steps."""
    packed = [parse_range(f"10.{n >> 8}.{n & 255}.0/24") for n in range(0, 9000, 2)]
    for many in (compiled("l", packed), compiled("l", packed, dict.fromkeys(packed, NEVER))):
        assert apply_patches(many, parse_patches("+10.0.0.0/8")) is None
        assert apply_patches(many, parse_patches("+10.0.0.0/16")) is not None


@pytest.mark.parametrize(
    "word", ["*10.0.0.0/8", "+10.0.0.0/8>x", "+10.0.0.0/8>9", "-10.0.0.1/8", "+::/8@1"]
)
def test_what_is_no_patch_is_refused(word: str) -> None:
    """A later version's words are not half understood."""
    with pytest.raises(ValueError, match=r"patch|range|host bits|invalid literal"):
        parse_patches(word)
