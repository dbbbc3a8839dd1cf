"""`ipgate token`."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from ipgate.cli.effects import print_change
from ipgate.cli.options import DryRun, Expires, Json, Name, Wait, change, connection, instant
from ipgate.cli.output import print_fields, print_json, print_table, resource_id, time
from ipgate.cli.store_commands import reset_root
from ipgate.domain.names import token_name, workspace_name
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

app = typer.Typer(no_args_is_help=True, help="Access tokens: who may call ipgate.")

Scope = Annotated[
    str,
    typer.Option(
        "--workspace", "-w", envvar="IPGATE_WORKSPACE", help="Id of the workspace; none for all."
    ),
]


class Role(StrEnum):
    admin = "admin"
    viewer = "viewer"
    authorizer = "authorizer"


_ROLES = {
    Role.admin: resources.AccessToken.ROLE_WORKSPACE_ADMIN,
    Role.viewer: resources.AccessToken.ROLE_WORKSPACE_VIEWER,
    Role.authorizer: resources.AccessToken.ROLE_AUTHORIZER,
}


@app.command()
def create(
    context: typer.Context,
    role: Annotated[Role, typer.Argument(help="What its bearer may do.")],
    workspace: Scope = "",
    token: Annotated[str, typer.Option("--id", help="Id of the token.")] = "",
    name: Name = None,
    expires: Expires = None,
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Create an access token; its secret is shown once.

    Example: ipgate token create authorizer -w acme --id backend
    """
    request = admin.CreateAccessTokenRequest(
        access_token_id=token,
        access_token=resources.AccessToken(
            display_name=name or "",
            role=_ROLES[role],
            workspace=workspace_name(workspace) if workspace else "",
            expire_time=None if expires is None else instant(expires),
        ),
        validate_only=dry_run,
    )
    answer = change(context, "CreateAccessToken", request, wait=wait)
    if json or dry_run:
        print_change(answer, "created the token", dry_run=dry_run, json=json)
        return
    access_token = answer.access_token
    print_fields(
        (
            ("name", access_token.name),
            ("role", role_name(access_token)),
            ("workspace", resource_id(access_token.workspace) or "all"),
            ("expires", time(access_token, "expire_time", "never")),
        )
    )
    if answer.token:
        print(f"\n{answer.token}\nThis is the token. Keep it now: it is not shown again.")


@app.command()
def ls(context: typer.Context, workspace: Scope = "", json: Json = False) -> None:
    """List the access tokens, without their secrets.

    Example: ipgate token ls -w acme
    """
    request = admin.ListAccessTokensRequest(
        workspace=workspace_name(workspace) if workspace else ""
    )
    pages = connection(context).pages("ListAccessTokens", request, "access_tokens")
    tokens: list[Any] = list(pages)
    if json:
        print_json(tokens)
        return
    print_table(
        ("ID", "NAME", "ROLE", "WORKSPACE", "EXPIRES"),
        (
            (
                resource_id(token.name),
                token.display_name,
                role_name(token),
                resource_id(token.workspace) or "all",
                time(token, "expire_time", "never"),
            )
            for token in tokens
        ),
    )


@app.command()
def revoke(
    context: typer.Context,
    token: Annotated[str, typer.Argument(help="Id of the token.")],
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Revoke an access token immediately.

    Example: ipgate token revoke backend
    """
    request = admin.RevokeAccessTokenRequest(name=token_name(token), validate_only=dry_run)
    answer = change(context, "RevokeAccessToken", request, wait=wait)
    print_change(answer, f"revoked {request.name}", dry_run=dry_run, json=json)


def role_name(bearer: Any) -> str:
    """Return the role of an access token or a caller in a word."""
    name = resources.AccessToken.Role.Name(bearer.role)
    return name.removeprefix("ROLE_").removeprefix("WORKSPACE_").lower()


app.command("reset-root")(reset_root)
