"""Client addresses behind proxies, against a slow and obvious oracle; the cases are in tests/cases/forwarded."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipgate.domain.addresses import format_address, parse_address
from ipgate.domain.forwarded import NO_PROXIES, TrustedProxies, client_address

TRUSTED = ("10.0.0.0/8", "192.0.2.128/25", "203.0.113.7", "2001:db8::/33", "::1")
NEAR = (
    *("10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0", "192.0.2.127", "192.0.2.128"),
    *("203.0.113.6", "203.0.113.7", "2001:db8::", "2001:db8:8000::", "2001:db7::", "::1", "::2"),
)

IPV4 = st.integers(0, 2**32 - 1).map(lambda value: str(IPv4Address(value)))
IPV6 = st.integers(0, 2**128 - 1).map(lambda value: str(IPv6Address(value)))
ADDRESSES = st.sampled_from(NEAR) | IPV4 | IPV6
HOPS = st.lists(ADDRESSES, max_size=6)


def canonical(text: str) -> str:
    address = ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def is_trusted(text: str) -> bool:
    return any(ip_address(canonical(text)) in ip_network(range_) for range_ in TRUSTED)


def oracle(peer: str, hops: list[str]) -> str:
    """The first address, from the peer backwards, that is not trusted."""
    return next((canonical(hop) for hop in [peer, *reversed(hops)] if not is_trusted(hop)), "")


def found(peer: str, x_forwarded_for: list[str], forwarded: list[str] | None = None) -> str:
    trusted = TrustedProxies(TRUSTED)
    address = client_address(peer, x_forwarded_for, forwarded or [], trusted)
    return "" if address is None else canonical(format_address(address))


def node(address: str, port: int | None) -> str:
    text = f"[{address}]" if ":" in address else address
    return text if port is None else f"{text}:{port}"


@given(ADDRESSES, HOPS, st.none() | st.integers(0, 65535))
def test_the_first_untrusted_address_is_the_clients(
    peer: str, hops: list[str], port: int | None
) -> None:
    """In either header, however its hops are spread over lines, with and without ports."""
    wanted = oracle(peer, hops)
    texts = [node(hop, port) for hop in hops]
    elements = [f'for="{text}"' for text in texts]
    assert found(node(peer, port), [",".join(texts)]) == wanted
    assert found(node(peer, port), texts) == wanted
    assert found(node(peer, port), [], [" , ".join(elements)]) == wanted
    assert found(node(peer, port), texts, elements) == wanted


@given(st.text(), HOPS, ADDRESSES.filter(lambda address: not is_trusted(address)))
def test_what_a_client_sends_never_changes_its_address(
    sent: str, proxies: list[str], client: str
) -> None:
    """Proxies of our own add the client's address and their own ones on the right."""
    proxies = [proxy for proxy in proxies if is_trusted(proxy)]
    chain = [client, *proxies]
    assert found("10.0.0.1", [sent, *chain]) == canonical(client)
    assert found("10.0.0.1", [",".join([sent, *chain])]) == canonical(client)
    forwarded = [f'for="{node(address, None)}"' for address in chain]
    assert found("10.0.0.1", [], [sent, *forwarded]) in (canonical(client), "")
    assert found("10.0.0.1", chain, [sent]) in (canonical(client), "")


@given(st.text(), st.lists(st.text()), st.lists(st.text()))
def test_any_text_gives_an_address_or_none(
    peer: str, x_forwarded_for: list[str], forwarded: list[str]
) -> None:
    """Nothing raises; an address comes from the peer or from a hop."""
    address = client_address(peer, x_forwarded_for, forwarded, TrustedProxies(TRUSTED))
    assert address is None or format_address(address)


@given(ADDRESSES)
def test_nobody_is_trusted_by_default(peer: str) -> None:
    """The peer is the client."""
    address = client_address(peer, ["192.0.2.1"], ["for=192.0.2.1"], NO_PROXIES)
    assert address == parse_address(peer)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [
        " " * 200_000 + "@",
        "for=" + "x" * 200_000 + "@",
        'for="' + "\\a" * 100_000,
        "for=1;" * 50_000 + "@",
    ],
)
def test_no_header_takes_long_to_read(text: str) -> None:
    """The work grows with the length of a header, and not with its square."""
    assert found("10.0.0.1", [], [text]) == ""
    assert found("10.0.0.1", [text]) == ""


@pytest.mark.parametrize("entry", ["10.0.0.0/33", "proxy", "10.0.0.1/8", "", "Unix"])
def test_what_is_no_range_can_not_be_trusted(entry: str) -> None:
    """A misspelled entry is rejected."""
    with pytest.raises(ValueError, match=f"^'{entry}' ."):
        TrustedProxies([entry])
