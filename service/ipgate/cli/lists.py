"""`ipgate list`."""

from typing import Annotated, Any

import typer

from ipgate.cli import links
from ipgate.cli.check import find
from ipgate.cli.effects import counted, listed, print_change, print_effect, range_counts
from ipgate.cli.endpoint import CliError
from ipgate.cli.options import (
    AllowListId,
    DryRun,
    Etag,
    Expires,
    Json,
    Name,
    Note,
    Query,
    Starts,
    Unrestricted,
    Wait,
    WorkspaceOption,
    change,
    connection,
)
from ipgate.cli.output import print_fields, print_json, print_table, resource_id, time, visible
from ipgate.cli.range_changes import all_ranges, keep_attributes, print_ranges, replace_many
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
from ipgate.domain.names import list_name, workspace_name
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

app = typer.Typer(no_args_is_help=True, help="IP allow lists, their ranges and their links.")

Description = Annotated[str | None, typer.Option(help="What the list is for.")]
Broad = Annotated[
    bool,
    typer.Option("--allow-broad", help="Accept more than 2^24 IPv4 addresses, or a /32 of IPv6."),
]
Force = Annotated[bool, typer.Option("--force", help="Unlink its keys, and turn the default off.")]


@app.command()
def create(
    context: typer.Context,
    allow_list: AllowListId,
    workspace: WorkspaceOption,
    name: Annotated[str, typer.Option("--name", help="Display name.")],
    description: Annotated[str, typer.Option(help="What the list is for.")],
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
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Create an allow list.

    Example: ipgate list create office -w acme --name Office --description "Head office" -r 198.51.100.73
    """
    entries = read_options(
        ranges, file, column=column, form=form, skip_ipv6=skip_ipv6, note_column=note_column
    )
    set_attributes(entries, note=note, starts=starts, expires=expires)
    request = admin.CreateAllowListRequest(
        parent=workspace_name(workspace),
        allow_list_id=allow_list,
        allow_list=resources.AllowList(display_name=name, description=description, ranges=entries),
        allow_broad=allow_broad,
        validate_only=dry_run,
    )
    answer = change(context, "CreateAllowList", request, wait=wait)
    _show_change(context, answer, f"created {allow_list}", dry_run=dry_run, json=json)


@app.command()
def ls(
    context: typer.Context, workspace: WorkspaceOption, query: Query = "", json: Json = False
) -> None:
    """List the allow lists of a workspace.

    Example: ipgate list ls -w acme --query off
    """
    request = admin.ListAllowListsRequest(parent=workspace_name(workspace), query=query)
    allow_lists: list[Any] = list(
        connection(context).pages("ListAllowLists", request, "allow_lists")
    )
    if json:
        print_json(allow_lists)
        return
    print_table(
        ("ID", "NAME", "RANGES", "KEYS", "DESCRIPTION"),
        (
            (
                resource_id(allow_list.name),
                allow_list.display_name,
                str(allow_list.range_count),
                str(allow_list.linked_api_key_count),
                allow_list.description,
            )
            for allow_list in allow_lists
        ),
    )


@app.command()
def show(
    context: typer.Context, allow_list: AllowListId, workspace: WorkspaceOption, json: Json = False
) -> None:
    """Show an allow list with its ranges.

    Example: ipgate list show office -w acme
    """
    request = admin.GetAllowListRequest(name=list_name(workspace, allow_list))
    shown = connection(context).admin("GetAllowList", request)
    if shown.ranges_omitted:
        shown.ranges.extend(all_ranges(connection(context), shown.name))
        shown.ranges_omitted = False
    _show(shown, json=json)


@app.command()
def update(
    context: typer.Context,
    allow_list: AllowListId,
    workspace: WorkspaceOption,
    name: Name = None,
    description: Description = None,
    ranges: Ranges = None,
    file: File = None,
    column: Column = None,
    form: Format = "auto",
    skip_ipv6: SkipIpv6 = False,
    note_column: NoteColumn = None,
    note: Note = None,
    starts: Starts = None,
    expires: Expires = None,
    reset_attributes: Annotated[
        bool, typer.Option("--reset-attributes", help="Keep nothing of ranges that stay.")
    ] = False,
    allow_broad: Broad = False,
    etag: Etag = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Change an allow list; given ranges replace all that it has.

    A range that stays keeps what is not given here for it: its note, start, expiry and off switch.

    Example: ipgate list update office -w acme --file ranges.txt
    """
    entries = read_options(
        ranges, file, column=column, form=form, skip_ipv6=skip_ipv6, note_column=note_column
    )
    target = list_name(workspace, allow_list)
    set_attributes(entries, note=note, starts=starts, expires=expires)
    if entries and not reset_attributes:
        etag = keep_attributes(connection(context), target, entries, etag)
    request = admin.UpdateAllowListRequest(
        allow_list=resources.AllowList(
            name=target,
            display_name=name or "",
            description=description or "",
            ranges=entries,
            etag=etag,
        ),
        allow_broad=allow_broad,
        validate_only=dry_run,
    )
    changes = {"display_name": name, "description": description, "ranges": entries or None}
    request.update_mask.paths.extend(path for path, value in changes.items() if value is not None)
    answer = replace_many(context, request, wait=wait) if entries else None
    answer = answer or change(context, "UpdateAllowList", request, wait=wait)
    _show_change(context, answer, f"updated {allow_list}", dry_run=dry_run, json=json)


@app.command()
def delete(
    context: typer.Context,
    allow_list: AllowListId,
    workspace: WorkspaceOption,
    force: Force = False,
    allow_unrestricted: Unrestricted = False,
    etag: Etag = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Delete an allow list.

    Example: ipgate list delete office -w acme
    """
    request = admin.DeleteAllowListRequest(
        name=list_name(workspace, allow_list),
        force=force,
        allow_unrestricted=allow_unrestricted,
        etag=etag,
        validate_only=dry_run,
    )
    answer = change(context, "DeleteAllowList", request, wait=wait)
    print_change(answer, f"deleted {request.name}", dry_run=dry_run, json=json)


@app.command()
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
    _show_change(context, answer, f"updated {allow_list}", dry_run=dry_run, json=json)


@app.command()
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
    _show_change(context, answer, f"updated {allow_list}", dry_run=dry_run, json=json)


@app.command("set")
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
    _show_change(context, answer, f"updated {allow_list}", dry_run=dry_run, json=json)


def _some(ranges: list[resources.Range]) -> list[resources.Range]:
    if not ranges:
        raise CliError("give ranges with --range or --file")
    return ranges


def _show_change(
    context: typer.Context, answer: Any, what: str, *, dry_run: bool, json: bool
) -> None:
    """Print a created or updated list, and the effect of the change."""
    if json:
        print_json(answer)
        return
    if dry_run:
        print_change(answer, what, dry_run=True, json=False)
    else:
        _show(answer.allow_list, json=False)
        if range_counts(answer.effect):
            print(range_counts(answer.effect))
        print_effect(answer.effect, dry_run=False)
    count = answer.allow_list.linked_api_key_count
    if count and range_counts(answer.effect):
        request = admin.ListLinkedApiKeysRequest(allow_list=answer.allow_list.name, page_size=10)
        page = connection(context).admin("ListLinkedApiKeys", request)
        names = listed([resource_id(key.name) for key in page.api_keys], count)
        print(visible(f"applies to {counted(count)}: {names}"))


def _show(allow_list: Any, *, json: bool) -> None:
    if json:
        print_json(allow_list)
        return
    print_fields(
        (
            ("name", allow_list.name),
            ("display name", allow_list.display_name),
            ("description", allow_list.description),
            ("ranges", str(allow_list.range_count)),
            ("linked keys", str(allow_list.linked_api_key_count)),
            ("updated", time(allow_list, "update_time")),
            ("etag", allow_list.etag),
        )
    )
    print_ranges(allow_list.ranges)


for command in (links.link, links.unlink, links.keys, find):
    app.command()(command)
