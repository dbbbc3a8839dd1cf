"""The ranges that a list has: shown, and kept where others replace them."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import typer

from ipgate.cli.connection import Connection
from ipgate.cli.endpoint import CliError
from ipgate.cli.options import connection
from ipgate.cli.output import print_table, time, visible
from ipgate.domain.addresses import BadRange, format_range, parse_range
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

_ONE_MESSAGE = 3 << 20
"""Bytes of ranges that are sent in one message; servers take 4 MB unless they are set to take less or more."""

_PART = 5000
"""Ranges of one message of an upload."""


def all_ranges(server: Connection, allow_list: str) -> Iterator[Any]:
    """Yield all ranges of a list, however many there are."""
    return server.pages("ListRanges", admin.ListRangesRequest(allow_list=allow_list), "ranges")


def keep_attributes(
    server: Connection, allow_list: str, ranges: Sequence[resources.Range], etag: str
) -> str:
    """Give ranges that the list has the attributes that they have there, and have not here.

    Returns the etag that the list must have for that: the given one, or that as which it was read.
    """
    read = server.admin("GetAllowList", admin.GetAllowListRequest(name=allow_list))
    present = all_ranges(server, allow_list) if read.ranges_omitted else read.ranges
    kept = {range_.cidr: range_ for range_ in present if _has_attributes(range_)}
    for range_ in ranges:
        former = kept.get(_canonical(range_.cidr))
        if former is None:
            continue
        for name in ("start_time", "expire_time"):
            if former.HasField(name) and not range_.HasField(name):
                getattr(range_, name).CopyFrom(getattr(former, name))
        range_.note = range_.note or former.note
        range_.disabled = former.disabled
    return etag or str(read.etag)


def replace_many(
    context: typer.Context, request: admin.UpdateAllowListRequest, *, wait: bool
) -> Any:
    """Replace the ranges of a list in many messages; None if one message is enough."""
    if request.ByteSize() <= _ONE_MESSAGE:
        return None
    if len(request.update_mask.paths) > 1:
        raise CliError(
            "the ranges are too many to change them together with --name or --description"
        )
    allow_list = request.allow_list
    parts = [
        admin.ReplaceRangesRequest(ranges=allow_list.ranges[first : first + _PART])
        for first in range(0, len(allow_list.ranges), _PART)
    ]
    parts[0].allow_list, parts[0].etag = allow_list.name, allow_list.etag
    parts[0].allow_broad, parts[0].validate_only = request.allow_broad, request.validate_only
    answer = connection(context).upload("ReplaceRanges", parts)
    if wait and answer.revision:
        context.call_on_close(lambda: connection(context).wait(answer.revision))
    return answer


def print_ranges(ranges: Iterable[resources.Range]) -> None:
    """Print ranges, and which of them do not count now, and why."""
    shown = list(ranges)
    if not any(map(_has_attributes, shown)):
        for range_ in shown:
            print(f"  {visible(range_.cidr)}")
        return
    print_table(
        ("  RANGE", "COUNTS", "NOTE"),
        ((f"  {range_.cidr}", counts(range_), range_.note) for range_ in shown),
    )


def counts(range_: resources.Range, at: datetime | None = None) -> str:
    """Return whether a range counts, by default now by the clock of this machine, and why not."""
    now = at or datetime.now(UTC)
    if range_.disabled:
        return "no, disabled"
    if range_.HasField("start_time") and now < range_.start_time.ToDatetime(UTC):
        return f"no, from {time(range_, 'start_time')}"
    if range_.HasField("expire_time"):
        expiry = time(range_, "expire_time")
        is_over = now >= range_.expire_time.ToDatetime(UTC)
        return f"no, expired {expiry}" if is_over else f"until {expiry}"
    return "yes"


def _has_attributes(range_: resources.Range) -> bool:
    return len(range_.ListFields()) > 1


def _canonical(text: str) -> str:
    try:
        return format_range(parse_range(text))
    except BadRange:
        return text  # the server says what is wrong with it
