"""`ipgate list`."""

from typing import Annotated, Any

import typer

from ipgate.cli import links
from ipgate.cli import list_edits as edits
from ipgate.cli.check import find
from ipgate.cli.effects import print_change
from ipgate.cli.list_output import show_list, show_list_change
from ipgate.cli.options import (
    AllowListId,
    Broad,
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
from ipgate.cli.output import print_json, print_table, resource_id
from ipgate.cli.range_changes import all_ranges, keep_attributes, replace_many
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
    show_list_change(context, answer, f"created {allow_list}", dry_run=dry_run, json=json)


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
    show_list(shown, json=json)


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
    show_list_change(context, answer, f"updated {allow_list}", dry_run=dry_run, json=json)


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


app.command()(edits.add)
app.command()(edits.remove)
app.command("set")(edits.set_)
for command in (links.link, links.unlink, links.keys, find):
    app.command()(command)
