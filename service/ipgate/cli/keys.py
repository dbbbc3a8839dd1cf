"""`ipgate key`."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from ipgate.cli.client import Failure
from ipgate.cli.options import (
    DryRun,
    Etag,
    Expires,
    In,
    Json,
    Name,
    Wait,
    change,
    connection,
    instant,
)
from ipgate.cli.output import last, print_fields, print_json, print_table, time, to_dict
from ipgate.cli.workspaces import done
from ipgate.domain.names import key_name, workspace_name
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

app = typer.Typer(no_args_is_help=True, help="API keys and their credentials.")

Id = Annotated[str, typer.Argument(help="Id of the API key.")]


@app.command()
def create(
    context: typer.Context,
    key: Id,
    workspace: In,
    name: Name = None,
    expires: Expires = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Create it disabled.")] = False,
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
            expire_time=instant(expires) if expires else None,
        ),
        credential_sha256=sha256,
        validate_only=dry_run,
    )
    answer = change(context, "CreateApiKey", request, wait=wait)
    if json:
        print_json(to_dict(answer))
        return
    _show(answer.api_key, json=False)
    if answer.credential:
        print(f"\n{answer.credential}\nThis is the credential. Keep it now: it is not shown again.")


@app.command()
def ls(context: typer.Context, workspace: In, json: Json = False) -> None:
    """List the API keys of a workspace.

    Example: ipgate key ls -w acme
    """
    request = admin.ListApiKeysRequest(parent=workspace_name(workspace))
    print_keys(list(connection(context).pages("ListApiKeys", request, "api_keys")), json=json)


@app.command()
def show(context: typer.Context, key: Id, workspace: In, json: Json = False) -> None:
    """Show an API key.

    Example: ipgate key show ci -w acme
    """
    request = admin.GetApiKeyRequest(name=key_name(workspace, key))
    _show(connection(context).admin("GetApiKey", request), json=json)


@app.command()
def update(
    context: typer.Context,
    key: Id,
    workspace: In,
    name: Name = None,
    disable: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Disable or enable the key.")
    ] = None,
    expires: Expires = None,
    never_expires: Annotated[
        bool, typer.Option("--never-expires", help="Drop its expiry.")
    ] = False,
    etag: Etag = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Change an API key.

    Example: ipgate key update ci -w acme --disable
    """
    if expires and never_expires:
        raise Failure("give --expires or --never-expires, not both")
    request = admin.UpdateApiKeyRequest(
        api_key=resources.ApiKey(
            name=key_name(workspace, key),
            display_name=name or "",
            disabled=bool(disable),
            expire_time=instant(expires) if expires else None,
            etag=etag,
        ),
        validate_only=dry_run,
    )
    given = {
        "display_name": name,
        "disabled": disable,
        "expire_time": expires or never_expires or None,
    }
    request.update_mask.paths.extend(path for path, value in given.items() if value is not None)
    _show(change(context, "UpdateApiKey", request, wait=wait), json=json)


@app.command()
def delete(
    context: typer.Context,
    key: Id,
    workspace: In,
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
    done(f"deleted {request.name}", answer.revision, dry_run=dry_run, json=json)


def print_keys(found: Sequence[Any], *, json: bool) -> None:
    """A table of API keys."""
    if json:
        print_json(found)
        return
    print_table(
        ("ID", "NAME", "ACCESS", "STATE", "EXPIRES", "LISTS"),
        (
            (
                last(each.name),
                each.display_name,
                _access(each),
                "disabled" if each.disabled else "enabled",
                time(each, "expire_time", "never"),
                ", ".join(map(last, each.allow_lists)),
            )
            for each in found
        ),
    )


def _show(key: Any, *, json: bool) -> None:
    if json:
        print_json(key)
        return
    print_fields(
        (
            ("name", key.name),
            ("display name", key.display_name),
            ("access", _access(key)),
            ("state", "disabled" if key.disabled else "enabled"),
            ("expires", time(key, "expire_time", "never")),
            ("lists", ", ".join(map(last, key.allow_lists))),
            ("updated", time(key, "update_time")),
            ("etag", key.etag),
        )
    )


def _access(key: Any) -> str:
    return resources.ApiKey.Access.Name(key.access).removeprefix("ACCESS_").lower()
