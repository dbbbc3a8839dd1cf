"""`grpc.health.v1.Health`, which anybody may ask.

The library's own servicer holds a lock while it writes to a watcher: one that does not read its
answers would stop the reporting of health, and with it the stopping of the server.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2

from ipgate.domain.errors import InvalidArgument, IpgateError, LimitExceeded, NotFound
from ipgate.engines.calls import Context, first, refuse

SERVICE = "grpc.health.v1.Health"

MOST_READS = 64
"""Requests that may be on their way at a time, and seconds that each may take: strangers can make
no more memory be held than for these."""
LONGEST_READ = 2.0

MOST_WATCHERS = 256

_Status = health_pb2.HealthCheckResponse


class Health:
    """What is serving; "" stands for all together."""

    def __init__(self) -> None:
        self._statuses: dict[str, bytes] = {}
        self._changed = asyncio.Event()
        self._stopped = self._ended = False
        self._reads = asyncio.Semaphore(MOST_READS)
        self._watchers = asyncio.Semaphore(MOST_WATCHERS)

    def handlers(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Check": grpc.stream_unary_rpc_method_handler(self._check),
                "Watch": grpc.stream_stream_rpc_method_handler(self._watch),
            },
        )

    def report(self, service: str, *, serving: bool) -> None:
        """Sets the status of a service, unless all is stopping."""
        if not self._stopped:
            self._set(service, serving=serving)

    def stop(self) -> None:
        """NOT_SERVING for good."""
        self._stopped = True
        for service in self._statuses:
            self._set(service, serving=False)

    def end(self) -> None:
        """Ends the calls of all watchers that read their answers."""
        self._ended = True
        self._wake()

    def _set(self, service: str, *, serving: bool) -> None:
        status = _encoded(_Status.SERVING if serving else _Status.NOT_SERVING)
        if self._statuses.get(service) != status:
            self._statuses[service] = status
            self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _check(self, messages: AsyncIterator[bytes], context: Context) -> bytes:
        try:
            service = await self._service(messages)
            status = self._statuses.get(service)
            if status is not None:
                return status
            error: IpgateError = NotFound(service)
        except IpgateError as fault:
            error = fault
        await refuse(context, error)

    async def _watch(
        self, messages: AsyncIterator[bytes], context: Context
    ) -> AsyncIterator[bytes]:
        try:
            service = await self._service(messages)
            if self._watchers.locked():
                raise LimitExceeded(f"{MOST_WATCHERS} watch already; ask with Check")
        except IpgateError as fault:
            await refuse(context, fault)
        async with self._watchers:
            last = b""
            while True:
                changed = self._changed
                status = self._statuses.get(service, _UNKNOWN)
                if status != last:
                    yield status
                    last = status
                elif self._ended:
                    return
                else:
                    await changed.wait()

    async def _service(self, messages: AsyncIterator[bytes]) -> str:
        """The service that a call asks about. Raises InvalidArgument, Unavailable, LimitExceeded."""
        if self._reads.locked():
            raise LimitExceeded("too many health checks are on their way; try again")
        async with self._reads:
            raw = await first(messages, LONGEST_READ)
        try:
            return str(health_pb2.HealthCheckRequest.FromString(raw).service)
        except DecodeError:
            raise InvalidArgument.of("request", "is not a HealthCheckRequest") from None


def _encoded(status: Any) -> bytes:
    return bytes(_Status(status=status).SerializeToString())


_UNKNOWN = _encoded(_Status.SERVICE_UNKNOWN)
