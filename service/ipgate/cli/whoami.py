"""`ipgate whoami`."""

import typer

from ipgate.cli.options import Json, connection
from ipgate.cli.output import print_fields, print_json, resource_id, time
from ipgate.cli.tokens import role_name
from ipgate.v1 import admin_pb2 as admin


def whoami(context: typer.Context, json: Json = False) -> None:
    """Show whose token the commands use, and what it may do.

    Example: ipgate whoami
    """
    caller = connection(context).admin("GetCaller", admin.GetCallerRequest())
    if json:
        print_json(caller)
        return
    print_fields(
        (
            ("token", resource_id(caller.access_token) or "root"),
            ("role", role_name(caller)),
            ("workspace", resource_id(caller.workspace) if caller.workspace else "all"),
            ("expires", time(caller, "expire_time", "never")),
        )
    )
