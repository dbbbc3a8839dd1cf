"""`ipgate status`."""

from typing import Annotated

import typer

from ipgate.cli.options import Json, connection
from ipgate.cli.output import print_json
from ipgate.v1 import admin_pb2 as admin

NOT_IN_FORCE = 1


def status(
    context: typer.Context,
    revision: Annotated[str, typer.Argument(help="Revision that a change returned.")],
    json: Json = False,
) -> None:
    """Show how many workers have applied a change; exit with 0 if all have, 1 if not, 2 for an error.

    Example: ipgate status "$(ipgate key update ci -w acme --disable --json | jq -r .revision)"
    """
    request = admin.GetRevisionStatusRequest(revision=revision)
    answer = connection(context).admin("GetRevisionStatus", request)
    if json:
        print_json(answer)
    else:
        print(f"in force on {answer.applied_worker_count} of {answer.worker_count} workers")
        for worker in answer.workers_behind:
            print(f"  behind: {worker}")
    if answer.applied_worker_count < answer.worker_count or not answer.worker_count:
        raise typer.Exit(NOT_IN_FORCE)
