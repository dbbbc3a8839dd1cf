"""`ipgate serve`: the settings as flags, and what is printed when it serves."""

import inspect
import os
import shlex
import sys
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from ipgate.cli.endpoint import CliError
from ipgate.settings import BadSetting, Settings, flag, variable
from ipgate.settings_check import check
from ipgate.version import VERSION


def serve(**values: Any) -> None:
    """Run the server.

    Example: ipgate serve --listen 127.0.0.1:50051 --redis-url redis://localhost:6379
    """
    # Only this command needs the server; the others start faster without it.
    from ipgate.app.logs import set_up_logs  # noqa: PLC0415
    from ipgate.app.supervisor import serve as supervise  # noqa: PLC0415
    from ipgate.store.connection import UnusableStore  # noqa: PLC0415

    settings = Settings(**values)
    try:
        check(settings)
        set_up_logs(settings.log_level, settings.log_format)
        supervise(settings, lambda serving: _announce(settings, serving))
    except (BadSetting, UnusableStore) as error:
        raise CliError(str(error)) from error


def _announce(settings: Settings, serving: Any) -> None:
    address, token, count = serving.address, serving.token, serving.workers
    command = shlex.quote(_command())
    options = (
        "" if address == Settings.__dataclass_fields__["listen"].default else f" --server {address}"
    )
    if token != str(Path(".ipgate") / "root-token") and not token.startswith(("from ", "as ")):
        options += f" --token-file {shlex.quote(token)}"
    if settings.tls_cert:
        options += " --tls-ca CA.pem"
    if settings.tls_client_ca:
        options += " --tls-cert CLIENT.pem --tls-key CLIENT.key"
    ipgate = command + options
    print(
        f"ipgate {VERSION} listens on {address} "
        f"({settings.engine} engine, {'TLS' if settings.tls_cert else 'plaintext'}, "
        f"{count} worker{'s' * (count > 1)}: {serving.reason})\n"
        f"store:      {'as --redis-url says' if settings.redis_url else settings.data_dir / 'store'}\n"
        f"root token: {token}\n"
        f"{_others(settings)}"
        "\n"
        "Try in another terminal:\n"
        f"  {ipgate} workspace create acme\n"
        f"  {ipgate} key create ci -w acme\n"
        f"  {ipgate} authorize 198.51.100.73 -w acme --api-key ci",
        flush=True,
    )


def _others(settings: Settings) -> str:
    """Return the lines about other ports."""
    scheme = "https" if settings.tls_cert else "http"
    check, metrics = settings.check_listen, settings.ops_listen
    return f"gateways:   {scheme}://{check}/check\n" * bool(
        check
    ) + f"metrics:    http://{metrics}/metrics\n" * bool(metrics)


def _command() -> str:
    """Return how the user called this program, as short as it works from here."""
    called = Path(sys.argv[0])
    if called.name != "ipgate":
        return "ipgate"
    here = os.path.relpath(called)
    return here if not here.startswith("..") else str(called)


def _signature() -> inspect.Signature:
    """One option for each setting."""
    parameters = []
    for setting in fields(Settings):
        bounds = {
            name: setting.metadata[name] for name in ("min", "max") if name in setting.metadata
        }
        option = typer.Option(
            flag(setting.name),
            envvar=variable(setting.name),
            help=escape(setting.metadata["help"]),
            show_default=setting.default not in ("", False),
            **bounds,
        )
        assert setting.default is not MISSING
        parameters.append(
            inspect.Parameter(
                setting.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=setting.default,
                annotation=Annotated[setting.type, option],
            )
        )
    return inspect.Signature(parameters)


serve.__signature__ = _signature()  # type: ignore[attr-defined]
serve.__annotations__ = {
    name: parameter.annotation for name, parameter in _signature().parameters.items()
}
