"""The search inside an allow list, against `ipaddress`."""

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st
from ipgate.admin.range_pages import matching

BITS = st.integers(0, 2**32 - 1)
LENGTHS = st.integers(0, 32)
NEAR = st.integers(0, 7)


def network(bits: int, length: int) -> str:
    return str(ip_network((bits, length), strict=False))


@given(BITS, LENGTHS, NEAR, LENGTHS)
def test_a_range_finds_what_overlaps_with_it(
    bits: int, length: int, near: int, other_length: int
) -> None:
    """Two ranges overlap exactly if one holds the other; neighbours do not."""
    stored, wanted = network(bits, length), network(bits ^ near, other_length)
    expected = ip_network(stored).overlaps(ip_network(wanted))
    assert matching(wanted)(stored, "") == expected
    assert not matching("2001:db8::/32")(stored, "")
