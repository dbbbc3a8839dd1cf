"""Where an engine listens."""

from dataclasses import dataclass

UNIX_UMASK = 0o117
"""For a Unix socket that its user and group may open."""


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A TCP port at the addresses of the host, or the path of a Unix socket.

    `descriptor`: of a Unix socket that is bound and listens already.
    """

    port: int = 0
    path: str = ""
    descriptor: int = -1
