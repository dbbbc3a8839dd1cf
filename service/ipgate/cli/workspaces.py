"""`ipgate workspace`."""

from typing import Annotated, Any

import typer

from ipgate.cli.effects import print_change, print_effect
from ipgate.cli.options import DryRun, Etag, Json, Name, Unrestricted, Wait, change, connection
from ipgate.cli.output import print_fields, print_json, print_table, resource_id, time
from ipgate.domain.names import workspace_name
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

app = typer.Typer(no_args_is_help=True, help="Workspaces: the tenants.")

Id = Annotated[str, typer.Argument(help="Id of the workspace.")]
Require = Annotated[
    bool | None,
    typer.Option(
        "--require-allow-list/--no-require-allow-list",
        help="Whether a key that no list covers is denied.",
    ),
]
Ipv6 = Annotated[
    bool | None, typer.Option("--ipv6/--no-ipv6", help="Whether lists may have IPv6 ranges.")
]


@app.command()
def create(
    context: typer.Context,
    workspace: Id,
    name: Name = None,
    require: Require = None,
    ipv6: Ipv6 = None,
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Create a workspace.

    Example: ipgate workspace create acme --name "Acme Inc."
    """
    request = admin.CreateWorkspaceRequest(
        workspace_id=workspace,
        workspace=resources.Workspace(
            display_name=name or "", require_allow_list=bool(require), ipv6_enabled=bool(ipv6)
        ),
        validate_only=dry_run,
    )
    answer = change(context, "CreateWorkspace", request, wait=wait)
    show_change(answer, f"created {workspace}", dry_run=dry_run, json=json)


@app.command()
def ls(context: typer.Context, json: Json = False) -> None:
    """List the workspaces.

    Example: ipgate workspace ls
    """
    request = admin.ListWorkspacesRequest()
    workspaces: list[Any] = list(connection(context).pages("ListWorkspaces", request, "workspaces"))
    if json:
        print_json(workspaces)
        return
    print_table(
        ("ID", "NAME", "LIST REQUIRED", "DEFAULT"),
        (
            (
                resource_id(workspace.name),
                workspace.display_name,
                "yes" if workspace.require_allow_list else "no",
                default_text(workspace),
            )
            for workspace in workspaces
        ),
    )


@app.command()
def show(context: typer.Context, workspace: Id, json: Json = False) -> None:
    """Show a workspace.

    Example: ipgate workspace show acme
    """
    request = admin.GetWorkspaceRequest(name=workspace_name(workspace))
    _show(connection(context).admin("GetWorkspace", request), json=json)


@app.command()
def update(
    context: typer.Context,
    workspace: Id,
    name: Name = None,
    require: Require = None,
    ipv6: Ipv6 = None,
    allow_unrestricted: Unrestricted = False,
    etag: Etag = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Change a workspace.

    Example: ipgate workspace update acme --require-allow-list
    """
    request = admin.UpdateWorkspaceRequest(
        workspace=resources.Workspace(
            name=workspace_name(workspace),
            display_name=name or "",
            require_allow_list=bool(require),
            ipv6_enabled=bool(ipv6),
            etag=etag,
        ),
        validate_only=dry_run,
        allow_unrestricted=allow_unrestricted,
    )
    if name is not None:
        request.update_mask.paths.append("display_name")
    if require is not None:
        request.update_mask.paths.append("require_allow_list")
    if ipv6 is not None:
        request.update_mask.paths.append("ipv6_enabled")
    answer = change(context, "UpdateWorkspace", request, wait=wait)
    show_change(answer, f"updated {workspace}", dry_run=dry_run, json=json)


@app.command()
def delete(
    context: typer.Context,
    workspace: Id,
    etag: Etag = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Delete a workspace that has no lists, keys and tokens any more.

    Example: ipgate workspace delete acme
    """
    request = admin.DeleteWorkspaceRequest(
        name=workspace_name(workspace), etag=etag, validate_only=dry_run
    )
    answer = change(context, "DeleteWorkspace", request, wait=wait)
    print_change(answer, f"deleted {request.name}", dry_run=dry_run, json=json)


def default_text(workspace: Any) -> str:
    """Return the default allow list in a word."""
    default = workspace.default_allow_list
    if default.enabled:
        mode = " (report only)" if default.report_only else ""
        return f"{resource_id(default.allow_list)}{mode}"
    return f"off ({resource_id(default.allow_list)})" if default.allow_list else "off"


def show_change(answer: Any, what: str, *, dry_run: bool, json: bool) -> None:
    """Print a created or updated workspace, and the effect of the change."""
    if dry_run or json:
        print_change(answer, what, dry_run=dry_run, json=json)
        return
    _show(answer.workspace, json=False)
    print_effect(answer.effect, dry_run=False)


def _show(workspace: Any, *, json: bool) -> None:
    if json:
        print_json(workspace)
        return
    print_fields(
        (
            ("name", workspace.name),
            ("display name", workspace.display_name),
            ("list required", "yes" if workspace.require_allow_list else "no"),
            ("default list", default_text(workspace)),
            ("IPv6 ranges", "permitted" if workspace.ipv6_enabled else "no"),
            ("updated", time(workspace, "update_time")),
            ("etag", workspace.etag),
        )
    )
