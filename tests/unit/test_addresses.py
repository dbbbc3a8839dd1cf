"""Client addresses and ranges: exactly the strict forms, checked against `ipaddress`."""

import ipaddress
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipgate.domain.addresses import (
    IPV6,
    BadRange,
    enclosing_ranges,
    format_address,
    format_range,
    last_address,
    parse_address,
    parse_range,
    range_holding,
)

ADDRESSES = st.integers(0, 2**32 - 1)
ALMOST = st.text(alphabet="0123456789abcdf.:/ -x%\n\0", max_size=24)


def test_every_ipv4_address_is_read_as_ipaddress_reads_it() -> None:
    """All ends of all octets are read right."""
    for value in (0, 1, 255, 256, 65535, 2**24, 2**31, 2**32 - 1):
        assert value == parse_address(str(ipaddress.IPv4Address(value)))


@given(ALMOST)
def test_what_ipaddress_refuses_is_refused(text: str) -> None:
    """No text is taken for an address that the standard library does not take for the same one."""
    try:
        parsed = parse_address(text)
    except ValueError:
        return
    wanted = ipaddress.ip_address(text)
    if isinstance(wanted, ipaddress.IPv6Address):
        mapped = wanted.ipv4_mapped
        assert parsed == (IPV6 | int(wanted) if mapped is None else int(mapped))
    else:
        assert parsed == int(wanted)


@given(st.ip_addresses())
def test_what_ipaddress_writes_is_read(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """Every well-formed address is accepted, and written in the same way."""
    parsed = parse_address(str(address))
    if address.version == 4:
        assert parsed == int(address)
    elif address.ipv4_mapped is None:
        assert parsed == IPV6 | int(address)
        assert format_address(parsed) == str(address)


@given(st.integers(0, 2**128 - 1), st.integers(0, 15), st.integers(0, 15))
def test_ipv6_is_written_as_rfc_5952_says(address: int, first: int, last: int) -> None:
    """The longest run of zeros is left out, whatever it is, and no dotted quad is written."""
    zeros = sum(0xFF << 8 * byte for byte in range(min(first, last), max(first, last) + 1))
    value = address & ~zeros
    plain = ipaddress.IPv6Address(value)
    assert format_address(IPV6 | value) == (
        str(plain)
        if plain.ipv4_mapped is None
        else f"::ffff:{value >> 16 & 0xFFFF:x}:{value & 0xFFFF:x}"
    )


@given(st.ip_addresses(), st.integers(0, 128))
def test_a_range_survives_being_written_and_read(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, length: int
) -> None:
    """Parsing the canonical text of a range gives the range; its bounds are those of `ipaddress`."""
    length = min(length, address.max_prefixlen)
    network = ipaddress.ip_network((address, length), strict=False)
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped:
        return
    packed = parse_range(str(network))
    assert packed == parse_range(format_range(packed))
    assert format_range(packed) == str(network).removesuffix(f"/{address.max_prefixlen}")
    flag = IPV6 if address.version == 6 else 0
    assert last_address(packed) == flag | int(network.broadcast_address)
    assert range_holding(flag | int(address), length) == packed
    if flag and not ipaddress.IPv6Address(int(address)).ipv4_mapped and length == 128:
        wider = [ipaddress.ip_network((address, wide), strict=False) for wide in range(127, -1, -1)]
        for text, found in zip(wider, enclosing_ranges(packed), strict=True):
            assert ipaddress.ip_network(format_range(found)) == text


def test_an_address_and_its_slash_32_are_the_same_range() -> None:
    """`198.51.100.73/32` is written `198.51.100.73`."""
    assert parse_range("198.51.100.73/32") == parse_range("198.51.100.73")
    assert format_range(parse_range("198.51.100.73/32")) == "198.51.100.73"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("::1/127", "host bits"),
        ("2001:db8::/129", "0 to 128"),
        ("2001:db8::/x", "0 to 128"),
        ("2001:db8::/064", "leading zero"),
        ("2001:db8::1%eth0", "has a zone"),
        ("2001:db8::1 HQ", "next to the address"),
        ("2001:db8::1 2001:db8::2", "more than one address"),
        ("2001:db8::-2001:db8::1", "use '2001:db8::/127'"),
        ("::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "write it as CIDR ranges"),
        ("2001:db8::9-2001:db8::1", "ends before it begins"),
        ("2001:db8:::1", "is not an IP address"),
        ("::ffff:192.0.2.1", "use '192.0.2.1'"),
        ("192.0.2.0/255.255.255.0", "has a netmask"),
        ("192.0.2.0/0.0.0.255", "has a hostmask"),
        ("0.0.0.0/0.0.0.0", "one address or all"),
        ("192.0.2.0/08", "leading zero"),
        ("192.0.2.0/00", "leading zero"),
        ("192.0.2.0/33", "0 to 32"),
        ("192.0.2.0/-1", "0 to 32"),
        ("192.0.2.0/", "0 to 32"),
        ("192.0.2.0/+8", "0 to 32"),
        ("192.0.2.0/٨", "0 to 32"),
        ("192.0.2.0/8/8", "0 to 32"),
        ("192.0.2.0 /24", "a space"),
        (" 192.0.2.0", "a space"),
        ("192.0.2.0\n", "a space"),
        ("192.0.2.0/24\n", "a space"),
        ("192.0.2.1-192.0.2.9", "dash range"),
        ("192.0.2.01", "leading zero"),
        ("192.0.2", "is not an IP address"),
        ("192.0.2.256", "above 255"),
        ("0x0a.0.0.1", "is not an IP address"),
        ("１92.0.2.1", "not ASCII"),
        ("192.0.2.1\0", "next to the address"),
        ("example.com", "is not an IP address"),
        ("192.0.2.*", "has a wildcard"),
    ],
)
def test_a_bad_range_is_refused_with_its_value_and_reason(text: str, reason: str) -> None:
    """The message shows the value, on one line, and says what is wrong with it."""
    with pytest.raises(BadRange) as failed:
        parse_range(text)
    assert reason in str(failed.value)
    assert str(failed.value).startswith("'")
    assert str(failed.value).isprintable()


def test_host_bits_are_refused_with_the_network_meant() -> None:
    """`198.51.100.9/24` suggests the address alone, and the network with its size."""
    with pytest.raises(
        BadRange, match=r"host bits .*'198\.51\.100\.9' .*'198\.51\.100\.0/24' for all 256"
    ):
        parse_range("198.51.100.9/24")


@given(ALMOST)
def test_no_text_is_a_range_that_ipaddress_does_not_know(text: str) -> None:
    """Whatever is accepted means the same to the standard library."""
    try:
        packed = parse_range(text)
    except BadRange:
        return
    network = ipaddress.ip_network(text)
    assert format_range(packed) == str(network).removesuffix(f"/{network.max_prefixlen}")


BAD_RANGES = [
    "192.0.2.10-192.0.2.20", "192.0.2.10-20", "192.0.2.1 - 192.0.2.2", "198.51.100.0/255.255.255.0",
    "198.51.100.0 255.255.255.0", "198.51.100.0 0.0.0.255", "198.51.100.9/255.255.255.0",
    "198.51.100.0 netmask 255.255.255.0",  "192.0.2.1:443",
    "192.0.2.0/24:443", "http://192.0.2.1", "https://u:p@192.0.2.1:8080/x", "::ffff:1.2.3.4",
    "::ffff:1.2.3.0/120", "010.1.2.3", "1.2.3.0/08", "１.2.3.4", " 1.2.3.4", "1.2.3.0 / 24", "1.2.3.4\n",
    "10/8", "10.0/16", "192.0.2.*", "10.*.*.*", "allow 192.0.2.1;", "add office 192.0.2.0/24",
    "-A INPUT -s 192.0.2.0/24 -j ACCEPT", '"192.0.2.0/24"', "192.0.2.1 HQ", "192.0.2.1,HQ",
    "- 192.0.2.0/24", "198.51.100.9/24", "0.0.0.1-255.255.255.254",
    "2001:db8::1/64", "[2001:db8::1]:443", "fe80::1%eth0", " 2001:db8::/32", "2001:DB8::/032", "https://[2001:db8::1]/x",
    "2001:db8::1 HQ", "2001:db8::1-2001:db8::9",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_RANGES)
def test_every_remedy_works_when_followed_to_the_letter(text: str) -> None:
    """Each quoted remedy is a range in canonical form; the first, or all of a dash range together,
    covers no more than the text names, unless the remedy says how many addresses it covers."""
    with pytest.raises(BadRange) as failed:
        parse_range(text)
    reason, _, remedy = str(failed.value).partition("; use ")
    remedies = re.findall(r"'([^']*)'", remedy)
    assert remedies, reason
    for range_ in remedies:
        assert format_range(parse_range(range_)) == range_
    if "dash" not in reason and len(remedies) > 1:
        network = ipaddress.ip_network(remedies[1])
        count = f"{network.num_addresses:,}"
        assert (count if network.version == 4 else f"2^{128 - network.prefixlen}") in remedy
    if ":" in remedies[0]:
        assert remedies[0].partition("/")[0] in text.lower()
        return
    first = re.search(r"[0-9.]+", unicodedata.normalize("NFKC", text.removeprefix("::ffff:")))
    assert first is not None
    normal = ".".join(str(int(part)) for part in first[0].strip(".").split(".") if part)
    assert remedies[0].startswith(normal)


def test_a_dash_range_becomes_exactly_its_addresses() -> None:
    """The listed ranges together are the addresses from the first to the last, and no other."""
    with pytest.raises(BadRange) as failed:
        parse_range("192.0.2.10-192.0.2.20")
    listed = [ipaddress.ip_network(text) for text in re.findall(r"'([0-9./]+)'", str(failed.value))]
    addresses = sorted(int(address) for network in listed for address in network)
    first, last = (int(ipaddress.ip_address(f"192.0.2.{end}")) for end in (10, 20))
    assert addresses == list(range(first, last + 1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("192.0.2.1:443", "has a port"),
        ("http://192.0.2.1", "is a URL"),
        ("[2001:db8::1]:443", "has brackets, or a port"),
        ("fe80::1%eth0", "has a zone"),
        ("192.0.2.20-192.0.2.10", "ends before it begins"),
        ("deny 192.0.2.1", "more than one address, or words"),
        ("!192.0.2.1", "more than one address, or words"),
        ("-A INPUT -s 192.0.2.1/32 -j DROP", "more than one address, or words"),
        ("192.0.2.0/24 nomatch", "more than one address, or words"),
        ('["192.0.2.0/24", "198.51.100.0/24"]', "more than one address"),
        ("192.0.2.1, 192.0.2.2", "more than one address"),
        ("192.0.2.1 192.0.2.2", "more than one address"),
        ("192.0.2.1-192.0.2.9 Berlin", "more than one address"),
        ("192.0.2.1 to 192.0.2.9", "more than one address"),
        ("192.0.2.0/255.255.255.0 Berlin", "more than one address"),
        ("permit 192.0.2.0 0.0.0.255", "more than one address"),
        ("1.2.3.4/255.0.255.0", "netmask with gaps"),
        ("https://admin:hunter2@example.com/", "is a URL"),
        (
            "192.0.2.1 ipg_0000000000000000000000000000000000000000000abcdef12",
            "next to the address",
        ),
    ],
)
def test_what_is_wrong_is_called_by_its_name(text: str, said: str) -> None:
    """Ports and URLs are not taken for IPv6, and no secret is repeated."""
    with pytest.raises(BadRange) as failed:
        parse_range(text)
    assert said in str(failed.value)
    assert "hunter2" not in str(failed.value)
    assert "abcdef12" not in str(failed.value)
