"""Calls of grpc.aio, brought to the pipeline and back."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.rpc import code_pb2
from google.rpc.status_pb2 import Status
from grpc._cython import cygrpc  # type: ignore[attr-defined]

from ipgate.domain.errors import IpgateError, LimitExceeded
from ipgate.engines.call_limit import CallLimit
from ipgate.engines.engine import Usage
from ipgate.engines.health import MAX_CHECKS, Health, too_many_checks
from ipgate.engines.health import READ_TIMEOUT as HEALTH_READ_TIMEOUT
from ipgate.engines.messages import READ_TIMEOUT, no_message, read_timed_out, stream_timed_out
from ipgate.engines.streaming import serve_stream
from ipgate.rpc.call_info import CallInfo
from ipgate.rpc.pipeline import CallAborted, Method
from ipgate.rpc.status import to_status

Context = grpc.aio.ServicerContext[Any, Any]
Messages = AsyncIterator[bytes]

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class AioCall(CallInfo):
    """A call of grpc.aio."""

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self._context = context
        self.authorization = ",".join(self._values("authorization"))

    def metadata(self, name: str) -> str:
        values = self._values(name)
        return values[0] if values else ""

    def peer(self) -> str:
        _, _, address = self._context.peer().partition(":")
        return address or "unix"

    def client_certificate(self) -> str:
        return b"".join(self._context.auth_context().get("x509_pem_cert", ())).decode()

    def time_remaining(self) -> float | None:
        return self._context.time_remaining()

    def _values(self, name: str) -> list[str]:
        metadata = self._context.invocation_metadata() or ()
        return [str(value) for key, value in metadata if key == name]


class Handlers:
    """The handlers of all methods.

    `call_limit`: for all calls but health checks.
    """

    def __init__(self, call_limit: CallLimit, health: Health) -> None:
        self._call_limit = call_limit
        self._check_limit = CallLimit(MAX_CHECKS, too_many_checks)
        self.health = health
        self._open_streams: list[CallLimit] = []

    def of(self, method: Method) -> Any:
        """Return the handler of a method.

        It takes encoded messages, so that malformed ones end with INVALID_ARGUMENT, and reads them only once the
        caller is known to be permitted.
        """
        if method.is_stream:
            return self._stream_handler(method)

        async def answer(messages: Messages, context: Context) -> bytes:
            with self._call_limit.slot():
                info = AioCall(context)
                if not method.is_admitted(info):
                    await method.admit(info)
                answer = method.start(info, await _read_message(messages, READ_TIMEOUT))
                return answer if isinstance(answer, bytes) else await answer

        return grpc.stream_unary_rpc_method_handler(_map_errors(answer, method.ended))

    def _stream_handler(self, method: Method) -> Any:
        open_calls = CallLimit(
            sys.maxsize if method.max_open is None else method.max_open,
            lambda: LimitExceeded(f"{method.max_open} such streams are open; try again later"),
        )

        self._open_streams.append(open_calls)

        async def answer(_messages: Messages, context: Context) -> None:
            with self._call_limit.slot(), open_calls.slot():
                info = AioCall(context)
                if not method.is_admitted(info):
                    await method.admit(info)
                try:
                    async with asyncio.timeout(method.max_duration):
                        await serve_stream(method, info, _read_all(context), context.write)
                except TimeoutError:
                    raise stream_timed_out(method.max_duration or 0) from None
            if not method.max_upload:
                # gRPC may end the messages of a caller that cancels before it cancels the call: it counts as OK then.
                method.ended(code_pb2.OK)

        return grpc.stream_stream_rpc_method_handler(_map_errors(answer, method.ended))

    def usage(self) -> Usage:
        """Return what is open, and what was rejected; connections are gRPC's own."""
        limits = self._open_streams
        return Usage(
            connections=0,
            calls=self._call_limit.most - self._call_limit.left,
            streams=sum(limit.most - limit.left for limit in limits),
            refused_calls=self._call_limit.refused,
            refused_streams=sum(limit.refused for limit in limits),
        )

    def check(self, path: str) -> Any:
        """Return the handler of a unary method of the health service."""

        async def answer(messages: Messages, _context: Context) -> bytes:
            with self._check_limit.slot():
                raw = await _read_message(messages, HEALTH_READ_TIMEOUT)
            return self.health.answer(path, raw)

        return grpc.stream_unary_rpc_method_handler(_map_errors(answer))

    def watch(self) -> Any:
        async def answer(messages: Messages, context: Context) -> None:
            with self._check_limit.slot():
                raw = await _read_message(messages, HEALTH_READ_TIMEOUT)
            await self.health.watch(raw, context.write)

        return grpc.stream_stream_rpc_method_handler(_map_errors(answer))


def _map_errors(
    answer: Callable[[Messages, Context], Awaitable[Any]],
    ended: Callable[[int], None] = lambda _: None,
) -> Any:
    """Turn an error into the status of its call, which `ended` gets. A caller that is gone gets nothing."""

    async def call(messages: Messages, context: Context) -> Any:
        try:
            return await answer(messages, context)
        except asyncio.CancelledError:
            # gRPC cancels the call of a caller that is gone or does not wait any longer.
            ended(code_pb2.CANCELLED)
            raise
        except cygrpc.ExecuteBatchError:
            ended(code_pb2.CANCELLED)
            return None
        except CallAborted as aborted:
            status = aborted.status
        except IpgateError as error:
            status = to_status(error)
        ended(status.code)
        await _abort(context, status)

    return call


async def _read_message(messages: Messages, within: float) -> bytes:
    """Return the first message of a call.

    Raises: InvalidArgument if there is none, and Unavailable if it does not arrive within so many seconds.
    """
    try:
        async with asyncio.timeout(within):
            async for message in messages:
                return message
    except TimeoutError:
        raise read_timed_out(within) from None
    raise no_message()


async def _read_all(context: Context) -> Messages:
    """As the iterator that gRPC gives, in less time."""
    read: Callable[[], Awaitable[Any]] = context.read
    while True:
        message = await read()
        if message is grpc.aio.EOF:
            return
        yield message


async def _abort(context: Context, status: Status) -> NoReturn:
    details = (("grpc-status-details-bin", status.SerializeToString()),) if status.details else ()
    await context.abort(_CODES[status.code], status.message, trailing_metadata=details)
