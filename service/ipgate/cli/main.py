"""The `ipgate` command."""

import io
import os
import sys
from pathlib import Path
from typing import Annotated, Any, ClassVar, NoReturn

import typer

from ipgate.cli.endpoint import CliError, Endpoint
from ipgate.cli.lazy import LazyGroup
from ipgate.domain.characters import readable
from ipgate.version import VERSION

ERROR = 2


class Commands(LazyGroup):
    """The commands of `ipgate`, in the order of the help."""

    targets: ClassVar[dict[str, str]] = {
        "serve": "serve:serve",
        "authorize": "authorize:authorize",
        "check": "check:check",
        "audit": "audit:audit",
        "health": "health:health",
        "whoami": "whoami:whoami",
        "status": "status:status",
        "doctor": "store_commands:doctor",
        "export": "store_commands:export_store",
        "import": "store_commands:import_store",
        "workspace": "workspaces:app",
        "list": "lists:app",
        "key": "keys:app",
        "default": "defaults:app",
        "token": "tokens:app",
        "console": "console:console",
        "descriptors": "descriptors:descriptors",
    }


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="ipgate decides whether an API key may be used from an IP address.",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"ipgate {VERSION}")
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
    """Options of the connection stand before or after the command."""
    context.obj = Endpoint(
        server=server,
        token=os.environ.get("IPGATE_TOKEN", ""),
        token_file=token_file,
        tls_ca=tls_ca,
        tls_cert=tls_cert,
        tls_key=tls_key,
        timeout=timeout,
    )


def main() -> None:
    """Run the command; a failure is one message on standard error and exit code 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not have every script
    try:
        app()
    except CliError as failure:
        _fail(str(failure))
    except UnicodeEncodeError:
        # Python has surrogates instead of bytes that are not UTF-8; they cannot be sent.
        _fail("an argument, or a variable of the environment, is not UTF-8")


def _fail(message: str) -> NoReturn:
    print(f"ipgate: {readable(message, allowed=chr(10))}", file=sys.stderr)
    sys.exit(ERROR)
