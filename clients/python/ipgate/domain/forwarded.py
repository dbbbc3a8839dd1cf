"""The address of a client behind proxies.

Any client can send `X-Forwarded-For` and `Forwarded`. What they say counts only as far as proxies of our own
wrote it: each of them adds the address that it was called from on the right.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from ipgate.domain.addresses import (
    LAST_IPV4,
    PREFIX_MASK,
    is_ipv6_range,
    parse_address,
    parse_range,
    range_holding,
)

UNIX = "unix"
"""The peer at the other end of a Unix socket, and the entry of `TrustedProxies` that trusts it."""

MAX_HOPS = 32
"""Trusted hops that are walked. Real chains have fewer than ten, and each hop costs a look-up."""

_MAX_PAIRS = 64
"""Parameters of `Forwarded`. Unlike hops they are all read, and anybody may send many."""

_NODE = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<ipv4>[0-9.]+))"
    r"(?::(?:(?P<port>[0-9]{1,5})|_[0-9A-Za-z._-]+))?"
)
"""An address with or without a port; that of IPv6 in brackets (RFC 7239, section 6)."""

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_PAIR = re.compile(
    rf'[ \t]*+(?:(?P<name>{_WORD})=(?:(?P<token>{_WORD})|"(?P<quoted>(?:[^"\\]|\\.)*+)")[ \t]*+)?'
    r"(?P<end>[;,]|\Z)"
)
"""A parameter of `Forwarded`, or none, and what ends it (RFC 7239, section 4)."""
_ESCAPED = re.compile(r"\\(.)")


class TrustedProxies:
    """The CIDR ranges of the proxies whose headers are believed.

    `entries`: ranges as in allow lists, or `unix`. Raises BadRange, a ValueError that has the remedy.
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        texts = set(entries)
        self.unix = UNIX in texts
        self._ranges = frozenset(parse_range(text) for text in texts - {UNIX})
        lengths = {(is_ipv6_range(packed), packed & PREFIX_MASK) for packed in self._ranges}
        self._ipv4 = tuple(length for is_ipv6, length in lengths if not is_ipv6)
        self._ipv6 = tuple(length for is_ipv6, length in lengths if is_ipv6)

    def __contains__(self, address: int) -> bool:
        lengths = self._ipv4 if address <= LAST_IPV4 else self._ipv6
        return any(range_holding(address, length) in self._ranges for length in lengths)


NO_PROXIES = TrustedProxies()
"""Nobody's headers are believed: the peer is the client."""


def client_address(
    peer: str,
    x_forwarded_for: Iterable[str],
    forwarded: Iterable[str],
    trusted: TrustedProxies,
) -> int | None:
    """Return the address of the client, as `parse_address` gives it; None if none follows.

    `peer` is the other end of the connection: an address, with or without a port, or `unix`. The headers are
    given as their values, in their order. They are walked from the right while the hop is trusted; the first
    address that is not trusted is the client's. The headers of a peer that is not trusted say nothing.

    Where both headers are there, they must agree: a proxy may set one of them, and pass on the other as the client
    sent it.
    """
    if not (peer == UNIX and trusted.unix):
        address = _address(peer)
        if address is None or address not in trusted:
            return address
    return forwarded_address(x_forwarded_for, forwarded, trusted)


def forwarded_address(
    x_forwarded_for: Iterable[str], forwarded: Iterable[str], trusted: TrustedProxies
) -> int | None:
    """Return the address that follows from the headers of a peer that is trusted, None if none does."""
    x_text, text = ",".join(x_forwarded_for), ",".join(forwarded)
    walks = []
    if x_text:
        walks.append(map(_address, reversed(x_text.rsplit(",", MAX_HOPS))))
    if text:
        walks.append(map(_node_address, reversed(_for_parameters(text))))
    clients = {_first_untrusted(walk, trusted) for walk in walks}
    return clients.pop() if len(clients) == 1 else None


def _first_untrusted(addresses: Iterator[int | None], trusted: TrustedProxies) -> int | None:
    for address in islice(addresses, MAX_HOPS):
        if address is None or address not in trusted:
            return address
    return None


def _address(text: str) -> int | None:
    """Return an address with or without a port, None for anything else."""
    text = text.strip(" \t")
    return _bare_address(text) if text.count(":") > 1 and text[0] != "[" else _node_address(text)


def _node_address(text: str) -> int | None:
    """Return an address as in `Forwarded`, where that of IPv6 has brackets; None for anything else."""
    node = _NODE.fullmatch(text)
    if node is None or int(node["port"] or 0) > 0xFFFF:
        return None
    # IPv4 in brackets is no address, but parses as one.
    if node["ipv6"] and ":" not in node["ipv6"]:
        return None
    return _bare_address(node["ipv6"] or node["ipv4"])


def _bare_address(text: str) -> int | None:
    try:
        return parse_address(text)
    except ValueError:
        return None


def _for_parameters(text: str) -> list[str]:
    """Return what each element of `Forwarded` says the hop was for, "" if it does not say.

    A header that is not well-formed says nothing at all: it may have swallowed what a proxy added.
    """
    if text.count(",") + text.count(";") > _MAX_PAIRS:
        return []
    hops: list[str] = []
    hop: str | None = None
    position = 0
    while True:
        pair = _PAIR.match(text, position)
        if pair is None:
            return []
        if (pair["name"] or "").lower() == "for":
            if hop is not None:
                return []
            hop = pair["token"] or _ESCAPED.sub(r"\1", pair["quoted"])
        if pair["end"] != ";":
            hops.append(hop or "")
            hop = None
        if not pair["end"]:
            return hops
        position = pair.end()
