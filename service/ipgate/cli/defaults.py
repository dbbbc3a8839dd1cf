"""`ipgate default`."""

from typing import Annotated, Any

import typer

from ipgate.cli.effects import print_change
from ipgate.cli.options import (
    DryRun,
    Etag,
    Json,
    Unrestricted,
    Wait,
    WorkspaceOption,
    change,
    connection,
)
from ipgate.cli.output import print_json, visible
from ipgate.cli.workspaces import default_text
from ipgate.domain.names import list_name, workspace_name
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

app = typer.Typer(no_args_is_help=True, help="The default allow list of a workspace.")


@app.command()
def show(context: typer.Context, workspace: WorkspaceOption, json: Json = False) -> None:
    """Show the default allow list.

    Example: ipgate default show -w acme
    """
    request = admin.GetWorkspaceRequest(name=workspace_name(workspace))
    _show(connection(context).admin("GetWorkspace", request), json=json)


@app.command("set")
def switch_on(
    context: typer.Context,
    allow_list: Annotated[str, typer.Argument(help="Id of the allow list.")],
    workspace: WorkspaceOption,
    report_only: Annotated[
        bool, typer.Option("--report-only", help="Let the default report, not deny.")
    ] = False,
    allow_unrestricted: Unrestricted = False,
    etag: Etag = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Switch the default on: this list applies to every key that is linked to none.

    Example: ipgate default set office -w acme
    """
    request = admin.UpdateDefaultAllowListRequest(
        workspace=workspace_name(workspace),
        default_allow_list=resources.DefaultAllowList(
            enabled=True, allow_list=list_name(workspace, allow_list), report_only=report_only
        ),
        etag=etag,
        validate_only=dry_run,
        allow_unrestricted=allow_unrestricted,
    )
    _update(context, workspace, request, wait=wait, json=json)


@app.command("off")
def switch_off(
    context: typer.Context,
    workspace: WorkspaceOption,
    allow_unrestricted: Unrestricted = False,
    etag: Etag = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Switch the default off; which list it was is kept.

    Example: ipgate default off -w acme
    """
    name = workspace_name(workspace)
    present = connection(context).admin("GetWorkspace", admin.GetWorkspaceRequest(name=name))
    default = present.default_allow_list
    default.enabled = False
    request = admin.UpdateDefaultAllowListRequest(
        workspace=name,
        default_allow_list=default,
        etag=etag or present.etag,
        validate_only=dry_run,
        allow_unrestricted=allow_unrestricted,
    )
    _update(context, workspace, request, wait=wait, json=json)


def _update(
    context: typer.Context,
    workspace: str,
    request: admin.UpdateDefaultAllowListRequest,
    *,
    wait: bool,
    json: bool,
) -> None:
    answer = change(context, "UpdateDefaultAllowList", request, wait=wait)
    what = f"set the default of {workspace} to {default_text(answer.workspace)}"
    print_change(answer, what, dry_run=request.validate_only, json=json)


def _show(workspace: Any, *, json: bool) -> None:
    if json:
        print_json(workspace.default_allow_list)
    else:
        print(visible(f"default of {workspace.name}: {default_text(workspace)}"))
