"""Ranges in a column of a CSV file."""

import csv
import re
from collections.abc import Iterator, Sequence

from ipgate.domain.errors import quoted
from ipgate.domain.range_entries import BadFile, Entry, Line, is_range

_DELIMITERS = {",": "','", ";": "';'", "\t": "tab"}


def read_column(
    lines: Sequence[Line], column: str, note_column: str = ""
) -> tuple[list[Entry], str]:
    """Return the entries of a CSV column, with the notes of another, and how the file was read."""
    comments = [line for line in lines if line.text.lstrip().startswith("#")]
    lines = [line for line in lines if line.text.strip() and line not in comments]
    if not lines:
        raise BadFile("is empty; it has no column")
    declared = re.fullmatch(r"\s*sep=([^\s\"\w])\s*", lines[0].text, re.IGNORECASE)
    if declared:
        lines = lines[1:]
        delimiter = declared[1]
    else:
        delimiter = _delimiter(lines[0].text)
    rows = list(_rows(lines, delimiter))
    if not rows:
        raise BadFile("is empty; it has no column")
    how = f"columns separated by {_DELIMITERS.get(delimiter, repr(delimiter))}, column "
    has_header = not _is_number(column)
    index = _index(rows[0][1], column)
    body = rows[1:] if has_header else rows
    how += quoted(rows[0][1][index]) if has_header else column
    note_index = _index(rows[0][1], note_column) if note_column else -1
    if note_index >= len(rows[0][1]):
        raise BadFile(f"has no column {note_column}, that of the notes")
    _check_comments(comments, delimiter, index)
    # Without a header, rows may be longer: only what is before the column could shift it.
    is_loose = body is rows and index == 0
    entries = _cells(body, index, len(rows[0][1]), is_loose=is_loose)
    if note_index < 0:
        return list(entries), how
    notes = (cells[note_index] if note_index < len(cells) else "" for _, cells in body)
    return [entry._replace(note=note) for entry, note in zip(entries, notes, strict=True)], how


def _is_number(column: str) -> bool:
    return column.isascii() and column.isdigit()


def _index(first: Sequence[str], column: str) -> int:
    """Return the index of a column by its name or number.

    Raises: BadFile.
    """
    if not _is_number(column):
        return _header_index(first, column)
    if int(column) < 1:
        raise BadFile("has no column 0; columns are counted from 1")
    return int(column) - 1


def _check_comments(comments: Sequence[Line], delimiter: str, index: int) -> None:
    """Check the rows that begin with a #.

    Raises: BadFile for one that may not be a comment.
    """
    for line in comments:
        cells = line.text.split(delimiter)
        if 0 < index < len(cells) and is_range(cells[index].strip()):
            raise BadFile(
                f"{line.where} begins with # and has an address in the column; remove the line, or put "
                "quotes around its first field"
            )


def _delimiter(first: str) -> str:
    """Return the delimiter that the first row has most of, outside of quotes."""
    bare = re.sub(r'"[^"]*"', "", first)
    return max(_DELIMITERS, key=bare.count)


def _rows(lines: Sequence[Line], delimiter: str) -> Iterator[tuple[Line, list[str]]]:
    """Yield the rows that are not blank, one for each line.

    A quote that is not closed in its line would swallow the rows after it.
    """
    for line in lines:
        if _is_open(line.text, delimiter):
            raise BadFile(
                f"{line.where} opens a quote that is not closed on that line; close it, and remove line "
                "breaks from the field"
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
    """Return whether a field that begins with a quote does not end on its line."""
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
    """Return the index of a named column.

    Raises: BadFile.
    """
    known = ", ".join(quoted(name) for name in header)
    for cell in header:
        if is_range(cell):
            raise BadFile(
                f"has no header: its first row holds the address {quoted(cell)}; give the number of the "
                "column, as in --column 1"
            )
    wanted = column.strip()
    exact = [index for index, name in enumerate(header) if name == wanted]
    alike = [index for index, name in enumerate(header) if name.casefold() == wanted.casefold()]
    columns = exact or alike
    if len(columns) > 1:
        text = f"column {quoted(wanted)} occurs {_times(len(columns))}; rename one in the header"
        raise BadFile(text)
    if not columns:
        raise BadFile(f"has no column {quoted(wanted)}; its columns are: {known}")
    return columns[0]


def _times(count: int) -> str:
    return "twice" if count == 2 else f"{count} times"


def _cells(
    rows: Sequence[tuple[Line, list[str]]], index: int, width: int, *, is_loose: bool
) -> Iterator[Entry]:
    for line, cells in rows:
        # Of cells too many or too few, one before the column may be in it now, or one be an address.
        extra = cells[width:]
        if any(map(is_range, extra)) or (any(extra) and not is_loose):
            raise BadFile(
                f"{line.where} has {len(cells)} columns, and the first row has {width}; put quotes around "
                "a field that has the separator in it"
            )
        if index >= width:
            raise BadFile(f"{line.where} has no column {index + 1}")
        if index >= len(cells) or (len(cells) < width and not is_loose):
            raise BadFile(
                f"{line.where} has {len(cells)} column{'s' * (len(cells) != 1)}, and the first row has "
                f"{width}; fill it up"
            )
        if not cells[index]:
            raise BadFile(
                f"{line.where} has nothing in column {index + 1}; remove the line, or fill it in"
            )
        yield Entry(line.where, cells[index])
