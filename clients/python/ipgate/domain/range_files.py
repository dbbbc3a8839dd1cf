"""Ranges in files: lines, CSV, the lists that AWS and GitHub publish, nginx's allow lines.

Access must not be lost or gained because a file was read in part or read wrongly: whatever is malformed
about a file rejects it as a whole. Nothing here reads files; the texts come as bytes.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ipgate.domain.range_csv import read_column
from ipgate.domain.range_entries import BadFile, Entry, Line, is_ipv6
from ipgate.domain.range_lists import JSON_LISTS, parse_json, read_nginx

FORMATS = ("auto", "aws", "github", "nginx")
MAX_BYTES = 64 << 20
"""Of a file; 100,000 ranges with long comments take a few."""

_JSON = re.compile(r"\s*(\{|\[\s*[\"{\[\]])")
_ODD = re.compile("[\0\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
"""What some programs take for the end of a line, and others do not."""

_NEWLINE = re.compile("\r\n|\r|\n")
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


@dataclass(frozen=True, slots=True)
class RangeFile:
    """What a file holds.

    `detected`: how it was read, "" for plain lines in UTF-8.
    """

    entries: Sequence[Entry]
    detected: str = ""


def read_ranges(
    data: bytes, *, form: str = "auto", column: str = "", note_column: str = ""
) -> RangeFile:
    """Return the entries of a file in their order, without checking whether they are ranges.

    `column`: the name or the number (from 1) of a CSV column, a service of `aws`, a list of `github`.
    `note_column`: that of a CSV column with notes.

    Raises: BadFile.
    """
    text, encoding = _decoded(data)
    detected = [] if encoding == "utf-8" else [encoding.upper()]
    if form in ("aws", "github"):
        how = f"{form}: {column}" if column else form
        return RangeFile(list(JSON_LISTS[form](parse_json(text), column)), how)
    lines = [Line(number, line) for number, line in enumerate(_NEWLINE.split(text), 1)]
    if form == "nginx" and column:
        raise BadFile("is read without a column, as the allow lines of nginx; leave --column out")
    if form == "nginx":
        return RangeFile(list(read_nginx(lines)), "nginx")
    if _JSON.match(text):
        raise BadFile(
            "is JSON; give --format aws or --format github if it is one of their lists, or write the "
            "ranges one a line"
        )
    if column:
        entries, how = read_column(lines, column, note_column)
        detected.append(how)
    else:
        entries = list(_plain(lines))
    return RangeFile(entries, ", ".join(detected))


def split_ipv6(entries: Sequence[Entry]) -> tuple[list[Entry], int]:
    """Return the entries that are not IPv6, and how many are."""
    kept = [entry for entry in entries if not is_ipv6(entry.text)]
    return kept, len(entries) - len(kept)


def _decoded(data: bytes) -> tuple[str, str]:
    """Return the text, and its encoding."""
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
    odd = _ODD.search(text)
    if odd:
        number = len(_NEWLINE.findall(text[: odd.start()])) + 1
        what = "NUL" if odd[0] == "\0" else f"line-breaking (U+{ord(odd[0]):04X})"
        raise BadFile(f"line {number} has a {what} character; remove it, or save the file as UTF-8")
    return text, encoding


def _plain(lines: Sequence[Line]) -> Iterator[Entry]:
    """One range a line; what follows a # is its note, and a comma or semicolon at the end is ignored."""
    for line in lines:
        text, _, note = map(str.strip, line.text.partition("#"))
        if text[-1:] in (",", ";"):
            text = text[:-1].rstrip()
        if text:
            yield Entry(line.where, text, note)
