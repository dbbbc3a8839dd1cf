"""`ipgate check` and `ipgate list find`: which lists hold an address, and what is decided for it."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated, Any

import typer

from ipgate.cli.authorize import decision_text
from ipgate.cli.effects import counted, listed
from ipgate.cli.options import Json, WorkspaceOption, connection, instant
from ipgate.cli.output import print_json, print_table, resource_id, visible
from ipgate.cli.range_changes import counts
from ipgate.cli.ranges import Column, Format, read_options
from ipgate.domain.names import key_name, list_name, workspace_name
from ipgate.v1 import admin_pb2 as admin

_NAMED = 10

Address = Annotated[str, typer.Argument(help="The address.")]


def find(
    context: typer.Context, address: Address, workspace: WorkspaceOption, json: Json = False
) -> None:
    """List the allow lists that hold an address, with the ranges that do and the linked API keys.

    Example: ipgate list find 198.51.100.73 -w acme
    """
    server = connection(context)
    request = admin.ListAllowListsRequest(
        parent=workspace_name(workspace), contains_address=address
    )
    lists: list[Any] = list(server.pages("ListAllowLists", request, "allow_lists"))
    if json:
        print_json(lists)
        return
    if not lists:
        print(visible(f"no allow list holds {address}"))
        return
    rows: list[tuple[str, ...]] = []
    for allow_list in lists:
        linked = ""
        if allow_list.linked_api_key_count:
            keys = admin.ListLinkedApiKeysRequest(allow_list=allow_list.name, page_size=_NAMED)
            page = server.admin("ListLinkedApiKeys", keys)
            names = [resource_id(key.name) for key in page.api_keys]
            linked = listed(names, allow_list.linked_api_key_count)
        rows += _rows(allow_list, (linked,))
    print_table(("LIST", "RANGE", "COUNTS", "NOTE", "KEYS"), rows)


def check(
    context: typer.Context,
    address: Address,
    workspace: WorkspaceOption,
    api_key: Annotated[str, typer.Option(help="Id of the only API key to decide for.")] = "",
    draft_file: Annotated[
        str, typer.Option(help="File of ranges to decide with as if they were stored.")
    ] = "",
    allow_list: Annotated[
        str, typer.Option("--list", help="Id of the allow list that the draft stands for.")
    ] = "",
    column: Column = None,
    form: Format = "auto",
    at: Annotated[str | None, typer.Option(help="Day or instant to decide for.")] = None,
    json: Json = False,
) -> None:
    """Show what is decided for an address: by which lists, and for which API keys. Changes nothing.

    With a draft, it shows the API keys that the draft decides for, and what would change.

    Example: ipgate check 198.51.100.73 -w acme --list office --draft-file ranges.txt
    """
    request = admin.CheckAccessRequest(parent=workspace_name(workspace), address=address)
    if api_key:
        request.api_key = key_name(workspace, api_key)
    if draft_file:
        ranges = read_options(None, [draft_file], column=column, form=form, skip_ipv6=False)
        request.draft.ranges.extend(ranges)
        if allow_list:
            request.draft.allow_list = list_name(workspace, allow_list)
    if at is not None:
        request.time.CopyFrom(instant(at, "--at"))
    first, keys = _checked(connection(context), request)
    if json:
        first.api_keys.extend(keys)
        print_json(first)
        return
    at_time = first.time.ToDatetime(UTC)
    print(visible(f"{first.address} at {first.time.ToJsonString()}"))
    if first.allow_lists:
        rows = [row for found in first.allow_lists for row in _rows(found, (), at_time)]
        print_table(("LIST", "RANGE", "COUNTS", "NOTE"), rows)
    else:
        print("no allow list holds it")
    changes = total = 0
    for key in keys:
        total += 1
        changes += _print_decision(key)
    if draft_file:
        print(f"{changes} of {counted(total)} would be decided differently")


def _checked(
    server: Any, request: admin.CheckAccessRequest
) -> tuple[admin.CheckAccessResponse, Iterator[Any]]:
    """Return the answer to a check with all of its allow lists, and its API keys, which are still to be fetched."""
    pages = _pages(server, request)
    page = next(pages)
    lists = list(page.allow_lists)
    while page.next_page_token and not page.api_keys:
        page = next(pages)
        lists += page.allow_lists
    whole = admin.CheckAccessResponse(address=page.address, time=page.time, allow_lists=lists)
    return whole, (key for part in chain((page,), pages) for key in part.api_keys)


def _pages(server: Any, request: admin.CheckAccessRequest) -> Iterator[Any]:
    request.page_size = 1000
    while True:
        answer = server.admin("CheckAccess", request)
        yield answer
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token


def _rows(
    allow_list: Any, more: Sequence[str], at: datetime | None = None
) -> Iterable[tuple[str, ...]]:
    """Yield a row for each range of a list that holds the address; the list is named in the first."""
    name = resource_id(allow_list.name) or "(draft)"
    for range_ in allow_list.ranges:
        yield (name, range_.cidr, counts(range_, at), range_.note, *more)
        name, more = "", ["" for _ in more]


def _print_decision(key: Any) -> bool:
    """Print what is decided for an API key; returns whether the draft changes it."""
    now, before = key.decision, key.decision_without_draft
    text = f"{resource_id(now.api_key)}: {decision_text(now)}"
    is_changed = key.HasField("decision_without_draft") and (
        (now.allowed, now.reason) != (before.allowed, before.reason)
    )
    print(visible(f"{text}, without the draft {decision_text(before)}" if is_changed else text))
    return is_changed
