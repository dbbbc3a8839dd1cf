"""What stands before every method: authentication, access, decoding, and the mapping of errors."""

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
from ipgate.domain.errors import InvalidArgument, IpgateError, shown
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

_CODES = {code.value[0]: code for code in grpc.StatusCode}


def handlers(
    service: ServiceDescriptor, servicers: Sequence[object], identity: Identity
) -> grpc.GenericRpcHandler:
    """gRPC handlers for all methods of a service, each found by its name on one of the servicers.

    Raises LookupError if a method has no implementation or no access rule.
    """
    methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
    for method in service.methods:
        name = f"{service.full_name}/{method.name}"
        found = [getattr(each, method.name) for each in servicers if hasattr(each, method.name)]
        if len(found) != 1 or name not in RULES:
            raise LookupError(f"{name} needs one implementation and one access rule")
        at_once = next((getattr(each, f"{method.name}AtOnce", None) for each in servicers), None)
        request_type = GetMessageClass(method.input_type)
        methods[method.name] = grpc.unary_unary_rpc_method_handler(
            # It decodes and encodes by itself, and answers damaged bytes with INVALID_ARGUMENT.
            _guarded(_Guarded(name, RULES[name], request_type, found[0], at_once), identity)
        )
    return grpc.method_handlers_generic_handler(service.full_name, methods)


def guarded_stream(
    name: str,
    method: Callable[[AsyncIterator[Any], Context], AsyncIterator[Any]],
    identity: Identity,
) -> Callable[[AsyncIterator[Any], Context], AsyncIterator[Any]]:
    """A streaming method of another library behind authentication and its access rule."""
    rule = RULES[name]

    async def stream(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        try:
            caller = await identity.caller(_authorization(context.invocation_metadata()))
            check_role(rule, caller, name)
        except IpgateError as error:
            await _abort(context, to_status(error))
        async for response in method(requests, context):
            yield response

    return stream


class _Guarded(NamedTuple):
    name: str
    rule: Rule
    request_type: type[Message]
    method: Method
    at_once: AtOnce | None


def _guarded(guarded: _Guarded, identity: Identity) -> Callable[[bytes, Context], Awaitable[bytes]]:
    name, rule, request_type, method, at_once = guarded

    async def call(raw: bytes, context: Context) -> bytes:
        authorization = _authorization(context.invocation_metadata())
        try:
            if at_once is not None:
                known = identity.at_once(authorization)
                if known is not None and known.role in rule.roles:
                    answer = at_once(raw, known)
                    if answer is not None:
                        return answer
            caller = await identity.caller(authorization)
            check_role(rule, caller, name)
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
            text = f"is not a well-formed {request_type.DESCRIPTOR.full_name}; check its encoding"
            status = to_status(InvalidArgument.of("request", text))
        except Exception as fault:  # noqa: BLE001  whatever it is, the caller gets a status
            status = internal(name, fault)
        await _abort(context, status)

    return call


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


async def _abort(context: Context, status: Status) -> NoReturn:
    await context.abort(
        _CODES[status.code],
        status.message,
        trailing_metadata=(("grpc-status-details-bin", status.SerializeToString()),),
    )
