"""The access token that a caller presents."""

from pathlib import Path

from ipgate_client.errors import ConfigError

_MAX_BYTES = 4096


def read_token(path: Path | str) -> str:
    """Return the access token in a file.

    Raises: ConfigError.
    """
    try:
        with Path(path).open("rb") as source:
            token = source.read(_MAX_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ConfigError("token_file", f"token_file {path}: {reason}") from error
    return check_token(token, "token_file", f"token_file {path}")


def check_token(token: str, argument: str, source: str) -> str:
    """Return a token that can be sent.

    Raises: ConfigError, which names `source` and never the token.
    """
    if not token or not token.isascii() or not token.isprintable():
        text = f"{source} holds no access token: a token is printable ASCII"
        raise ConfigError(argument, text)
    return token
