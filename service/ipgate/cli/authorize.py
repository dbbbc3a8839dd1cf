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
    ip: Annotated[str, typer.Argument(help="Address of the client.")] = "",
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
    peer: Annotated[
        str,
        typer.Option(help="Peer of a request that came through proxies, instead of IP."),
    ] = "",
    x_forwarded_for: Annotated[
        list[str] | None, typer.Option(help="X-Forwarded-For of that request; may be repeated.")
    ] = None,
    forwarded: Annotated[
        list[str] | None, typer.Option(help="Forwarded of that request; may be repeated.")
    ] = None,
    min_revision: Annotated[str, typer.Option(help="Answer by this revision or a later one.")] = "",
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 if a denial is only reported.")
    ] = False,
    json: Json = False,
) -> None:
    """Ask whether an API key may be used from an address; exit with 0 for allowed, 1 for denied, 2 for an error.

    With --peer the server finds the address behind its --trusted-proxies, and the answer names it.

    Example: ipgate authorize 198.51.100.73 -w acme --api-key ci
    """
    request = authorize_pb.AuthorizeRequest(min_revision=min_revision)
    _set_origin(request, ip, peer, x_forwarded_for or [], forwarded or [])
    _set_subject(request, key, api_key, workspace)
    answer = connection(context).authorize(request)
    if json:
        print_json(answer)
    else:
        client = f"{answer.address}: " if peer and answer.address else ""
        print(visible(client + decision_text(answer)))
    if not answer.allowed:
        raise typer.Exit(DENIED)
    if answer.report_only and strict:
        raise typer.Exit(WOULD_BE_DENIED)


def _set_origin(
    request: authorize_pb.AuthorizeRequest,
    ip: str,
    peer: str,
    x_forwarded_for: list[str],
    forwarded: list[str],
) -> None:
    if bool(ip) == bool(peer):
        raise CliError("give either IP or --peer")
    if peer:
        origin = authorize_pb.Forwarded(
            peer=peer, x_forwarded_for=x_forwarded_for, forwarded=forwarded
        )
        request.forwarded.CopyFrom(origin)
    elif x_forwarded_for or forwarded:
        raise CliError("--x-forwarded-for and --forwarded need --peer instead of IP")
    else:
        request.ip = ip


def _set_subject(
    request: authorize_pb.AuthorizeRequest, key: str, api_key: str, workspace: str
) -> None:
    if bool(key) == bool(api_key):
        raise CliError("give either --key or --api-key")
    if api_key and not workspace:
        raise CliError("--api-key needs --workspace")
    if api_key:
        request.api_key = key_name(workspace, api_key)
        return
    if key == "-":
        key = sys.stdin.readline().strip()
        if not key:
            raise CliError("standard input holds no credential")
    request.key = key


def decision_text(answer: authorize_pb.AuthorizeResponse) -> str:
    """Return a decision in a line."""
    reason = authorize_pb.Reason.Name(answer.reason).removeprefix("REASON_")
    where = f" ({answer.range} in {resource_id(answer.allow_list)})" if answer.allow_list else ""
    verdict = "ALLOWED, would be denied:" if answer.report_only else "ALLOWED"
    return f"{verdict if answer.allowed else 'DENIED'} {reason}{where}"
