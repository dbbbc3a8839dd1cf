"""Ranges in files: lines, CSV, the lists that AWS and GitHub publish, nginx's allow lines.

Access must not be lost or gained because a file was read in part or read wrongly: whatever is malformed
about a file rejects it as a whole. Nothing here reads files; the texts come as bytes.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import Any, NamedTuple

from ipgate.domain.addresses import BadRange, parse_range
from ipgate.domain.errors import shown

FORMATS = ("auto", "aws", "github", "nginx")
MAX_BYTES = 64 << 20
"""Of a file; 100,000 ranges with long comments take a few."""

_DELIMITERS = {",": "','", ";": "';'", "\t": "tab"}
_NEWLINE = re.compile("\r\n|\r|\n")
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_DIRECTIVE = re.compile(r"(allow|deny)\s+(\S+)")


class BadFile(ValueError):
    """A file that cannot be read as what it is said to be; the message says where, why and what to do."""


class Entry(NamedTuple):
    """A text that stands for a range. `where`: its line, or its place in a JSON document."""

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class RangeFile:
    """What a file holds. `detected`: how it was read, "" for plain lines in UTF-8."""

    entries: Sequence[Entry]
    detected: str = ""


class Line(NamedTuple):
    number: int
    text: str

    @property
    def where(self) -> str:
        return f"line {self.number}"


def read_ranges(data: bytes, *, form: str = "auto", column: str = "") -> RangeFile:
    """The entries of a file in the order in which they stand there; whether they are ranges is not looked
    at. `column`: the name or the number (from 1) of a CSV column, a service of `aws`, a list of `github`.

    Raises BadFile.
    """
    text, encoding = _decoded(data)
    detected = [] if encoding == "utf-8" else [encoding.upper()]
    if form in ("aws", "github"):
        return RangeFile(list(_JSON[form](_parsed(text), column)), form)
    lines = [Line(number, line) for number, line in enumerate(_NEWLINE.split(text), 1)]
    if form == "nginx":
        return RangeFile(list(_nginx(lines)), "nginx")
    if text.lstrip()[:1] in ("{", "["):
        raise BadFile(
            "is JSON; give --format aws or --format github if it is one of their lists, or write the "
            "ranges one a line"
        )
    if column:
        entries, how = _column(lines, column)
        detected.append(how)
    else:
        entries = list(_plain(lines))
    return RangeFile(entries, ", ".join(detected))


def split_ipv6(entries: Sequence[Entry]) -> tuple[list[Entry], int]:
    """The entries that are not IPv6, and how many are."""
    kept = [entry for entry in entries if not _is_ipv6(entry.text)]
    return kept, len(entries) - len(kept)


def _is_ipv6(text: str) -> bool:
    address, slash, length = text.partition("/")
    try:
        mapped = IPv6Address(address).ipv4_mapped
    except AddressValueError:
        return False
    # An IPv4 address in disguise is not left out in silence.
    return mapped is None and (not slash or (length.isdigit() and int(length) <= 128))


def _decoded(data: bytes) -> tuple[str, str]:
    """The text, and its encoding."""
    mark, encoding = next((bom for bom in _BOMS if data.startswith(bom[0])), (b"", "utf-8"))
    body = data[len(mark) :]
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        number = len(_NEWLINE.findall(body[: error.start].decode(encoding, "replace"))) + 1
        name = "UTF-8" if encoding == "utf-8" else "UTF-16"
        raise BadFile(
            f"line {number} has a byte that is not {name}; save the file as UTF-8"
        ) from None
    at = text.find("\0")
    if at >= 0:
        number = len(_NEWLINE.findall(text[:at])) + 1
        raise BadFile(f"line {number} has a NUL character; save the file as UTF-8")
    return text, encoding


def _plain(lines: Sequence[Line]) -> Iterator[Entry]:
    """One range a line; what follows a # is a comment, and a comma or semicolon at the end is ignored."""
    for line in lines:
        text = line.text.partition("#")[0].strip()
        if text[-1:] in (",", ";"):
            text = text[:-1].rstrip()
        if text:
            yield Entry(line.where, text)


def _column(lines: Sequence[Line], column: str) -> tuple[list[Entry], str]:
    """The entries of a CSV column, and how the file was read."""
    lines = [line for line in lines if not line.text.lstrip().startswith("#")]
    while lines and not lines[0].text.strip():
        lines = lines[1:]
    if not lines:
        raise BadFile("is empty; it has no column")
    declared = re.fullmatch(r"\s*sep=(.)\s*", lines[0].text)
    if declared:
        lines = lines[1:]
        delimiter = declared[1]
    else:
        delimiter = _delimiter(lines[0].text)
    rows = list(_rows(lines, delimiter))
    if not rows:
        raise BadFile("is empty; it has no column")
    how = f"columns separated by {_DELIMITERS.get(delimiter, repr(delimiter))}, column "
    if column.isascii() and column.isdigit():
        index, body = int(column) - 1, rows
        if index < 0:
            raise BadFile("has no column 0; columns are counted from 1")
        how += column
    else:
        index = _header_index(rows[0][1], column)
        body = rows[1:]
        how += shown(rows[0][1][index])
    return list(_cells(body, index, len(rows[0][1]))), how


def _delimiter(first: str) -> str:
    """The delimiter that the first row has most of, outside of quotes."""
    bare = re.sub(r'"[^"]*"', "", first)
    return max(_DELIMITERS, key=bare.count)


def _rows(lines: Sequence[Line], delimiter: str) -> Iterator[tuple[Line, list[str]]]:
    """The rows that are not blank, each on one line: a quote that is not closed there would swallow the
    rows after it."""
    for line in lines:
        if _is_open(line.text, delimiter):
            raise BadFile(
                f"{line.where} opens a quote that is not closed on that line; close it, or remove it"
            )
        try:
            cells = [
                cell.strip()
                for cell in next(csv.reader([line.text], delimiter=delimiter, strict=True), [])
            ]
        except csv.Error as error:
            raise BadFile(
                f"{line.where} is not CSV: {error}; put quotes around whole fields"
            ) from None
        if any(cells):
            yield line, cells


def _is_open(text: str, delimiter: str) -> bool:
    """Whether a field that begins with a quote does not end on its line."""
    inside, at_start, index = False, True, 0
    while index < len(text):
        character = text[index]
        if inside:
            if text[index : index + 2] == '""':
                index += 1
            elif character == '"':
                inside = False
        elif character == '"' and at_start:
            inside = True
        at_start = not inside and character == delimiter
        index += 1
    return inside


def _header_index(header: Sequence[str], column: str) -> int:
    """The index of a named column. Raises BadFile."""
    known = ", ".join(shown(name) for name in header)
    for cell in header:
        if _is_range(cell):
            raise BadFile(
                f"has no header: its first row holds the address {shown(cell)}; give the number of the "
                "column, as in --column 1"
            )
    wanted = column.strip()
    exact = [index for index, name in enumerate(header) if name == wanted]
    alike = [index for index, name in enumerate(header) if name.casefold() == wanted.casefold()]
    found = exact or alike
    if len(found) > 1:
        raise BadFile(
            f"column {shown(wanted)} occurs {_times(len(found))}; rename one, or give its number, as in "
            f"--column {found[0] + 1}"
        )
    if not found:
        raise BadFile(f"has no column {shown(wanted)}; its columns are: {known}")
    return found[0]


def _times(count: int) -> str:
    return "twice" if count == 2 else f"{count} times"


def _cells(rows: Sequence[tuple[Line, list[str]]], index: int, width: int) -> Iterator[Entry]:
    for line, cells in rows:
        # Of cells too many, one before the column may be in it now.
        if index and any(cells[width:]):
            raise BadFile(
                f"{line.where} has {len(cells)} columns, and the first row has {width}; put quotes around "
                "a field that has the separator in it"
            )
        if index >= len(cells):
            raise BadFile(f"{line.where} has no column {index + 1}")
        if not cells[index]:
            raise BadFile(
                f"{line.where} has nothing in column {index + 1}; remove the line, or fill it in"
            )
        yield Entry(line.where, cells[index])


def _is_range(text: str) -> bool:
    try:
        parse_range(text)
    except BadRange:
        return _is_ipv6(text)
    return True


def _nginx(lines: Sequence[Line]) -> Iterator[Entry]:
    """The addresses of `allow` lines. What an allow list cannot say is not passed over in silence: only
    a last `deny all;`, which is what a list means."""
    for line in lines:
        text = line.text.partition("#")[0].strip()
        if text and not text.endswith(";"):
            raise BadFile(f"{line.where} does not end with ';'")
        for directive in filter(None, map(str.strip, text.split(";"))):
            match = _DIRECTIVE.fullmatch(directive)
            if not match:
                raise BadFile(
                    f"{line.where} has {shown(directive)}, which is not an allow line; remove it"
                )
            verb, address = match.groups()
            if verb == "deny" and address == "all":
                continue
            if verb == "deny" or not re.match("[0-9a-fA-F]*[.:]", address):
                raise BadFile(
                    f"{line.where} has {shown(directive)}, which an allow list cannot say; remove it, and "
                    "narrow the ranges if need be"
                )
            yield Entry(line.where, address)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise BadFile(f"is not JSON: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, of whose members none may hide another."""
    counts = Counter(name for name, _ in pairs)
    twice = next((name for name, count in counts.items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"the member {shown(twice)} occurs twice in an object")
    return dict(pairs)


def _aws(document: Any, service: str) -> Iterator[Entry]:
    """`ip-ranges.json`: `prefixes` and `ipv6_prefixes`, each with its service."""
    lists = [("prefixes", "ip_prefix"), ("ipv6_prefixes", "ipv6_prefix")]
    if not isinstance(document, dict) or not isinstance(document.get("prefixes"), list):
        raise BadFile("is not the list of AWS: it has no 'prefixes'")
    services: set[str] = set()
    found = []
    for name, member in lists:
        for index, prefix in enumerate(document.get(name, ())):
            if not isinstance(prefix, dict) or not isinstance(prefix.get(member), str):
                raise BadFile(f"{name}[{index}] has no {shown(member)}")
            services.add(str(prefix.get("service")))
            if service in ("", prefix.get("service")):
                found.append(Entry(f"{name}[{index}]", prefix[member]))
    if service and service not in services:
        known = ", ".join(sorted(services))
        raise BadFile(f"has no service {shown(service)}; its services are: {known}")
    yield from _once(found)


def _github(document: Any, name: str) -> Iterator[Entry]:
    """`meta`: lists of ranges by their names, beside other members."""
    lists = {
        key: value
        for key, value in (document.items() if isinstance(document, dict) else ())
        if isinstance(value, list)
        and value
        and all(isinstance(text, str) and _is_range(text) for text in value)
    }
    if not lists:
        raise BadFile("is not the meta document of GitHub: no member of it is a list of ranges")
    if name and name not in lists:
        raise BadFile(f"has no list {shown(name)}; its lists are: {', '.join(lists)}")
    yield from _once(
        [
            Entry(f"{key}[{index}]", text)
            for key, value in lists.items()
            if name in ("", key)
            for index, text in enumerate(value)
        ]
    )


def _once(entries: Sequence[Entry]) -> list[Entry]:
    """Published lists name a range for each service that uses it."""
    first: dict[str, Entry] = {}
    for entry in entries:
        first.setdefault(entry.text, entry)
    return list(first.values())


_JSON: dict[str, Callable[[Any, str], Iterator[Entry]]] = {"aws": _aws, "github": _github}
