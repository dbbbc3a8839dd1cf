"""`ipgate list add`, `remove` and `set`."""

from typing import Annotated

import typer

from ipgate.cli.endpoint import CliError
from ipgate.cli.list_output import show_list_change
from ipgate.cli.options import (
    AllowListId,
    Broad,
    DryRun,
    Etag,
    Expires,
    Json,
    Note,
    Starts,
    Wait,
    WorkspaceOption,
    change,
)
from ipgate.cli.ranges import (
    Column,
    File,
    Format,
    NoteColumn,
    Ranges,
    SkipIpv6,
    read_options,
    set_attributes,
)
from ipgate.domain.names import list_name
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources


def add(
    context: typer.Context,
    allow_list: AllowListId,
    workspace: WorkspaceOption,
    ranges: Ranges = None,
    file: File = None,
    column: Column = None,
    form: Format = "auto",
    skip_ipv6: SkipIpv6 = False,
    note_column: NoteColumn = None,
    note: Note = None,
    starts: Starts = None,
    expires: Expires = None,
    allow_broad: Broad = False,
    etag: Etag = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Add ranges to an allow list.

    Example: ipgate list add office -w acme -r 203.0.113.0/24 --note "Branch in Oslo"
    """
    entries = read_options(
        ranges, file, column=column, form=form, skip_ipv6=skip_ipv6, note_column=note_column
    )
    set_attributes(entries, note=note, starts=starts, expires=expires)
    request = admin.AddRangesRequest(
        allow_list=list_name(workspace, allow_list),
        ranges=_some(entries),
        allow_broad=allow_broad,
        etag=etag,
        validate_only=dry_run,
    )
    answer = change(context, "AddRanges", request, wait=wait)
    show_list_change(context, answer, f"updated {allow_list}", dry_run=dry_run, json=json)


def remove(
    context: typer.Context,
    allow_list: AllowListId,
    workspace: WorkspaceOption,
    ranges: Ranges = None,
    file: File = None,
    column: Column = None,
    form: Format = "auto",
    skip_ipv6: SkipIpv6 = False,
    etag: Etag = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Remove ranges from an allow list.

    Example: ipgate list remove office -w acme -r 203.0.113.0/24
    """
    request = admin.RemoveRangesRequest(
        allow_list=list_name(workspace, allow_list),
        ranges=[
            range_.cidr
            for range_ in _some(
                read_options(ranges, file, column=column, form=form, skip_ipv6=skip_ipv6)
            )
        ],
        etag=etag,
        validate_only=dry_run,
    )
    answer = change(context, "RemoveRanges", request, wait=wait)
    show_list_change(context, answer, f"updated {allow_list}", dry_run=dry_run, json=json)


def set_(
    context: typer.Context,
    allow_list: AllowListId,
    workspace: WorkspaceOption,
    ranges: Annotated[
        list[str], typer.Option("--range", "-r", help="A range of the list; may be repeated.")
    ],
    note: Note = None,
    starts: Starts = None,
    no_start: Annotated[bool, typer.Option("--no-start", help="Drop the start.")] = False,
    expires: Expires = None,
    never_expires: Annotated[
        bool, typer.Option("--never-expires", help="Drop the expiry.")
    ] = False,
    disabled: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Whether the ranges count.")
    ] = None,
    etag: Etag = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Change the note, start, expiry or off switch of ranges of a list.

    Example: ipgate list set office -w acme -r 203.0.113.0/24 --expires 2027-01-31
    """
    for one, other, flags in (
        (starts, no_start, "--starts or --no-start"),
        (expires, never_expires, "--expires or --never-expires"),
    ):
        if one is not None and other:
            raise CliError(f"give {flags}, not both")
    changed = [resources.Range(cidr=text, disabled=bool(disabled)) for text in ranges]
    set_attributes(changed, note=note, starts=starts, expires=expires)
    request = admin.UpdateRangesRequest(
        allow_list=list_name(workspace, allow_list),
        ranges=changed,
        etag=etag,
        validate_only=dry_run,
    )
    changes = {
        "note": note is not None,
        "start_time": starts is not None or no_start,
        "expire_time": expires is not None or never_expires,
        "disabled": disabled is not None,
    }
    request.update_mask.paths.extend(name for name, is_changed in changes.items() if is_changed)
    if not request.update_mask.paths:
        raise CliError("say what to change: --note, --starts, --expires, --disable, …")
    answer = change(context, "UpdateRanges", request, wait=wait)
    show_list_change(context, answer, f"updated {allow_list}", dry_run=dry_run, json=json)


def _some(ranges: list[resources.Range]) -> list[resources.Range]:
    if not ranges:
        raise CliError("give ranges with --range or --file")
    return ranges
