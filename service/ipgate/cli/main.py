"""The `ipgate` command."""

import io
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from ipgate import __version__
from ipgate.cli import (
    authorize,
    defaults,
    health,
    keys,
    links,
    lists,
    store_commands,
    tokens,
    workspaces,
)
from ipgate.cli.client import Connection, Failure
from ipgate.cli.output import visible
from ipgate.cli.serve import serve

ERROR = 2
_LONGEST = 86_400

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="ipgate decides whether an API key may be used from an IP address.",
)
app.command()(serve)
app.command()(authorize.authorize)
app.command()(health.health)
app.command()(store_commands.doctor)
app.command("export")(store_commands.export_store)
app.command("import")(store_commands.import_store)
app.add_typer(workspaces.app, name="workspace")
for command in (links.link, links.unlink, links.keys):
    lists.app.command()(command)
app.add_typer(lists.app, name="list")
app.add_typer(keys.app, name="key")
app.add_typer(defaults.app, name="default")
tokens.app.command("reset-root")(store_commands.reset_root)
app.add_typer(tokens.app, name="token")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"ipgate {__version__}")
        raise typer.Exit


def _option(variable: str, text: str) -> Any:
    return typer.Option(envvar=variable, help=text)


@app.callback()
def connect(
    context: typer.Context,
    server: Annotated[
        str, _option("IPGATE_SERVER", "Address of the server, HOST:PORT.")
    ] = "127.0.0.1:50051",
    token_file: Annotated[
        Path, _option("IPGATE_TOKEN_FILE", "File with the access token; IPGATE_TOKEN overrides it.")
    ] = Path(".ipgate/root-token"),
    tls_ca: Annotated[
        str, _option("IPGATE_TLS_CA", "Certificates to trust, a PEM file; turns TLS on.")
    ] = "",
    tls_cert: Annotated[
        str, _option("IPGATE_CLIENT_CERT", "Certificate of this client, for mutual TLS.")
    ] = "",
    tls_key: Annotated[str, _option("IPGATE_CLIENT_KEY", "Private key of that certificate.")] = "",
    timeout: Annotated[float, _option("IPGATE_TIMEOUT", "Seconds to wait for an answer.")] = 30.0,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options before the command say which server to talk to, and as whom."""
    if not 0 < timeout <= _LONGEST:
        raise Failure(f"--timeout {timeout:g}: give seconds, more than 0 and at most {_LONGEST}")
    context.obj = Connection(
        server=server,
        token=os.environ.get("IPGATE_TOKEN", ""),
        token_file=token_file,
        tls_ca=tls_ca,
        tls_cert=tls_cert,
        tls_key=tls_key,
        timeout=timeout,
    )


def main() -> None:
    """Runs the command; a failure is one message on standard error and exit code 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not have every script
    try:
        app()
    except Failure as failure:
        _fail(str(failure))
    except UnicodeEncodeError:
        # Python has surrogates in place of bytes that are not UTF-8; they cannot be sent.
        _fail("an argument, or a variable of the environment, is not UTF-8")


def _fail(message: str) -> NoReturn:
    print(f"ipgate: {visible(message)}", file=sys.stderr)
    sys.exit(ERROR)
