"""Ranges as a text that people edit: one a line, with an end and a note."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from ipgate.domain.addresses import BadRange, format_range, parse_range
from ipgate.domain.range_entries import BadFile
from ipgate.domain.range_files import read_ranges
from ipgate.domain.text_validation import check_note
from ipgate.v1 import resources_pb2 as resources

MAX_LINES = 200_000

_MAX_SHOWN, _MAX_TEXT = 100, 200


class BadLine(NamedTuple):
    """`where`: the line, as in `line 3`."""

    where: str
    text: str
    problem: str


class BadText(Exception):
    """Lines that are no ranges. Nothing of the text was taken."""

    def __init__(self, lines: list[BadLine], count: int) -> None:
        super().__init__(f"{count} bad lines")
        self.lines = lines
        self.count = count

    def summary(self) -> str:
        """Return what is wrong in a sentence."""
        if self.count == 1 and not self.lines[0].text:
            return "It cannot be used; nothing was saved"
        lines = "1 line" if self.count == 1 else f"{self.count:,} lines"
        return f"{lines} cannot be used; nothing was saved"


def parse_text(text: str) -> list[resources.Range]:
    """Return the ranges of a text, one a line, with their notes.

    Raises: BadText.
    """
    return parse_file(text.encode())


def parse_file(
    data: bytes, *, form: str = "auto", column: str = "", note_column: str = "", name: str = ""
) -> list[resources.Range]:
    """Return the ranges of a file, with their notes. `form`, `column`, `note_column`: as `read_ranges` takes them.

    Raises: BadText, for a file with its `name` before the numbers of its lines.
    """
    if data.count(b"\n") > MAX_LINES:
        raise BadText([BadLine(name or "The text", "", f"has more than {MAX_LINES:,} lines")], 1)
    try:
        entries = read_ranges(data, form=form, column=column, note_column=note_column).entries
    except BadFile as error:
        raise BadText([BadLine(name or "The text", "", str(error))], 1) from error
    at = f"{name}, " if name else ""
    bad: list[BadLine] = []
    count = 0
    ranges = []
    for entry in entries:
        try:
            parse_range(entry.text)
        except BadRange as error:
            problems: list[object] = [error]
        else:
            problems = [f"the note {wrong.description}" for wrong in check_note("", entry.note)]
        count += len(problems)
        if len(bad) < _MAX_SHOWN:
            # The text of a problem is made when it is looked at, and is not cheap.
            bad += [
                BadLine(f"{at}{entry.where}", entry.text[:_MAX_TEXT], str(wrong))
                for wrong in problems
            ]
        ranges.append(resources.Range(cidr=entry.text, note=entry.note))
    if count:
        raise BadText(bad, count)
    return ranges


def keep_dates(ranges: Iterable[resources.Range], present: Iterable[Any]) -> None:
    """Give ranges the start, the end and the off switch that they have in a list: the text does not show them."""
    kept = {
        range_.cidr: range_
        for range_ in present
        if range_.disabled or range_.HasField("start_time") or range_.HasField("expire_time")
    }
    if not kept:
        return
    for range_ in ranges:
        former = kept.get(format_range(parse_range(range_.cidr)))
        if former is not None:
            range_.MergeFrom(
                resources.Range(
                    start_time=former.start_time if former.HasField("start_time") else None,
                    expire_time=former.expire_time if former.HasField("expire_time") else None,
                    disabled=former.disabled,
                )
            )


def format_ranges(ranges: Iterable[Any]) -> str:
    """Return ranges as a text, one a line, each with its note."""
    return "".join(
        f"{range_.cidr}  # {range_.note}\n" if range_.note else f"{range_.cidr}\n"
        for range_ in ranges
    )
