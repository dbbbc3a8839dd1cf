"""What stands before every method: authentication, access, decoding, and the mapping of errors."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple, NoReturn

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
from ipgate.rpc.access import RULES, Rule, check_role, confine, named
from ipgate.rpc.status import internal, to_status

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]
Method = Callable[[Any, Caller, Context], Awaitable[Message | bytes]]
"""A method's implementation; it may give its response encoded."""

AtOnce = Callable[[bytes, Caller], bytes | None]
"""Beside a method, with `AtOnce` after its name: answers an encoded request if nothing must be waited
for, else None. Nothing else stands between it and its callers but their token and role."""

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
    methods: dict[str, _Ways] = {}
    for method in service.methods:
        name = f"{service.full_name}/{method.name}"
        found = [getattr(each, method.name) for each in servicers if hasattr(each, method.name)]
        if len(found) != 1 or name not in RULES:
            raise LookupError(f"{name} needs one implementation and one access rule")
        at_once = next((getattr(each, f"{method.name}AtOnce", None) for each in servicers), None)
        request_type = GetMessageClass(method.input_type)
        # It decodes and encodes by itself, and answers damaged bytes with INVALID_ARGUMENT.
        call = _guarded(_Guarded(name, RULES[name], request_type, found[0], at_once), identity)
        methods[f"/{name}"] = _Ways(
            short=grpc.unary_unary_rpc_method_handler(call) if at_once else None,
            long=grpc.stream_unary_rpc_method_handler(call),
        )
    return _Door(methods, identity)


class _Ways(NamedTuple):
    """How a method is called. gRPC reads the message before it takes the short way; the long way
    reads it when the caller is known."""

    short: Any
    long: Any


class _Door(grpc.GenericRpcHandler):
    """Looks at the headers of a call before its message is read: a stranger who begins many calls
    with large messages must not have them kept here."""

    def __init__(self, methods: dict[str, _Ways], identity: Identity) -> None:
        self._methods = methods
        self._identity = identity

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        ways = self._methods.get(handler_call_details.method)
        if ways is None:
            return None
        authorization = _authorization(handler_call_details.invocation_metadata)
        if ways.short is not None and self._identity.at_once(authorization) is not None:
            return ways.short
        return ways.long


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


class _Guarded(NamedTuple):
    name: str
    rule: Rule
    request_type: type[Message]
    method: Method
    at_once: AtOnce | None


def _guarded(
    guarded: _Guarded, identity: Identity
) -> Callable[[bytes | AsyncIterator[bytes], Context], Awaitable[bytes]]:
    name, rule, request_type, method, at_once = guarded

    async def call(message: bytes | AsyncIterator[bytes], context: Context) -> bytes:
        authorization = _authorization(context.invocation_metadata())
        try:
            if at_once is not None and isinstance(message, bytes):
                known = identity.at_once(authorization)
                if known is not None and known.role in rule.roles:
                    answer = at_once(message, known)
                    if answer is not None:
                        return answer
            caller = await identity.caller(authorization)
            check_role(rule, caller, name)
            raw = message if isinstance(message, bytes) else await first(message, LONGEST_READ)
            request = request_type.FromString(raw)
            confine(rule, caller, request)
            response = await method(request, caller, context)
            if isinstance(response, bytes):
                return response
            if rule.changes:
                about = _name(response) or named(rule, request)
                log.info("%s %s by %s", name, shown(about), caller.token)
            return response.SerializeToString()
        except IpgateError as error:
            status = to_status(error)
        except DecodeError:
            status = _not_well_formed(request_type)
        except Exception as fault:  # noqa: BLE001  whatever it is, the caller gets a status
            status = internal(name, fault)
        await _abort(context, status)

    return call


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
