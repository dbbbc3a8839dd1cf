"""`ipgate key`."""

from typing import Annotated, Any

import typer

from ipgate.cli import credentials
from ipgate.cli.effects import print_change
from ipgate.cli.endpoint import CliError
from ipgate.cli.key_output import print_credential, print_keys, show_key, show_key_change
from ipgate.cli.options import (
    DryRun,
    Etag,
    Expires,
    Json,
    KeyId,
    Name,
    Query,
    Unrestricted,
    Wait,
    WorkspaceOption,
    change,
    connection,
    instant,
)
from ipgate.domain.names import key_name, list_name, workspace_name
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

app = typer.Typer(no_args_is_help=True, help="API keys and their credentials.")


@app.command()
def create(
    context: typer.Context,
    key: KeyId,
    workspace: WorkspaceOption,
    name: Name = None,
    expires: Expires = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Create it disabled.")] = False,
    report_only: Annotated[
        bool, typer.Option("--report-only", help="Let its lists report, not deny.")
    ] = False,
    sha256: Annotated[
        str, typer.Option(help="Digest of a credential that you have, instead of a new one.")
    ] = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Create an API key; its new credential is shown once.

    Example: ipgate key create ci -w acme --name "CI jobs"
    """
    request = admin.CreateApiKeyRequest(
        parent=workspace_name(workspace),
        api_key_id=key,
        api_key=resources.ApiKey(
            display_name=name or "",
            disabled=disabled,
            report_only=report_only,
            expire_time=None if expires is None else instant(expires),
        ),
        credential_sha256=sha256,
        validate_only=dry_run,
    )
    answer = change(context, "CreateApiKey", request, wait=wait)
    if json or dry_run:
        print_change(answer, f"created {key}", dry_run=dry_run, json=json)
        return
    show_key(answer.api_key, json=False)
    if answer.credential:
        print_credential(answer.credential)


@app.command()
def ls(
    context: typer.Context,
    workspace: WorkspaceOption,
    query: Query = "",
    state: Annotated[str, typer.Option(help="Only enabled, disabled or expired ones.")] = "",
    access: Annotated[
        str, typer.Option(help="Only those with access by lists, default, unrestricted or closed.")
    ] = "",
    json: Json = False,
) -> None:
    """List the API keys of a workspace.

    Example: ipgate key ls -w acme --access unrestricted
    """
    request = admin.ListApiKeysRequest(parent=workspace_name(workspace), query=query)
    if state:
        request.state = _one_of("--state", state, "STATE", admin.ListApiKeysRequest.State)
    if access:
        request.access = _one_of("--access", access, "ACCESS", resources.ApiKey.Access)
    print_keys(list(connection(context).pages("ListApiKeys", request, "api_keys")), json=json)


@app.command()
def show(
    context: typer.Context, key: KeyId, workspace: WorkspaceOption, json: Json = False
) -> None:
    """Show an API key.

    Example: ipgate key show ci -w acme
    """
    request = admin.GetApiKeyRequest(name=key_name(workspace, key))
    show_key(connection(context).admin("GetApiKey", request), json=json)


@app.command()
def update(
    context: typer.Context,
    key: KeyId,
    workspace: WorkspaceOption,
    name: Name = None,
    disable: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Disable or enable the key.")
    ] = None,
    report_only: Annotated[
        bool | None,
        typer.Option("--report-only/--enforce", help="Let its lists report, or deny."),
    ] = None,
    expires: Expires = None,
    never_expires: Annotated[
        bool, typer.Option("--never-expires", help="Drop its expiry.")
    ] = False,
    allow_unrestricted: Unrestricted = False,
    etag: Etag = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Change an API key.

    Example: ipgate key update ci -w acme --disable
    """
    if expires is not None and never_expires:
        raise CliError("give --expires or --never-expires, not both")
    request = admin.UpdateApiKeyRequest(
        api_key=resources.ApiKey(
            name=key_name(workspace, key),
            display_name=name or "",
            disabled=bool(disable),
            report_only=bool(report_only),
            expire_time=None if expires is None else instant(expires),
            etag=etag,
        ),
        validate_only=dry_run,
        allow_unrestricted=allow_unrestricted,
    )
    changes = {
        "display_name": name,
        "disabled": disable,
        "report_only": report_only,
        "expire_time": expires is not None or never_expires or None,
    }
    request.update_mask.paths.extend(path for path, value in changes.items() if value is not None)
    answer = change(context, "UpdateApiKey", request, wait=wait)
    show_key_change(answer, f"updated {key}", dry_run=dry_run, json=json)


@app.command("set-lists")
def set_lists(
    context: typer.Context,
    key: KeyId,
    workspace: WorkspaceOption,
    lists: Annotated[
        list[str] | None, typer.Argument(help="Ids of the allow lists to link it to.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Unlink it from all lists.")] = False,
    allow_unrestricted: Unrestricted = False,
    etag: Etag = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Replace the allow lists that an API key is linked to, in one change.

    Example: ipgate key set-lists ci office lab -w acme
    """
    if bool(lists) == none:
        raise CliError("name the allow lists, or give --none to unlink the key from all")
    request = admin.SetApiKeyAllowListsRequest(
        api_key=key_name(workspace, key),
        allow_lists=[list_name(workspace, allow_list) for allow_list in lists or ()],
        etag=etag,
        validate_only=dry_run,
        allow_unrestricted=allow_unrestricted,
    )
    answer = change(context, "SetApiKeyAllowLists", request, wait=wait)
    what = f"linked {key} to {', '.join(lists)}" if lists else f"unlinked {key} from all lists"
    show_key_change(answer, what, dry_run=dry_run, json=json)


@app.command()
def delete(
    context: typer.Context,
    key: KeyId,
    workspace: WorkspaceOption,
    etag: Etag = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Delete an API key and its links.

    Example: ipgate key delete ci -w acme
    """
    request = admin.DeleteApiKeyRequest(
        name=key_name(workspace, key), etag=etag, validate_only=dry_run
    )
    answer = change(context, "DeleteApiKey", request, wait=wait)
    print_change(answer, f"deleted {request.name}", dry_run=dry_run, json=json)


def _one_of(flag: str, text: str, prefix: str, values: Any) -> Any:
    """Return the value of an enumeration.

    Raises: CliError.
    """
    names = [name.removeprefix(f"{prefix}_").lower() for name in values.keys()[1:]]
    if text.lower() not in names:
        raise CliError(f"{flag} {text!r}: use {', '.join(names)}")
    return values.Value(f"{prefix}_{text.upper()}")


for command in (credentials.rotate, credentials.revoke):
    app.command()(command)
