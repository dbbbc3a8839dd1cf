"""Calls of grpc.aio, brought to the guarded methods and back."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partial
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.rpc.status_pb2 import Status
from grpc._cython import cygrpc

from ipgate.authorizer.identity import Identity
from ipgate.domain.errors import InvalidArgument, IpgateError, Unavailable
from ipgate.rpc.guard import Gone, Method, Refusal, Stream
from ipgate.rpc.status import to_status

Context = grpc.aio.ServicerContext[Any, Any]

MOST_SHORT = 1000
"""Tokens for which the short way is remembered, for each method."""

LONGEST_READ = 30.0
"""Seconds in which the message of a call must arrive."""

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class Door(grpc.GenericRpcHandler):
    """Looks at the headers of a call before its message is read: a stranger who begins many calls
    with large messages must not have them kept here.

    The core reads the message of a call whose token was good before; only such calls take the short
    way, on which nothing is waited for if nothing must be.
    """

    def __init__(self, methods: Mapping[str, Method | Stream], identity: Identity) -> None:
        self._identity = identity
        self._handlers = {path: _handler(method) for path, method in methods.items()}
        self._methods = methods
        self._short: dict[str, dict[str, Any]] = {
            path: {}
            for path, method in methods.items()
            if isinstance(method, Method) and method.answer_at_once
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        path = handler_call_details.method
        known = self._short.get(path)
        if known is not None:
            authorization = _authorization(handler_call_details.invocation_metadata)
            if self._identity.at_once(authorization) is not None:
                return known.get(authorization) or self._opened(path, authorization)
        return self._handlers.get(path)

    def _opened(self, path: str, authorization: str) -> Any:
        """The short way for a token."""
        known, method = self._short[path], self._methods[path]
        assert isinstance(method, Method)
        if len(known) >= MOST_SHORT:
            known.clear()
        handler = known[authorization] = _short(method, authorization)
        return handler


def _short(method: Method, authorization: str) -> Any:
    at_once = method.answer_at_once
    assert at_once

    async def call(message: bytes, context: Context) -> bytes:
        answer = at_once(authorization, message)
        if answer is not None:
            return answer
        return await _answered(method, authorization, partial(_given, message), context)

    return grpc.unary_unary_rpc_method_handler(call)


async def _given(message: bytes) -> bytes:
    return message


def _handler(method: Method | Stream) -> Any:
    # Messages are taken as they are encoded, so that damaged ones end with INVALID_ARGUMENT.
    if isinstance(method, Stream):
        return grpc.stream_stream_rpc_method_handler(_stream(method))

    async def call(messages: AsyncIterator[bytes], context: Context) -> bytes:
        authorization = _authorization(context.invocation_metadata())
        return await _answered(
            method, authorization, lambda: first(messages, LONGEST_READ), context
        )

    return grpc.stream_unary_rpc_method_handler(call)


class _Call:
    """What `rpc` may ask about a call."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.time_remaining = context.time_remaining

    def request_id(self) -> str:
        metadata = dict(self._context.invocation_metadata() or ())
        return str(metadata.get("x-request-id", ""))


async def _answered(method: Method, authorization: str, read: Any, context: Context) -> bytes:
    try:
        return await method.answer(authorization, read, _Call(context))
    except Refusal as refusal:
        status = refusal.status
    await _abort(context, status)


def _stream(method: Stream) -> Any:
    """A streaming method as grpc.aio calls it."""

    async def call(_messages: AsyncIterator[bytes], context: Context) -> None:
        async def write(message: bytes) -> None:
            try:
                await context.write(message)
            except cygrpc.ExecuteBatchError:
                raise Gone from None

        try:
            authorization = _authorization(context.invocation_metadata())
            await method.answer(authorization, _read(context), write)
            return
        except Gone:
            return
        except Refusal as refusal:
            status = refusal.status
        await _abort(context, status)

    return call


async def _read(context: Context) -> AsyncIterator[bytes]:
    """As the iterator that gRPC gives, in less time."""
    read = context.read
    while True:
        message = await read()
        if message is grpc.aio.EOF:
            return
        yield message


async def first(messages: AsyncIterator[bytes], within: float) -> bytes:
    """The first message of a call. Raises InvalidArgument if there is none, and Unavailable if it
    does not arrive within so many seconds."""
    try:
        async with asyncio.timeout(within):
            async for message in messages:
                return message
    except TimeoutError:
        raise too_slow(within) from None
    raise missing()


def too_slow(within: float) -> Unavailable:
    """The error for a message that did not arrive within so many seconds."""
    text = f"the request did not arrive within {within:g} s; try again"
    return Unavailable(text, reason="REQUEST_TOO_SLOW")


def missing() -> InvalidArgument:
    """The error for a call that ends without a message."""
    return InvalidArgument.of("request", "is missing; send one message")


async def refuse(context: Context, error: IpgateError) -> NoReturn:
    """Ends a call with the status of an error."""
    await _abort(context, to_status(error))


def _authorization(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    found = ""
    for key, value in metadata or ():
        if key == "authorization":
            # As HTTP joins them: two tokens are none, whichever another program may have looked at.
            found = f"{found},{value!s}" if found else str(value)
    return found


async def _abort(context: Context, status: Status) -> NoReturn:
    await context.abort(
        _CODES[status.code],
        status.message,
        trailing_metadata=(("grpc-status-details-bin", status.SerializeToString()),),
    )
