"""Why a text is not a range, and what to write instead (docs/range-files.md).

A remedy is quoted, works as it stands, and says so where it covers more than the text did.
"""

import re
import unicodedata
from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    NetmaskValueError,
    summarize_address_range,
)

from ipgate.domain.errors import quoted

_LONGEST = 200
_MAX_LISTED = 64
_EXAMPLE = "give an IP address or CIDR range, as in '198.51.100.73' or '198.51.100.0/24'"

_OCTET = r"[0-9]{1,3}"
_ADDRESS = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_RANGE = rf"{_ADDRESS}(?:/[0-9]{{1,2}})?"
_PLAIN = re.compile(rf"({_ADDRESS})(?:/([0-9]{{1,2}}))?")
_WIDE = r"[0-9a-fA-F]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*"
_WIDE_RANGE = rf"{_WIDE}(?:/[0-9]{{1,3}})?"
_DASH = re.compile(rf"({_ADDRESS})\s*[-\u2013]\s*({_ADDRESS}|{_OCTET})")
_WIDE_DASH = re.compile(rf"({_WIDE})\s*[-\u2013]\s*({_WIDE})")
_MASK = re.compile(rf"({_ADDRESS})(?:/|\s+)(?:netmask\s+)?({_ADDRESS})")
_PORT = re.compile(rf"({_RANGE}):[0-9]{{1,5}}")
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://(?:[^/@]*@)?(\[[^\]]*\]|[^/:?#]+)(.*)")
_WILDCARD = re.compile(rf"({_OCTET}(?:\.{_OCTET}){{0,2}})((?:\.\*){{1,3}})")
_SHORT = re.compile(rf"({_OCTET}(?:\.{_OCTET}){{0,2}})\.?/([0-9]{{1,2}})")
_NOT = re.compile(r"!|\b(deny|drop|reject|block|not?|nomatch|except|without)\b", re.IGNORECASE)
"""Words that turn the meaning of the address next to them round."""

_INSIDE = re.compile(
    rf"(?<![0-9.])({_RANGE})(?![0-9./])|(?<![0-9a-zA-Z.:])({_WIDE_RANGE})(?![0-9a-zA-Z./:])"
)


def explain(text: str) -> str:
    """Return what is wrong with a text that is no range, and the remedy."""
    if not text.strip():
        return f"is empty; {_EXAMPLE}"
    if len(text) > _LONGEST:
        return f"has {len(text)} characters; {_EXAMPLE}"
    for look in (
        _spaces,
        _digits,
        _plain,
        _dash,
        _mask,
        _port,
        _url,
        _ipv6,
        _wildcard,
        _short,
        _length,
    ):
        explanation = look(text)
        if explanation:
            return explanation
    return _neighbours(text) or "is not an IP address or CIDR range"


def _network(address: str, length: int | str) -> IPv4Network | None:
    """Return the network that a range stands for, whatever its host bits and leading zeros are."""
    try:
        plain = ".".join(str(int(octet)) for octet in address.split("."))
        return IPv4Network(f"{plain}/{int(length)}", strict=False)
    except (AddressValueError, NetmaskValueError, ValueError):
        return None


def _remedy(address: str, length: int | str | None) -> str:
    """`use '…'` for an address and a prefix length; "" if they are none."""
    network = _network(address, 32 if length is None else length)
    if network is None:
        return ""
    if network.prefixlen == 32:
        return f"use '{network.network_address}'"
    plain = IPv4Address(".".join(str(int(octet)) for octet in address.split(".")))
    if plain == network.network_address:
        return f"use '{network}'"
    return (
        f"use '{plain}' for this address alone, or '{network}' for all "
        f"{network.num_addresses:,} addresses of the range"
    )


def _spaces(text: str) -> str:
    compact = re.sub(r"\s*/\s*", "/", text.strip())
    remedy = _remedy_of(compact) if compact != text else ""
    return f"has a space; {remedy}" if remedy else ""


def _digits(text: str) -> str:
    if text.isascii():
        return ""
    remedy = _remedy_of(unicodedata.normalize("NFKC", text))
    return f"has characters that are not ASCII; {remedy}" if remedy else ""


def _plain(text: str) -> str:
    """Four numbers, and perhaps a prefix length, with something wrong about them."""
    match = _PLAIN.fullmatch(text)
    if not match:
        return ""
    address, length = match.groups()
    if any(int(octet) > 255 for octet in address.split(".")):
        return "has a number above 255; check the address"
    if length and int(length) > 32:
        return "has a prefix length that is not 0 to 32; check it"
    remedy = _remedy(address, length)
    if re.search(r"(?:^|\.)0[0-9]", address):
        return f"has a leading zero, which some programs read as octal; {remedy} if it is decimal"
    if length and len(length) > 1 and length[0] == "0":
        return f"has a leading zero in its prefix length; {remedy}"
    return f"has host bits set; {remedy}"


def _dash(text: str) -> str:
    match = _WIDE_DASH.fullmatch(text.strip())
    if match:
        return _wide_dash(*match.groups())
    match = _DASH.fullmatch(text.strip())
    if not match:
        return ""
    first, last = match.groups()
    if "." not in last:
        last = f"{first.rpartition('.')[0]}.{last}"
    begin, end = _network(first, 32), _network(last, 32)
    if begin is None or end is None:
        return "is a dash range with something that is no address; check both ends"
    if end < begin:
        return "is a dash range that ends before it begins; check both ends"
    blocks = summarize_address_range(begin.network_address, end.network_address)
    listed = ", ".join(f"'{_shortest(block)}'" for block in blocks)
    return f"is a dash range; use {listed}"


def _wide_dash(first: str, last: str) -> str:
    try:
        begin, end = IPv6Address(first), IPv6Address(last)
    except AddressValueError:
        return "is a dash range with something that is no address; check both ends"
    if end < begin:
        return "is a dash range that ends before it begins; check both ends"
    blocks = list(summarize_address_range(begin, end))
    if len(blocks) > _MAX_LISTED:
        return "is a dash range; write it as CIDR ranges"
    listed = ", ".join(f"'{_shortest(block)}'" for block in blocks)
    return f"is a dash range; use {listed}"


def _shortest(network: IPv4Network | IPv6Network) -> str:
    is_address = network.prefixlen == network.max_prefixlen
    return str(network.network_address if is_address else network)


def _mask(text: str) -> str:
    match = _MASK.fullmatch(text.strip())
    if not match:
        return ""
    address, mask = match.groups()
    number = _network(mask, 32)
    if number is None or _network(address, 32) is None:
        return "has an invalid netmask; write a prefix length, /0 to /32"
    bits = f"{int(number.network_address):032b}"
    if bits in ("0" * 32, "1" * 32):
        return "has a mask that could mean one address or all; write a prefix length, /0 to /32"
    if set(bits.lstrip("0")) == {"1"}:
        return f"has a hostmask; {_remedy(address, 32 - bits.count('1'))}"
    if set(bits.rstrip("0")) == {"1"}:
        return f"has a netmask; {_remedy(address, bits.count('1'))}"
    # Two addresses, if no slash says that it is a mask.
    return "has a netmask with gaps; write it as CIDR ranges" if "/" in text else ""


def _port(text: str) -> str:
    match = _PORT.fullmatch(text.strip())
    remedy = _remedy_of(match[1]) if match else ""
    return f"has a port, which cannot be restricted; {remedy}" if remedy else ""


def _remedy_of(text: str) -> str:
    match = _PLAIN.fullmatch(text)
    return _remedy(*match.groups()) if match else _wide_remedy(text)


def _wide_remedy(text: str) -> str:
    """`use '…'` for an address or a range of IPv6; "" if it is none."""
    address, slash, length = text.partition("/")
    try:
        plain = IPv6Address(address)
        network = IPv6Network((plain, int(length) if slash else 128), strict=False)
    except (AddressValueError, NetmaskValueError, ValueError):
        return ""
    if plain.scope_id is not None or plain.ipv4_mapped is not None:
        return ""
    if plain == network.network_address:
        return f"use '{_shortest(network)}'"
    return (
        f"use '{plain}' for this address alone, or '{network}' for all "
        f"2^{128 - network.prefixlen} addresses of the range"
    )


def _url(text: str) -> str:
    match = _URL.fullmatch(text.strip())
    if not match:
        return ""
    remedy = _remedy_of(match[1])
    remedy = remedy or _remedy_of(match[1].strip("[]"))
    return f"is a URL; {remedy or 'give the IP addresses of its host'}"


def _ipv6(text: str) -> str:
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::[0-9]{1,5})?", text.strip())
    address, slash, length = (bracketed[1] if bracketed else text.strip()).partition("/")
    try:
        parsed = IPv6Address(address)
    except AddressValueError:
        return ""
    if parsed.scope_id is None and parsed.ipv4_mapped is not None:
        bits = int(length) - 96 if slash and length.isascii() and length.isdigit() else 32
        remedy = _remedy(str(parsed.ipv4_mapped), bits) if 0 <= bits <= 32 else ""
        return f"is an IPv4-mapped address; {remedy or 'give the IPv4 range'}"
    if parsed.scope_id is not None:
        plain = str(parsed).partition("%")[0]
        return f"has a zone, which means something on one machine only; {_wide_remedy(plain)}"
    if bracketed:
        return f"has brackets, or a port; {_wide_remedy(bracketed[1])}"
    if not re.fullmatch("[0-9]{1,3}", length) or int(length) > 128:
        return "has a prefix length that is not 0 to 128; check it"
    if length[0] == "0" and length != "0":
        return f"has a leading zero in its prefix length; {_wide_remedy(text.strip())}"
    return f"has host bits set; {_wide_remedy(text.strip())}"


def _wildcard(text: str) -> str:
    match = _WILDCARD.fullmatch(text.strip())
    if not match:
        return ""
    octets, stars = match[1], match[2].count("*")
    if octets.count(".") + 1 + stars != 4:
        return ""
    remedy = _remedy(octets + ".0" * stars, 32 - 8 * stars)
    return f"has a wildcard; {remedy}" if remedy else ""


def _short(text: str) -> str:
    match = _SHORT.fullmatch(text.strip())
    if not match:
        return ""
    octets, length = match.groups()
    remedy = _remedy(octets + ".0" * (3 - octets.count(".")), length)
    return f"does not have four numbers; {remedy}" if remedy else ""


def _length(text: str) -> str:
    """Return an address, and after the slash something that is no length."""
    if not re.match(rf"{_ADDRESS}/[^ ]*$", text):
        return ""
    return "has a prefix length that is not 0 to 32; check it"


def _neighbours(text: str) -> str:
    """Something that stands next to an address."""
    match = _INSIDE.search(text)
    remedy = _remedy_of(match[0]) if match else ""
    if not match or not remedy:
        return ""
    rest = text[: match.start()] + " " + text[match.end() :]
    if (
        re.search(_ADDRESS, rest)
        or re.search(_WIDE, rest)
        or _NOT.search(rest)
        or re.search(r"[0-9]\s*(?:[-\u2013]|to)\s*[0-9]", text)
    ):
        return "has more than one address, or words, in it; write one range a line, and only what is allowed"
    beside = " and ".join(
        quoted(part)
        for part in (text[: match.start()].strip(), text[match.end() :].strip())
        if part
    )
    return f"has {beside or 'a space'} next to the address; {remedy}"
