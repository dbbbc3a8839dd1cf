"""`grpc.health.v1.Health`, which anybody may ask.

The library's own servicer holds a lock while it writes to a watcher: one that does not read its
answers would stop the reporting of health, and with it the stopping of the server.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2

from ipgate.domain.errors import InvalidArgument, LimitExceeded, NotFound

SERVICE = "grpc.health.v1.Health"
CHECK, LIST, WATCH = (f"/{SERVICE}/{name}" for name in ("Check", "List", "Watch"))

LIVENESS = "ipgate.liveness"
"""The name that serves as long as the process does, whatever becomes of the store: a restart would not help."""

MAX_BYTES = 1024
"""Of a request."""

MAX_CHECKS = 64
"""Checks that may be in flight at a time, and seconds for the request of each, so that unauthenticated callers cannot
make a worker hold more. They do not count as calls: a worker that is full is healthy."""
READ_TIMEOUT = 2.0

MAX_WATCHERS = 256

_Status = health_pb2.HealthCheckResponse


class Health:
    """What is serving; "" stands for all together."""

    def __init__(self) -> None:
        self._statuses: dict[str, bytes] = {LIVENESS: _encoded(_Status.SERVING)}
        self._changed = asyncio.Event()
        self._stopped = self._ended = False
        self._watchers = asyncio.Semaphore(MAX_WATCHERS)

    def report(self, service: str, *, serving: bool) -> None:
        """Set the status of a service, unless all is stopping."""
        if not self._stopped:
            self._set(service, serving=serving)

    def stop(self) -> None:
        """Report NOT_SERVING from now on; the process is alive still."""
        self._stopped = True
        for service in self._statuses:
            self._set(service, serving=service == LIVENESS)

    def is_serving(self) -> bool:
        """Return whether all is serving."""
        return self._statuses.get("") == _SERVING

    def end(self) -> None:
        """End the calls of all watchers that read their answers."""
        self._ended = True
        self._wake()

    def answer(self, path: str, raw: bytes) -> bytes:
        """Return the response to a Check or List.

        Raises: InvalidArgument and NotFound.
        """
        service = _service(raw)
        if path == LIST:
            statuses = {name: _Status.FromString(raw) for name, raw in self._statuses.items()}
            return bytes(health_pb2.HealthListResponse(statuses=statuses).SerializeToString())
        status = self._statuses.get(service)
        if status is None:
            raise NotFound(service)
        return status

    async def watch(self, raw: bytes, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Write the status of a service, and again whenever it changes.

        Raises: InvalidArgument and LimitExceeded.
        """
        service = _service(raw)
        if self._watchers.locked():
            raise LimitExceeded(f"{MAX_WATCHERS} watch already; ask with Check")
        async with self._watchers:
            last = b""
            while True:
                changed = self._changed
                status = self._statuses.get(service, _UNKNOWN)
                if status != last:
                    await write(status)
                    last = status
                elif self._ended:
                    return
                else:
                    await changed.wait()

    def _set(self, service: str, *, serving: bool) -> None:
        status = _SERVING if serving else _NOT_SERVING
        if self._statuses.get(service) != status:
            self._statuses[service] = status
            self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _service(raw: bytes) -> str:
    """Return the service that a request asks about.

    Raises: InvalidArgument.
    """
    try:
        return str(health_pb2.HealthCheckRequest.FromString(raw).service)
    except DecodeError:
        raise InvalidArgument.of("request", "is not a HealthCheckRequest") from None


def too_many_checks() -> LimitExceeded:
    """Return the error beyond MAX_CHECKS."""
    return LimitExceeded("too many health checks are in flight; try again")


def _encoded(status: Any) -> bytes:
    return bytes(_Status(status=status).SerializeToString())


_SERVING, _NOT_SERVING = _encoded(_Status.SERVING), _encoded(_Status.NOT_SERVING)
_UNKNOWN = _encoded(_Status.SERVICE_UNKNOWN)
