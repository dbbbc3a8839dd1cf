"""Ranges from options, files and standard input; every bad line is reported with its number."""

import csv
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from ipgate.cli.client import Failure
from ipgate.domain.addresses import BadRange, parse_range

Ranges = Annotated[
    list[str] | None,
    typer.Option("--range", "-r", help="An IPv4 address or CIDR range; may be repeated."),
]
File = Annotated[
    str, typer.Option("--file", "-f", help="File with one range a line, '-' for standard input.")
]
Column = Annotated[str, typer.Option(help="Name of the column to read, where the file is CSV.")]

_LARGE = 5000
_MOST_SHOWN = 100


def gather(ranges: list[str] | None, file: str, column: str) -> list[str]:
    """The ranges of the options and the file. Raises Failure for the bad ones, all at once."""
    found = list(ranges or ())
    if column and not file:
        raise Failure("--column needs --file")
    if not file:
        return found
    entries = list(_column(file, column) if column else _lines(file))
    faults = []
    for number, text in _with_progress(entries):
        try:
            parse_range(text)
            found.append(text)
        except BadRange as fault:
            faults.append(f"  line {number}: {fault}")
    if faults:
        where = "standard input" if file == "-" else file
        shown = faults[:_MOST_SHOWN]
        if len(faults) > _MOST_SHOWN:
            shown.append(f"  and {len(faults) - _MOST_SHOWN} more")
        text = f"{where} has {len(faults)} bad lines; nothing was changed"
        raise Failure("\n".join([text, *shown]))
    if not found:
        raise Failure(f"{file}: there is no range in it; nothing was changed")
    return found


def _lines(file: str) -> Iterator[tuple[int, str]]:
    """Numbered ranges, one a line; what follows a # is a comment."""
    for number, line in enumerate(_read(file), 1):
        text = line.partition("#")[0].strip()
        if text:
            yield number, text


def _column(file: str, column: str) -> Iterator[tuple[int, str]]:
    """Numbered ranges of a CSV column."""
    rows = csv.DictReader(_read(file))
    if column not in (rows.fieldnames or ()):
        known = ", ".join(rows.fieldnames or ()) or "none"
        raise Failure(f"{file} has no column {column!r}; its columns are: {known}")
    for row in rows:
        yield rows.line_num, (row[column] or "").strip()


def _read(file: str) -> list[str]:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else "is not UTF-8 text"
        raise Failure(f"{file}: {reason}") from fault
    return text.splitlines()


def _with_progress(entries: list[tuple[int, str]]) -> Iterable[tuple[int, str]]:
    if len(entries) < _LARGE:
        return entries
    return track(entries, description="Checking ranges", console=Console(stderr=True))
