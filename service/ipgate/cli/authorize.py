"""`ipgate authorize`."""

import sys
from typing import Annotated

import typer

from ipgate.cli.endpoint import CliError
from ipgate.cli.options import Json, connection
from ipgate.cli.output import print_json, resource_id, visible
from ipgate.domain.names import key_name
from ipgate.v1 import authorize_pb2 as authorize_pb

DENIED = 1
WOULD_BE_DENIED = 3


def authorize(
    context: typer.Context,
    ip: Annotated[str, typer.Argument(help="Address of the client.")],
    key: Annotated[
        str,
        typer.Option(envvar="IPGATE_KEY", help="Credential of the client, '-' for standard input."),
    ] = "",
    api_key: Annotated[str, typer.Option(help="Id of the API key, instead of a credential.")] = "",
    workspace: Annotated[
        str,
        typer.Option(
            "--workspace", "-w", envvar="IPGATE_WORKSPACE", help="Workspace of --api-key."
        ),
    ] = "",
    min_revision: Annotated[str, typer.Option(help="Answer by this revision or a later one.")] = "",
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 if a denial is only reported.")
    ] = False,
    json: Json = False,
) -> None:
    """Ask whether an API key may be used from an address; exit with 0 for allowed, 1 for denied, 2 for an error.

    Example: ipgate authorize 198.51.100.73 -w acme --api-key ci
    """
    if bool(key) == bool(api_key):
        raise CliError("give either --key or --api-key")
    if api_key and not workspace:
        raise CliError("--api-key needs --workspace")
    if key == "-":
        key = sys.stdin.readline().strip()
        if not key:
            raise CliError("standard input holds no credential")
    request = authorize_pb.AuthorizeRequest(ip=ip, min_revision=min_revision)
    if api_key:
        request.api_key = key_name(workspace, api_key)
    else:
        request.key = key
    answer = connection(context).authorize(request)
    if json:
        print_json(answer)
    else:
        print(visible(decision_text(answer)))
    if not answer.allowed:
        raise typer.Exit(DENIED)
    if answer.report_only and strict:
        raise typer.Exit(WOULD_BE_DENIED)


def decision_text(answer: authorize_pb.AuthorizeResponse) -> str:
    """Return a decision in a line."""
    reason = authorize_pb.Reason.Name(answer.reason).removeprefix("REASON_")
    where = f" ({answer.range} in {resource_id(answer.allow_list)})" if answer.allow_list else ""
    verdict = "ALLOWED, would be denied:" if answer.report_only else "ALLOWED"
    return f"{verdict if answer.allowed else 'DENIED'} {reason}{where}"
