"""Ranges from options, files and standard input; every bad entry is reported with its line."""

import re
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from ipgate.cli.endpoint import CliError
from ipgate.cli.options import instant
from ipgate.cli.output import visible
from ipgate.domain.addresses import BadRange, parse_range
from ipgate.domain.range_entries import BadFile, Entry
from ipgate.domain.range_files import FORMATS, MAX_BYTES, RangeFile, read_ranges, split_ipv6
from ipgate.domain.text_validation import check_note
from ipgate.v1 import resources_pb2 as resources

Ranges = Annotated[
    list[str] | None,
    typer.Option("--range", "-r", help="An IP address or CIDR range; may be repeated."),
]
File = Annotated[
    list[str] | None,
    typer.Option(
        "--file", "-f", help="File of ranges (docs/range-files.md), '-' for standard input."
    ),
]
Column = Annotated[
    str | None,
    typer.Option(
        help="Name or number (from 1) of the column to read, where the file is CSV; a service of aws, a "
        "list of github."
    ),
]
NoteColumn = Annotated[
    str | None,
    typer.Option(
        "--note-column", help="Name or number of the column with notes, where the file is CSV."
    ),
]
Format = Annotated[str, typer.Option("--format", help=f"What the file is: {', '.join(FORMATS)}.")]
SkipIpv6 = Annotated[bool, typer.Option("--skip-ipv6", help="Leave out IPv6 entries of the file.")]

_LARGE = 5000
_MAX_SHOWN = 100
_COMMA = re.compile(r"[0-9]\s*[,;\t]")


def read_options(
    ranges: list[str] | None,
    files: list[str] | None,
    *,
    column: str | None,
    form: str,
    skip_ipv6: bool,
    note_column: str | None = None,
) -> list[resources.Range]:
    """Return the ranges of the options and the file, with the notes of the file.

    Raises: CliError for the bad ones, all together.
    """
    if form not in FORMATS:
        raise CliError(f"--format {form!r}: use {', '.join(FORMATS)}")
    if column is not None and not column.strip():
        raise CliError("--column is empty; give the name or the number of a column")
    if note_column is not None and not (column and note_column.strip()):
        raise CliError("--note-column needs --column; give the name or the number of both")
    given = [resources.Range(cidr=text) for text in ranges or ()]
    if not files:
        for value, flag in (
            (column, "--column"),
            (form != "auto", "--format"),
            (skip_ipv6, "--skip-ipv6"),
        ):
            if value:
                raise CliError(f"{flag} needs --file")
        return given
    file = _single(files)
    name = "standard input" if file == "-" else file
    try:
        parsed = read_ranges(
            _bytes(file), form=form, column=column or "", note_column=note_column or ""
        )
    except BadFile as error:
        raise CliError(f"{name}: {error}; nothing was changed") from error
    entries = list(parsed.entries)
    skipped = 0
    if skip_ipv6:
        entries, skipped = split_ipv6(entries)
    _check(name, entries, column)
    if not entries:
        raise CliError(f"{name}: there is no range in it; nothing was changed")
    _report(name, parsed, len(entries), skipped)
    return [*given, *(resources.Range(cidr=entry.text, note=entry.note) for entry in entries)]


def set_attributes(
    ranges: Iterable[resources.Range],
    *,
    note: str | None,
    starts: str | None,
    expires: str | None,
) -> None:
    """Give ranges the attributes of the options; a note only where the file has none."""
    start_time = None if starts is None else instant(starts, "--starts")
    expire_time = None if expires is None else instant(expires)
    for range_ in ranges:
        range_.note = range_.note or note or ""
        if start_time is not None:
            range_.start_time.CopyFrom(start_time)
        if expire_time is not None:
            range_.expire_time.CopyFrom(expire_time)


def _single(files: list[str]) -> str:
    """Return the one file.

    Raises: CliError.
    """
    if len(files) > 1:
        raise CliError(f"--file is given {len(files)} times; put all ranges into one file")
    if not files[0]:
        raise CliError("--file is empty; give the name of a file")
    return files[0]


def _check(name: str, entries: list[Entry], column: str | None) -> None:
    """Check that all entries are ranges, and their notes.

    Raises: CliError.
    """
    bad: list[tuple[Entry, object]] = []
    for entry in _with_progress(entries):
        try:
            parse_range(entry.text)
        except BadRange as error:
            bad.append((entry, error))
            continue
        bad += [(entry, f"the note {wrong.description}") for wrong in check_note("", entry.note)]
    if not bad:
        return
    lines = [f"{name} has {len(bad)} bad line{'s' * (len(bad) != 1)}; nothing was changed"]
    lines += [f"  {entry.where}: {error}" for entry, error in bad[:_MAX_SHOWN]]
    if len(bad) > _MAX_SHOWN:
        lines.append(f"  and {len(bad) - _MAX_SHOWN} more")
    if column and column.isdigit() and bad[0][0].where == "line 1":
        lines.append(
            f"if the first line is a header, name the column, as in --column {shlex.quote(bad[0][0].text)}"
        )
    elif all(entry.text.startswith(("allow ", "deny ")) for entry, _ in bad):
        lines.append("if the file is one of nginx, give --format nginx")
    elif not column and any(_COMMA.search(entry.text) for entry, _ in bad):
        lines.append("if the file is CSV, name the column or give its number, as in --column 1")
    if all(":" in entry.text for entry, _ in bad):
        lines.append("to leave IPv6 out, give --skip-ipv6")
    raise CliError("\n".join(lines))


def _report(name: str, parsed: RangeFile, count: int, skipped: int) -> None:
    """Say on standard error what was read, where that is not plain."""
    parts = [parsed.detected] if parsed.detected else []
    parts += [f"left out {skipped} IPv6"] if skipped else []
    if parts:
        text = f"{name}: {count} range{'s' * (count != 1)} ({'; '.join(parts)})"
        print(visible(text), file=sys.stderr)


def _bytes(file: str) -> bytes:
    """Return what a file holds.

    Raises: CliError.
    """
    try:
        if file == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(file).open("rb") as source:
                data = source.read(MAX_BYTES + 1)
    except OSError as error:
        raise CliError(f"{file}: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise CliError(f"{file}: has more than {MAX_BYTES:,} bytes; nothing was changed")
    return data


def _with_progress(entries: list[Entry]) -> Iterable[Entry]:
    if len(entries) < _LARGE:
        return entries
    return track(entries, description="Checking ranges", console=Console(stderr=True))
