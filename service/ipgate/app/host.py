"""What a server needs of its machine: a port, and open files."""

import logging
import resource
import socket
from contextlib import suppress

from ipgate.engines.bounds import most_connections
from ipgate.settings import BadSetting, Settings

log = logging.getLogger(__name__)


def reserve_port(settings: Settings) -> socket.socket:
    """A socket that holds the port without listening, so that all workers get the same one and
    nobody else does. Raises BadSetting."""
    try:
        family, *_, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family) as probe:
            # Fails if anybody has the port, which a socket that shares it would not.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            address = probe.getsockname()
        holder = socket.socket(family)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(address)
        return holder
    except OSError as error:
        raise BadSetting(f"--listen {settings.listen}: {error.strerror}; choose another") from error


def raise_file_limit(max_connections: int) -> None:
    """Permits as many open files as the system does, for the workers too, which inherit the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # no more than a part of the system permits
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    fitting = most_connections(max_connections)
    if fitting < max_connections:
        log.warning(
            "the limit of open files leaves room for fewer connections "
            "max_connections=%d per_worker=%d; raise it (ulimit -Hn)",
            max_connections,
            fitting,
        )
