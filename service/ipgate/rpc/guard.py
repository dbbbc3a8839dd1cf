"""What stands before every method: authentication, access, decoding, and the mapping of errors."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status

from ipgate.authorizer.identity import Identity
from ipgate.domain.errors import (
    InvalidArgument,
    IpgateError,
    LimitExceeded,
    Unavailable,
    shown,
)
from ipgate.domain.resources import Caller
from ipgate.rpc.access import RULES, check_role, confine, named
from ipgate.rpc.status import internal, to_status

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]
Method = Callable[[Any, Caller, Context], Awaitable[Message | bytes]]
"""A method's implementation; it may give its response encoded."""

AtOnce = Callable[[bytes, Caller], bytes | None]
"""Beside a method, with `AtOnce` after its name: answers an encoded request if nothing must be waited
for, else None. Nothing else stands between it and its callers but their token and role."""

MOST_SHORT = 1000
"""Tokens for which the short way is remembered."""

LONGEST_READ = 30.0
"""Seconds in which the message of a call must arrive."""

MOST_STREAMS = 64
"""Streams of one method that may be open at a time."""

LONGEST_STREAM = 60.0
"""Seconds that such a stream may be open."""

_CODES = {code.value[0]: code for code in grpc.StatusCode}


def handlers(
    service: ServiceDescriptor, servicers: Sequence[object], identity: Identity
) -> grpc.GenericRpcHandler:
    """gRPC handlers for all methods of a service, each found by its name on one of the servicers.

    Raises LookupError if a method has no implementation or no access rule.
    """
    methods: dict[str, _Method] = {}
    for method in service.methods:
        name = f"{service.full_name}/{method.name}"
        found = [getattr(each, method.name) for each in servicers if hasattr(each, method.name)]
        if len(found) != 1 or name not in RULES:
            raise LookupError(f"{name} needs one implementation and one access rule")
        at_once = next((getattr(each, f"{method.name}AtOnce", None) for each in servicers), None)
        request_type = GetMessageClass(method.input_type)
        # It decodes and encodes by itself, and answers damaged bytes with INVALID_ARGUMENT.
        methods[f"/{name}"] = _Method(
            name, identity, request_type=request_type, method=found[0], at_once=at_once
        )
    return _Door(methods, identity)


class _Method:
    """A method behind its guard. It decodes and encodes by itself, so that damaged bytes end with
    INVALID_ARGUMENT.

    gRPC reads the message before it takes the `short` way, which is there for tokens that were good
    before; the `long` way reads it when the caller is known.
    """

    def __init__(
        self,
        name: str,
        identity: Identity,
        *,
        request_type: type[Message],
        method: Method,
        at_once: AtOnce | None,
    ) -> None:
        self._name = name
        self._rule = RULES[name]
        self._identity = identity
        self._request_type = request_type
        self._method = method
        self._at_once = at_once
        self.short: dict[str, Any] = {}
        self.long: Any = grpc.stream_unary_rpc_method_handler(self._answered)

    async def _answered(self, message: bytes | AsyncIterator[bytes], context: Context) -> bytes:
        try:
            authorization = _authorization(context.invocation_metadata())
            caller = await self._identity.caller(authorization)
            check_role(self._rule, caller, self._name)
            self._shorten(authorization)
            raw = message if isinstance(message, bytes) else await first(message, LONGEST_READ)
            request = self._request_type.FromString(raw)
            confine(self._rule, caller, request)
            response = await self._method(request, caller, context)
            if isinstance(response, bytes):
                return response
            if self._rule.changes:
                about = _name(response) or named(self._rule, request)
                log.info("%s %s by %s", self._name, shown(about), caller.token)
            return response.SerializeToString()
        except IpgateError as error:
            status = to_status(error)
        except DecodeError:
            status = _not_well_formed(self._request_type)
        except Exception as fault:  # noqa: BLE001  whatever it is, the caller gets a status
            status = internal(self._name, fault)
        await _abort(context, status)

    def _shorten(self, authorization: str) -> None:
        """Opens the short way for a token, if the method has one. What cannot be answered on it takes
        the long one."""
        at_once, known, roles = self._at_once, self._identity.at_once, self._rule.roles
        if at_once is None or authorization in self.short:
            return

        async def call(message: bytes, context: Context) -> bytes:
            caller = known(authorization)
            if caller is not None and caller.role in roles:
                try:
                    answer = at_once(message, caller)
                    if answer is not None:
                        return answer
                except (IpgateError, DecodeError):
                    pass  # the long way says what is wrong
            return await self._answered(message, context)

        if len(self.short) >= MOST_SHORT:
            self.short.clear()
        self.short[authorization] = grpc.unary_unary_rpc_method_handler(call)


class _Door(grpc.GenericRpcHandler):
    """Looks at the headers of a call before its message is read: a stranger who begins many calls
    with large messages must not have them kept here."""

    def __init__(self, methods: dict[str, _Method], identity: Identity) -> None:
        self._methods = methods
        self._identity = identity

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        method = self._methods.get(handler_call_details.method)
        if method is None:
            return None
        if not method.short:
            return method.long
        authorization = _authorization(handler_call_details.invocation_metadata)
        if self._identity.at_once(authorization) is None:
            # A token that is good no more must not have messages read either.
            method.short.pop(authorization, None)
        return method.short.get(authorization, method.long)


def guarded_stream(
    name: str,
    request_type: type[Message],
    method: Callable[[AsyncIterator[Any], Context], AsyncIterator[Message]],
    identity: Identity,
) -> Callable[[AsyncIterator[bytes], Context], AsyncIterator[bytes]]:
    """A streaming method of another library behind authentication, its access rule and bounds."""
    rule = RULES[name]
    places = asyncio.Semaphore(MOST_STREAMS)

    async def stream(messages: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        try:
            caller = await identity.caller(_authorization(context.invocation_metadata()))
            check_role(rule, caller, name)
            if places.locked():
                raise LimitExceeded(f"{MOST_STREAMS} such streams are open; try again later")
            requests = (request_type.FromString(each) async for each in messages)
            async with places, asyncio.timeout(LONGEST_STREAM):
                async for response in method(requests, context):
                    yield response.SerializeToString()
            return
        except IpgateError as error:
            status = to_status(error)
        except DecodeError:
            status = _not_well_formed(request_type)
        except TimeoutError:
            text = f"the stream was open for {LONGEST_STREAM:g} s; open a new one"
            status = to_status(Unavailable(text, reason="REQUEST_TOO_SLOW"))
        await _abort(context, status)

    return stream


async def first(messages: AsyncIterator[bytes], within: float) -> bytes:
    """The first message of a call. Raises InvalidArgument if there is none, and Unavailable if it
    does not arrive within so many seconds."""
    try:
        async with asyncio.timeout(within):
            async for message in messages:
                return message
    except TimeoutError:
        text = f"the request did not arrive within {within:g} s; try again"
        raise Unavailable(text, reason="REQUEST_TOO_SLOW") from None
    raise InvalidArgument.of("request", "is missing; send one message")


def _not_well_formed(request_type: type[Message]) -> Status:
    text = f"is not a well-formed {request_type.DESCRIPTOR.full_name}; check its encoding"
    return to_status(InvalidArgument.of("request", text))


def _name(response: Message) -> str:
    """The name of the resource that a change made or changed, "" if the response has none."""
    for field in ("name", "api_key", "access_token"):
        found = getattr(response, field, "")
        if found:
            return str(getattr(found, "name", found))
    return ""


def _authorization(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    for key, value in metadata or ():
        if key == "authorization":
            return str(value)
    return ""


async def refuse(context: Context, error: IpgateError) -> NoReturn:
    """Ends a call with the status of an error."""
    await _abort(context, to_status(error))


async def _abort(context: Context, status: Status) -> NoReturn:
    await context.abort(
        _CODES[status.code],
        status.message,
        trailing_metadata=(("grpc-status-details-bin", status.SerializeToString()),),
    )
