"""How the commands reach a server; without the libraries that do so, since not every command needs them."""

from dataclasses import dataclass
from pathlib import Path

_MAX_TIMEOUT = 86_400


class CliError(Exception):
    """A command that failed; the message is for the user."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the server is, and how to get in.

    `token` is only ever sent. Raises CliError for a `timeout` (in seconds) that is out of range.
    """

    server: str
    token: str
    token_file: Path
    tls_ca: str
    tls_cert: str
    tls_key: str
    timeout: float

    def __post_init__(self) -> None:
        if not 0 < self.timeout <= _MAX_TIMEOUT:
            raise CliError(
                f"--timeout {self.timeout:g}: give seconds, more than 0 and at most {_MAX_TIMEOUT}"
            )
