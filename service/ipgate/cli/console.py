"""`ipgate console`."""

from typing import Annotated

import typer

from ipgate.cli.connection import tls_of
from ipgate.cli.endpoint import CliError

_INSTALL = "the console is not installed: install the extra, as in pip install 'ipgate[console]'"


def console(
    context: typer.Context,
    listen: Annotated[
        str, typer.Option(envvar="IPGATE_CONSOLE_LISTEN", help="Address of the console, HOST:PORT.")
    ] = "127.0.0.1:8080",
    cert: Annotated[
        str,
        typer.Option(
            "--console-cert", help="Certificate of the console, a PEM file; turns TLS on."
        ),
    ] = "",
    key: Annotated[
        str, typer.Option("--console-key", help="Private key of that certificate.")
    ] = "",
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="A name that browsers reach it by, besides that of --listen."),
    ] = None,
    plaintext: Annotated[
        bool,
        typer.Option("--plaintext", help="Listen without TLS on an address that is not loopback."),
    ] = False,
    behind_tls: Annotated[
        bool,
        typer.Option(
            "--behind-tls",
            help="Browsers reach it through a proxy that has TLS; it listens without.",
        ),
    ] = False,
) -> None:
    """Serve the settings pages, for administrators with a browser.

    Example: ipgate console --server 127.0.0.1:50051
    """
    try:
        from ipgate.console.config import BadConsoleOption, ConsoleConfig  # noqa: PLC0415
        from ipgate.console.server import serve  # noqa: PLC0415
    except ImportError as error:
        raise CliError(_INSTALL) from error
    endpoint = context.find_root().obj
    config = ConsoleConfig(
        server=endpoint.server,
        server_tls=tls_of(endpoint),
        listen=listen,
        tls_cert=cert,
        tls_key=key,
        names=tuple(name or ()),
        plaintext=plaintext,
        behind_tls=behind_tls,
    )
    try:
        serve(
            config,
            lambda url: print(f"the console is at {url}: log in with an access token", flush=True),
        )
    except BadConsoleOption as error:
        raise CliError(str(error)) from error
