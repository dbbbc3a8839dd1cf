"""The access token that a caller presents."""

import logging
import time
from pathlib import Path

from ipgate_client.errors import ConfigError

log = logging.getLogger("ipgate_client")

Metadata = tuple[tuple[str, str], ...]

_MAX_BYTES = 4096

_LOOK_INTERVAL = 1.0
"""Seconds between two looks at the file."""


class AccessToken:
    """A token, or the file that holds it, which is read again when it changes.

    Raises ConfigError unless exactly one is given, and can be used.
    """

    def __init__(self, token: str, token_file: Path | str) -> None:
        if bool(token) == bool(token_file):
            raise ConfigError("token", "give either token or token_file")
        self._file = token_file
        self._version = _version(token_file) if token_file else None
        self._metadata = bearer(token or read_token(token_file))
        self._looked = time.monotonic()

    def metadata(self) -> Metadata:
        """Return the metadata of a call."""
        if self._file and time.monotonic() - self._looked >= _LOOK_INTERVAL:
            self._looked = time.monotonic()
            if _version(self._file) != self._version:
                self.reload()
        return self._metadata

    def replaces(self, rejected: Metadata) -> bool:
        """Return whether there is another token than the one that was rejected, after a look at the file."""
        if self._metadata == rejected:
            self.reload()
        return self._metadata != rejected

    def reload(self) -> None:
        """Read the file again. What cannot be read changes nothing."""
        if not self._file:
            return
        version = _version(self._file)
        try:
            self._metadata = bearer(read_token(self._file))
        except ConfigError as error:
            log.warning("the access token cannot be read; the previous one is used: %s", error)
            return
        self._version = version


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


def bearer(token: str) -> Metadata:
    """Return the metadata of a call by a token.

    Raises: ConfigError.
    """
    return (("authorization", f"Bearer {check_token(token, 'token', 'token')}"),)


def _version(path: Path | str) -> tuple[int, int, int] | None:
    """Return what changes with a file."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
