"""`ipgate list link`, `unlink` and `keys`."""

from typing import Annotated

import typer

from ipgate.cli.effects import print_change
from ipgate.cli.key_output import print_keys
from ipgate.cli.options import (
    AllowListId,
    DryRun,
    Json,
    Unrestricted,
    Wait,
    WorkspaceOption,
    change,
    connection,
)
from ipgate.domain.names import key_name, list_name
from ipgate.v1 import admin_pb2 as admin

Keys = Annotated[list[str], typer.Argument(help="Ids of API keys.")]


def link(
    context: typer.Context,
    allow_list: AllowListId,
    keys: Keys,
    workspace: WorkspaceOption,
    allow_unrestricted: Unrestricted = False,
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Link API keys to an allow list.

    Example: ipgate list link office ci batch -w acme
    """
    request = admin.LinkApiKeysRequest(
        allow_list=list_name(workspace, allow_list),
        api_keys=[key_name(workspace, key) for key in keys],
        validate_only=dry_run,
        allow_unrestricted=allow_unrestricted,
    )
    answer = change(context, "LinkApiKeys", request, wait=wait)
    text = f"linked {', '.join(keys)} to {allow_list}"
    print_change(answer, text, dry_run=dry_run, json=json)


def unlink(
    context: typer.Context,
    allow_list: AllowListId,
    keys: Keys,
    workspace: WorkspaceOption,
    allow_unrestricted: Unrestricted = False,
    dry_run: DryRun = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Unlink API keys from an allow list.

    Example: ipgate list unlink office ci -w acme
    """
    request = admin.UnlinkApiKeysRequest(
        allow_list=list_name(workspace, allow_list),
        api_keys=[key_name(workspace, key) for key in keys],
        validate_only=dry_run,
        allow_unrestricted=allow_unrestricted,
    )
    answer = change(context, "UnlinkApiKeys", request, wait=wait)
    text = f"unlinked {', '.join(keys)} from {allow_list}"
    print_change(answer, text, dry_run=dry_run, json=json)


def keys(
    context: typer.Context, allow_list: AllowListId, workspace: WorkspaceOption, json: Json = False
) -> None:
    """List the API keys linked to an allow list.

    Example: ipgate list keys office -w acme
    """
    request = admin.ListLinkedApiKeysRequest(allow_list=list_name(workspace, allow_list))
    api_keys = connection(context).pages("ListLinkedApiKeys", request, "api_keys")
    print_keys(list(api_keys), json=json)
