"""What the commands show: human-readable tables, or JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ipgate.domain.characters import first_invisible, readable

_WIDE = 1000


def to_dict(message: Message) -> dict[str, Any]:
    shown: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return shown


def print_json(value: Message | Iterable[Message] | dict[str, Any]) -> None:
    """One JSON value: an object for a resource, an array for a listing."""
    shown: Any
    if isinstance(value, dict):
        shown = value
    elif isinstance(value, Message):
        shown = to_dict(value)
    else:
        shown = [to_dict(message) for message in value]
    # In JSON such characters are in strings alone, where JSON's own escape means the same.
    text = json.dumps(shown, indent=2, ensure_ascii=False)
    print(
        "".join(
            character
            if character == "\n" or not first_invisible(character)
            else json.dumps(character)[1:-1]
            for character in text
        )
    )


def visible(text: str) -> str:
    """Return `text` with everything escaped, except line breaks, that would command or reorder the terminal.

    The server is not trusted with that.
    """
    return readable(text, allowed="\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table as wide as the terminal, or as wide as its content where there is none."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        # Text, since a name with square brackets is not markup.
        table.add_row(*(Text(visible(cell).replace("\n", "\\n")) for cell in row))
    _console().print(table)


def print_fields(fields: Sequence[tuple[str, str]]) -> None:
    """Print the fields of one resource, one a line."""
    grid = Table.grid(padding=(0, 2))
    for name, value in fields:
        grid.add_row(Text(name, style="bold"), Text(visible(value)))
    _console().print(grid)


def time(message: Message, field: str, absent: str = "") -> str:
    return str(getattr(message, field).ToJsonString()) if message.HasField(field) else absent


def resource_id(name: str) -> str:
    """Return the id at the end of a resource name."""
    return name.rpartition("/")[2]


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)
