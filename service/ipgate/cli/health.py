"""`ipgate health`."""

from typing import Annotated

import typer

from ipgate.cli.options import connection

NOT_SERVING = 1


def health(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="A service, or none for the server.")] = "",
) -> None:
    """Ask whether a server is serving; exit with 0 if it is, 1 if not, 2 for an error.

    Example: ipgate health ipgate.v1.AuthorizeService
    """
    serving = connection(context).serving(service)
    print("SERVING" if serving else "NOT_SERVING")
    if not serving:
        raise typer.Exit(NOT_SERVING)
