"""What a server needs of its machine: a port, and open files."""

import logging
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ipgate.engines.listen_address import UNIX_UMASK, ListenAddress
from ipgate.engines.transport_limits import usable_connections
from ipgate.settings import BadSetting, Settings

_BACKLOG = 1024

log = logging.getLogger(__name__)


@contextmanager
def reserve_port(settings: Settings, workers: int) -> Iterator[ListenAddress]:
    """Reserve the address of `--listen` for the workers of this server.

    Raises: BadSetting.
    """
    try:
        if settings.unix_path:
            with _unix_socket(settings, workers) as listen_address:
                yield listen_address
        else:
            with _port_holder(settings.host, settings.port) as holder:
                yield ListenAddress(port=holder.getsockname()[1])
    except _NotListening as error:
        raise BadSetting(f"--listen {settings.listen}: {error}; choose another") from error


class _NotListening(Exception):
    """Why an address cannot be listened on."""


@contextmanager
def reserve_check_port(settings: Settings) -> Iterator[None]:
    """Reserve the address of `--check-listen` for the workers of this server.

    Raises: BadSetting.
    """
    if not settings.check_listen:
        yield
        return
    try:
        with _port_holder(*settings.checking()):
            yield
    except _NotListening as error:
        text = f"--check-listen {settings.check_listen}: {error}; choose another, or leave it out"
        raise BadSetting(text) from error


def _port_holder(host: str, port: int) -> socket.socket:
    """Return a socket that holds the port without listening."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            # Fails if anybody has the port, which a socket that shares it would not.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            address = probe.getsockname()
        holder = socket.socket(family)
        for option in (socket.SO_REUSEPORT, socket.SO_REUSEADDR):
            holder.setsockopt(socket.SOL_SOCKET, option, 1)
        holder.bind(address)
    except OSError as error:
        raise _NotListening(error.strerror) from error
    return holder


@contextmanager
def _unix_socket(settings: Settings, workers: int) -> Iterator[ListenAddress]:
    """Bind a Unix socket that user and group may open, and remove it at the end.

    The grpcio engine binds its own.
    """
    path = settings.unix_path
    if settings.engine == "grpcio" and workers > 1:
        raise BadSetting(
            f"--listen {settings.listen}: the grpcio engine takes a Unix socket with one worker only; "
            "give --workers 1, or --engine http2"
        )
    _make_room(path)
    listener = None if settings.engine == "grpcio" else _listening(path)
    try:
        yield ListenAddress(path=path, descriptor=-1 if listener is None else listener.fileno())
    finally:
        if listener is not None:
            listener.close()
        with suppress(OSError):
            Path(path).unlink()


def _listening(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    former = os.umask(UNIX_UMASK)
    try:
        listener.bind(path)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _NotListening(error.strerror or str(error)) from error
    finally:
        os.umask(former)
    return listener


def _make_room(path: str) -> None:
    """Remove the socket of a server that is gone."""
    file = Path(path)
    if not file.exists():
        return
    if not file.is_socket():
        raise _NotListening("there is a file that is no socket")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            file.unlink()
        except OSError as error:
            raise _NotListening(error.strerror) from error
        else:
            raise _NotListening("another program listens there")


def raise_file_limit(max_connections: int, *, forward_auth: bool = False) -> None:
    """Permit as many open files as the system does, for the workers too, which inherit the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # no more than a part of the system permits
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    usable = usable_connections(max_connections, forward_auth=forward_auth)
    if usable < max_connections:
        log.warning(
            "limit of open files permits fewer connections; raise it (ulimit -Hn) "
            "max_connections=%d per_worker=%d",
            max_connections,
            usable,
        )
