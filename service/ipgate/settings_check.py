"""Whether the settings can be used, one by one and together."""

from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path

from ipgate.settings import ENGINES, BadSetting, Settings, flag


def check(settings: Settings) -> None:
    """Check the values, one by one and together.

    Raises: BadSetting.
    """
    host = "" if settings.unix_path else settings.host
    _check_tls(settings)
    settings.trusted()
    settings.gateway_keys()
    if settings.store_binary and settings.redis_url:
        raise BadSetting("--store-binary is for the embedded store; leave out --redis-url")
    if settings.redis_password_file and not settings.redis_url:
        raise BadSetting("--redis-password-file needs --redis-url")
    for name in ("redis_password_file", "tls_cert", "tls_key", "tls_client_ca"):
        path = getattr(settings, name)
        if path and not Path(path).is_file():
            raise BadSetting(f"{flag(name)}: there is no file {path!r}")
    _check_plaintext(settings, "listen", host)
    if settings.engine not in ENGINES:
        raise BadSetting(f"--engine {settings.engine!r}: use {' or '.join(ENGINES)}")
    _check_observed(settings)
    if settings.check_listen:
        _check_forward_auth(settings)
    _check_ports(settings)


def _check_forward_auth(settings: Settings) -> None:
    host, _ = settings.checking()
    if not all(find_spec(name) for name in ("starlette", "uvicorn", "h11")):
        raise BadSetting(
            "--check-listen: the extra is not installed, as by pip install 'ipgate[gateways]'"
        )
    _check_plaintext(settings, "check_listen", host)


def _check_ports(settings: Settings) -> None:
    taken: dict[str, str] = {}
    for name in ("listen", "check_listen", "ops_listen", "console_listen"):
        address = getattr(settings, name)
        if (
            not address
            or address.endswith(":0")
            or (name == "console_listen" and not settings.console)
        ):
            continue
        if address in taken:
            raise BadSetting(
                f"{flag(name)} {address} is the address of {flag(taken[address])}; choose another"
            )
        taken[address] = name


def _check_plaintext(settings: Settings, name: str, host: str) -> None:
    if host and not settings.tls_cert and not settings.plaintext and not _is_loopback(host):
        raise BadSetting(
            f"{flag(name)} {getattr(settings, name)} would carry tokens and credentials over the network in "
            "plain text; give --tls-cert and --tls-key, or --plaintext to accept that"
        )


def _check_observed(settings: Settings) -> None:
    if settings.ops_listen:
        settings.operations()
    if settings.traces and not (find_spec("opentelemetry") and find_spec("opentelemetry.sdk")):
        raise BadSetting("--traces: the extra is not installed, as by pip install 'ipgate[otel]'")
    if settings.log_format not in ("text", "json"):
        raise BadSetting(f"--log-format {settings.log_format!r}: use text or json")
    if settings.log_level.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        text = f"--log-level {settings.log_level!r}: use DEBUG, INFO, WARNING or ERROR"
        raise BadSetting(text)


def _check_tls(settings: Settings) -> None:
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise BadSetting("--tls-cert and --tls-key go together; give both or neither")
    if settings.tls_client_ca and not settings.tls_cert:
        raise BadSetting("--tls-client-ca needs --tls-cert and --tls-key")
    if settings.console and settings.tls_cert:
        raise BadSetting(
            "--console reaches a server without TLS only; run 'ipgate console --tls-ca CA.pem' "
            "beside it instead"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
