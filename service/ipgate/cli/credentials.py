"""`ipgate key rotate` and `revoke`."""

import re
from typing import Annotated

import typer
from google.protobuf.duration_pb2 import Duration

from ipgate.cli.effects import print_change
from ipgate.cli.endpoint import CliError
from ipgate.cli.key_output import print_credential, show_key, show_key_change
from ipgate.cli.options import DryRun, Etag, Json, KeyId, Wait, WorkspaceOption, change
from ipgate.domain.names import key_name
from ipgate.v1 import admin_pb2 as admin

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def rotate(
    context: typer.Context,
    key: KeyId,
    workspace: WorkspaceOption,
    overlap: Annotated[
        str,
        typer.Option(
            help="How long the current credential goes on working, such as 90m, 24h or 7d; 0s ends it immediately."
        ),
    ],
    etag: Etag = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Give an API key a new credential, which is shown once.

    Example: ipgate key rotate ci -w acme --overlap 7d
    """
    request = admin.RotateApiKeyCredentialRequest(
        api_key=key_name(workspace, key),
        overlap=_duration(overlap),
        etag=etag,
        validate_only=dry_run,
    )
    answer = change(context, "RotateApiKeyCredential", request, wait=wait)
    if json or dry_run:
        print_change(answer, f"rotated the credential of {key}", dry_run=dry_run, json=json)
        return
    show_key(answer.api_key, json=False)
    print_credential(answer.credential)


def revoke(
    context: typer.Context,
    key: KeyId,
    workspace: WorkspaceOption,
    current: Annotated[
        bool, typer.Option("--current", help="The new one; the previous one stays, without an end.")
    ] = False,
    previous: Annotated[bool, typer.Option("--previous", help="The one before.")] = False,
    etag: Etag = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Immediately revoke one of the two credentials that an API key has after a rotation.

    Example: ipgate key revoke ci -w acme --previous
    """
    if current == previous:
        raise CliError("give --current or --previous: which credential to revoke")
    request = admin.RevokeApiKeyCredentialRequest(
        api_key=key_name(workspace, key),
        credential="CREDENTIAL_CURRENT" if current else "CREDENTIAL_PREVIOUS",
        etag=etag,
        validate_only=dry_run,
    )
    answer = change(context, "RevokeApiKeyCredential", request, wait=wait)
    what = f"revoked the {'current' if current else 'previous'} credential of {key}"
    show_key_change(answer, what, dry_run=dry_run, json=json)


def _duration(text: str) -> Duration:
    """Return the Duration of a number with its unit.

    Raises: CliError.
    """
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text.strip())
    if not match:
        raise CliError(f"--overlap {text!r}: write a number and a unit, such as 90m, 24h or 7d")
    return Duration(seconds=int(match[1]) * _SECONDS[match[2]])
