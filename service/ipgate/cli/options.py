"""Arguments and options that several commands share, and what they stand for."""

import re
import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from ipgate.cli.connection import Connection
from ipgate.cli.endpoint import CliError

WorkspaceOption = Annotated[
    str, typer.Option("--workspace", "-w", envvar="IPGATE_WORKSPACE", help="Id of the workspace.")
]
AllowListId = Annotated[str, typer.Argument(help="Id of the allow list.")]
KeyId = Annotated[str, typer.Argument(help="Id of the API key.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check the change without making it.")]
Wait = Annotated[
    bool, typer.Option("--wait", help="Wait until every worker of every server answers by it.")
]
Etag = Annotated[str, typer.Option(help="Change only what still has this etag.")]
Unrestricted = Annotated[
    bool,
    typer.Option(
        "--allow-unrestricted", help="Accept that API keys become usable from every address."
    ),
]
Broad = Annotated[
    bool,
    typer.Option("--allow-broad", help="Accept more than 2^24 IPv4 addresses, or a /32 of IPv6."),
]
Name = Annotated[str | None, typer.Option("--name", help="Display name.")]
Expires = Annotated[
    str | None,
    typer.Option(help="Day (from 00:00 UTC on) or instant of expiry, as in 2027-01-31T12:00:00Z."),
]
Query = Annotated[
    str, typer.Option(help="Only those whose id or display name begins with this text.")
]
Starts = Annotated[
    str | None,
    typer.Option(help="Day (from 00:00 UTC on) or instant from which the ranges count."),
]
Note = Annotated[str | None, typer.Option(help="What the ranges are, at most 200 characters.")]


def connection(context: typer.Context) -> Connection:
    """Return the connection that the options describe."""
    return Connection(context.find_root().obj)


def change(context: typer.Context, method: str, request: Message, *, wait: bool) -> Any:
    """Make a change, and wait after the command's output until it is in force everywhere.

    Raises: CliError.
    """
    answer = connection(context).admin(method, request)
    if wait and answer.revision:
        # At the end: a new secret must be seen whatever becomes of the waiting.
        context.call_on_close(lambda: connection(context).wait(answer.revision))
    return answer


def instant(text: str, flag: str = "--expires") -> Timestamp:
    """Return the Timestamp of an ISO 8601 instant with its offset, or of the beginning of a day in UTC.

    What is not said in the text itself is printed on standard error.

    Raises: CliError.
    """
    day = re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text.strip())
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise CliError(
            f"{flag} {text!r} is not a day or an instant; write it as in 2027-01-31 or "
            "2027-01-31T12:00:00Z"
        ) from None
    if day:
        time = time.replace(tzinfo=UTC)
    elif time.tzinfo is None:
        remedy = f"{text.strip()}Z"
        try:
            datetime.fromisoformat(remedy)
        except ValueError:
            remedy = f"{time.date()}"
        raise CliError(f"{flag} {text!r} has no offset; write {remedy} for UTC")
    timestamp = Timestamp()
    try:
        timestamp.FromDatetime(time)
        timestamp.ToJsonString()
    except (ValueError, OverflowError):
        raise CliError(f"{flag} {text!r} is not in the years 1 to 9999") from None
    if flag != "--expires":
        return timestamp
    if time <= datetime.now(UTC):
        print(
            f"expires {timestamp.ToJsonString()}, which has passed: it is expired already",
            file=sys.stderr,
        )
    elif day:
        print(
            f"expires {timestamp.ToJsonString()}: that day itself does not count", file=sys.stderr
        )
    return timestamp
