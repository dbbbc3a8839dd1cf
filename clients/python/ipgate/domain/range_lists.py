"""Ranges in lists that others publish or keep: of AWS, of GitHub, and the allow lines of nginx."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ipgate.domain.errors import quoted
from ipgate.domain.range_entries import BadFile, Entry, Line, is_range

_DIRECTIVE = re.compile(r"(allow|deny)\s+(\S+)")


def read_nginx(lines: Sequence[Line]) -> Iterator[Entry]:
    """Yield the addresses of `allow` lines.

    What an allow list cannot say is not passed over in silence: only a last `deny all;`, which is what a list
    means.
    """
    denied = False
    for line in lines:
        text, _, note = map(str.strip, line.text.partition("#"))
        if text and not text.endswith(";"):
            raise BadFile(f"{line.where} does not end with ';'")
        for directive in filter(None, map(str.strip, text.split(";"))):
            match = _DIRECTIVE.fullmatch(directive)
            if not match:
                raise BadFile(
                    f"{line.where} has {quoted(directive)}, which is not an allow line; remove it"
                )
            verb, address = match.groups()
            if denied:
                raise BadFile(
                    f"{line.where} comes after 'deny all', so it permits nothing; remove it"
                )
            if verb == "deny" and address == "all":
                denied = True
                continue
            if verb == "deny" or not re.match("[0-9a-fA-F]*[.:]", address):
                raise BadFile(
                    f"{line.where} has {quoted(directive)}, which an allow list cannot say; remove it, and "
                    "narrow the ranges if need be"
                )
            yield Entry(line.where, address, note)


def parse_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise BadFile(f"is not JSON: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object, of whose members none may hide another."""
    counts = Counter(name for name, _ in pairs)
    twice = next((name for name, count in counts.items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"the member {quoted(twice)} occurs twice in an object")
    return dict(pairs)


def _aws(document: Any, service: str) -> Iterator[Entry]:
    """`ip-ranges.json`: `prefixes` and `ipv6_prefixes`, each with its service."""
    lists = [("prefixes", "ip_prefix"), ("ipv6_prefixes", "ipv6_prefix")]
    if not isinstance(document, dict) or not isinstance(document.get("prefixes"), list):
        raise BadFile("is not the list of AWS: it has no 'prefixes'")
    services: set[str] = set()
    entries = []
    for name, member in lists:
        prefixes = document.get(name, [])
        if not isinstance(prefixes, list):
            raise BadFile(f"is not the list of AWS: {quoted(name)} is no list")
        for index, prefix in enumerate(prefixes):
            if not isinstance(prefix, dict) or not isinstance(prefix.get(member), str):
                raise BadFile(f"{name}[{index}] has no {quoted(member)}")
            services.add(str(prefix.get("service")))
            if service in ("", prefix.get("service")):
                entries.append(Entry(f"{name}[{index}]", prefix[member]))
    if service and service not in services:
        known = ", ".join(sorted(services))
        raise BadFile(f"has no service {quoted(service)}; its services are: {known}")
    yield from _once(entries)


def _github(document: Any, name: str) -> Iterator[Entry]:
    """`meta`: lists of ranges by their names, beside other members."""
    lists = {
        key: value
        for key, value in (document.items() if isinstance(document, dict) else ())
        if isinstance(value, list)
        and value
        and all(isinstance(text, str) for text in value)
        and any(is_range(text) for text in value)
    }
    if not lists:
        raise BadFile("is not the meta document of GitHub: no member of it is a list of ranges")
    if name and name not in lists:
        raise BadFile(f"has no list {quoted(name)}; its lists are: {', '.join(lists)}")
    yield from _once(
        [
            Entry(f"{key}[{index}]", text)
            for key, value in lists.items()
            if name in ("", key)
            for index, text in enumerate(value)
        ]
    )


def _once(entries: Sequence[Entry]) -> list[Entry]:
    """Return the ranges without repetitions: published lists name a range once for each service that uses it."""
    first: dict[str, Entry] = {}
    for entry in entries:
        first.setdefault(entry.text, entry)
    return list(first.values())


JSON_LISTS: dict[str, Callable[[Any, str], Iterator[Entry]]] = {"aws": _aws, "github": _github}
