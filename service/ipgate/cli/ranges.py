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
from ipgate.cli.output import visible
from ipgate.domain.addresses import BadRange, parse_range
from ipgate.domain.range_entries import BadFile, Entry
from ipgate.domain.range_files import FORMATS, MAX_BYTES, RangeFile, read_ranges, split_ipv6

Ranges = Annotated[
    list[str] | None,
    typer.Option("--range", "-r", help="An IPv4 address or CIDR range; may be repeated."),
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
) -> list[str]:
    """Return the ranges of the options and the file.

    Raises: CliError for the bad ones, all together.
    """
    if form not in FORMATS:
        raise CliError(f"--format {form!r}: use {', '.join(FORMATS)}")
    if column is not None and not column.strip():
        raise CliError("--column is empty; give the name or the number of a column")
    if not files:
        for value, flag in (
            (column, "--column"),
            (form != "auto", "--format"),
            (skip_ipv6, "--skip-ipv6"),
        ):
            if value:
                raise CliError(f"{flag} needs --file")
        return list(ranges or ())
    file = _single(files)
    name = "standard input" if file == "-" else file
    try:
        parsed = read_ranges(_bytes(file), form=form, column=column or "")
    except BadFile as error:
        raise CliError(f"{name}: {error}; nothing was changed") from error
    entries = list(parsed.entries)
    skipped = 0
    if skip_ipv6:
        entries, skipped = split_ipv6(entries)
    texts = _checked(name, entries, column)
    if not texts:
        raise CliError(f"{name}: there is no range in it; nothing was changed")
    _report(name, parsed, len(texts), skipped)
    return [*(ranges or ()), *texts]


def _single(files: list[str]) -> str:
    """Return the one file.

    Raises: CliError.
    """
    if len(files) > 1:
        raise CliError(f"--file is given {len(files)} times; put all ranges into one file")
    if not files[0]:
        raise CliError("--file is empty; give the name of a file")
    return files[0]


def _checked(name: str, entries: list[Entry], column: str | None) -> list[str]:
    """Return the texts, which are all ranges.

    Raises: CliError.
    """
    bad: list[tuple[Entry, BadRange]] = []
    for entry in _with_progress(entries):
        try:
            parse_range(entry.text)
        except BadRange as error:
            bad.append((entry, error))
    if not bad:
        return [entry.text for entry in entries]
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
