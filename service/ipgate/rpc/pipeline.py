"""The steps before every method on every engine: authentication, access, decoding, mapping of errors.

Nothing here knows gRPC's objects. An engine passes a CallInfo and an encoded message, and gets the encoded
response: as bytes if nothing must be waited for, else as an awaitable of them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import code_pb2
from google.rpc.status_pb2 import Status

from ipgate import cooperative, tracing
from ipgate.authorizer.authentication import Authenticator
from ipgate.domain.errors import InvalidArgument, IpgateError, PermissionDenied, quoted
from ipgate.domain.resources import Caller
from ipgate.ext_authz.v3 import check_pb2
from ipgate.metrics.counters import Counters, Start, call_counts
from ipgate.metrics.families import ADMIN, AUTHORIZE, EXT_AUTHZ
from ipgate.rpc.access import (
    RULES,
    OutsideWorkspace,
    Size,
    check_role,
    check_tenant,
    resource_name,
)
from ipgate.rpc.call_info import CALL, CallInfo
from ipgate.rpc.status import internal, to_status
from ipgate.rpc.wire_size import check_bytes, check_fields
from ipgate.rpc.writing import write_options
from ipgate.v1 import admin_pb2, authorize_pb2

log = logging.getLogger(__name__)

Response = Message | bytes
"""A method may give its response encoded."""

Implementation = Callable[[Any, Any], Response | Awaitable[Response]]
"""A method of a servicer: gets the request, and WriteOptions if it makes a change, else the CallInfo."""

Denied = Callable[[Caller, str, str, str], None]
"""Learns of a call that the caller may not make, by its role or its workspace: the caller, the method, the peer, the request id."""

UNCOUNTED_BYTES = 128 << 10
"""Shorter requests are decoded in a few milliseconds, whatever they hold. A batch of 1,000 questions is
shorter: counting would cost it a third more."""

_DECIDING = (Size.QUESTION, Size.GATEWAY, Size.BATCH)

_UNCOUNTED = 1 << 30

_RANGE_FIELDS = 10
_RANGE_BYTES = 1000
"""What a range with all of its attributes has, about."""

MAX_UPLOADS = 4
"""Uploads of a worker at a time, which are held in memory until they end."""

MAX_PART_FIELDS = 100_000
"""Fields and entries of one message of an upload: decoding them takes some milliseconds."""

UPLOAD_TIMEOUT = 60.0
"""Seconds in which the messages of an upload must arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSizes:
    """How large requests may be.

    `message_bytes`: any of them; `ranges`: of a list.
    """

    message_bytes: int = 4 << 20
    ranges: int = 100_000

    def of(self, size: Size) -> tuple[int, int]:
        """Return the most bytes, and the most fields and entries."""
        most_bytes, most_fields = {
            Size.QUESTION: (8 << 10, _UNCOUNTED),
            # Envoy permits headers of 60 KB.
            Size.GATEWAY: (UNCOUNTED_BYTES, _UNCOUNTED),
            Size.RESOURCE: (64 << 10, _UNCOUNTED),
            Size.LINKS: (256 << 10, 2000),
            Size.BATCH: (1 << 20, 10_000),
            Size.RANGES: (self.message_bytes, self.ranges * _RANGE_FIELDS + 1000),
        }[size]
        return min(most_bytes, self.message_bytes), most_fields

    def upload_bytes(self) -> int:
        """Return the most bytes of all messages of an upload together: all ranges fit, with long notes."""
        return self.ranges * _RANGE_BYTES + self.message_bytes


class CallAborted(Exception):
    """A call ends with `status`."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status


class Method:
    """One method behind the pipeline.

    `is_stream`: its caller sends messages without end, and each has an answer of its own; or else, in an upload,
    of at most `max_upload` bytes, all together have one answer. `max_open` and `max_duration` bound such calls: how
    many there may be at a time, and the seconds of each. `counters`: None if nothing is counted.

    `start` answers an encoded request. It raises CallAborted, and so does the awaitable that it may return.
    """

    def __init__(
        self,
        name: str,
        authenticator: Authenticator,
        request_type: type[Message],
        implementation: Implementation,
        *,
        sizes: RequestSizes,
        denied: Denied = lambda *_: None,
        is_stream: bool = False,
        is_upload: bool = False,
        max_open: int | None = None,
        max_duration: float | None = None,
        counters: Counters | None = None,
    ) -> None:
        self.name = name
        self._counts = call_counts(counters, name)
        self.start: Start = self._start
        if tracing.is_set_up():
            self.start = self._traced_start
        if self._counts is not None and not is_stream:
            self.start = self._counts.counted(self.start)
        self.is_stream = is_stream
        self.max_upload = sizes.upload_bytes() if is_upload else 0
        self.max_open = max_open
        self.max_duration = max_duration
        self._rule = RULES[name]
        self.max_bytes, self._max_fields = sizes.of(self._rule.size)
        self._authenticator = authenticator
        self._denied = denied
        self._known = authenticator.try_authenticate
        self._roles = self._rule.roles
        self._confined = bool(self._rule.resource)
        self._request_type = request_type
        self.decode = request_type.FromString
        self._implementation = implementation
        self._respond = self._change if self._rule.changes else implementation

    def is_admitted(self, info: CallInfo) -> bool:
        """Return whether the caller is known to be permitted, so that its message may be received."""
        caller = self._known(info.authorization)
        return caller is not None and caller.role in self._roles

    async def admit(self, info: CallInfo) -> None:
        """Check the caller before its message is received.

        Raises: CallAborted.
        """
        try:
            await self._authenticate(info)
        except Exception as error:  # noqa: BLE001  whatever it is, the caller gets a status
            raise self._aborted(error, info) from None

    def _traced_start(self, info: CallInfo, raw: bytes) -> bytes | Awaitable[bytes]:
        """As `_start`, with spans if the caller's trace is sampled."""
        parent = info.metadata("traceparent")
        if not tracing.is_sampled(parent):
            return self._start(info, raw)
        return self._traced(info, raw, parent)

    async def _traced(self, info: CallInfo, raw: bytes, parent: str) -> bytes:
        with tracing.server_span(self.name, parent):
            with tracing.span("admission"):
                await self.admit(info)
            with tracing.span("decision" if self._rule.size in _DECIDING else "method"):
                answer = self._start(info, raw)
                return answer if isinstance(answer, bytes) else await answer

    def ended(self, code: int) -> None:
        """Count a call that ended with a status code; unary calls that ended well are counted already."""
        if self._counts is not None:
            self._counts.ended(code)

    def _start(self, info: CallInfo, raw: bytes) -> bytes | Awaitable[bytes]:
        try:
            caller = self._known(info.authorization)
            if caller is None or caller.role not in self._roles:
                return self._finish(self._authenticated(info, raw), info)
            info.caller = caller
            if len(raw) > self.max_bytes or len(raw) > UNCOUNTED_BYTES:
                return self._finish(self._counted(info, raw), info)
            request = self.decode(raw)
            if self._confined:
                check_tenant(self._rule, caller, request)
            answer = self._respond(request, info)
        except Exception as error:  # noqa: BLE001  whatever it is, the caller gets a status
            raise self._aborted(error, info) from None
        return answer if isinstance(answer, bytes) else self._finish(answer, info)

    async def answer_upload(self, info: CallInfo, parts: Sequence[bytes]) -> bytes:
        """Answer the encoded messages of an upload, whose caller is admitted before it and must be so still.

        Raises: CallAborted.
        """
        try:
            await self._authenticate(info)
            requests, left = [], self._max_fields
            for raw in parts:
                # Each may be short, and all together must not be decoded in one go.
                await asyncio.sleep(0)
                most = min(left, MAX_PART_FIELDS)
                left -= await cooperative.run(
                    check_fields(raw, self._request_type.DESCRIPTOR, most)
                )
                requests.append(self.decode(raw))
            if not requests:
                raise InvalidArgument.of("request", "is missing; send at least one message")
            check_tenant(self._rule, info.caller, requests[0])
            answer = await self._finish(self._change(requests[0], info, requests), info)
            self.ended(code_pb2.OK)
            return answer
        except Exception as error:  # noqa: BLE001  whatever it is, the caller gets a status
            raise self._aborted(error, info) from None

    async def _finish(self, answer: Response | Awaitable[Response], info: CallInfo) -> bytes:
        CALL.set(info)  # in the task of this answer
        try:
            if isinstance(answer, Awaitable):
                answer = await answer
            return answer if isinstance(answer, bytes) else answer.SerializeToString()
        except Exception as error:  # noqa: BLE001  whatever it is, the caller gets a status
            raise self._aborted(error, info) from None

    async def _authenticate(self, info: CallInfo) -> None:
        info.caller = await self._authenticator.authenticate(info.authorization)
        check_role(self._rule, info.caller, self.name)

    async def _authenticated(self, info: CallInfo, raw: bytes) -> Response:
        await self._authenticate(info)
        return await self._counted(info, raw)

    async def _counted(self, info: CallInfo, raw: bytes) -> Response:
        """Return the response to a request whose fields are counted before it is decoded."""
        check_bytes(raw, self.max_bytes)
        if len(raw) > UNCOUNTED_BYTES:
            await cooperative.run(
                check_fields(raw, self._request_type.DESCRIPTOR, self._max_fields)
            )
        request = self.decode(raw)
        check_tenant(self._rule, info.caller, request)
        answer = self._respond(request, info)
        return await answer if isinstance(answer, Awaitable) else answer

    async def _change(
        self, request: Any, info: CallInfo, requests: Sequence[Any] | None = None
    ) -> Response:
        """Make a change; `requests`: all messages of an upload, of which the first has the options."""
        options = write_options(self._rule, request, info, self.name)
        answer = self._implementation(requests or request, options)
        assert isinstance(answer, Awaitable)
        response = await answer
        log.info(
            "change method=%s resource=%s actor=%s request_id=%s validate_only=%s",
            self.name,
            quoted(_name(response) or resource_name(self._rule, request)),
            info.caller.token,
            options.correlation_id,
            options.validate_only,
        )
        return response

    def _aborted(self, error: BaseException, info: CallInfo) -> CallAborted:
        if isinstance(error, CallAborted):
            return error
        if isinstance(error, (PermissionDenied, OutsideWorkspace)):
            method = self.name.rpartition("/")[2]
            self._denied(info.caller, method, info.peer(), info.request_id())
        if isinstance(error, OutsideWorkspace):
            error = error.not_found
        if isinstance(error, IpgateError):
            return CallAborted(to_status(error))
        if isinstance(error, DecodeError):
            kind = self._request_type.DESCRIPTOR.full_name
            text = f"is not a well-formed {kind}; check its encoding"
            return CallAborted(to_status(InvalidArgument.of("request", text)))
        before = CALL.set(info)
        try:
            return CallAborted(internal(self.name, error))
        finally:
            CALL.reset(before)


def all_methods(
    admin: Sequence[object],
    authorize: Sequence[object],
    gateways: Sequence[object],
    authenticator: Authenticator,
    sizes: RequestSizes,
    *,
    denied: Denied = lambda *_: None,
    counters: Counters | None = None,
) -> dict[str, Method]:
    """Return all methods of ipgate's services by their paths.

    A method is found by its name on one of the servicers of its service.

    Raises: LookupError if a method has no implementation or no access rule.
    """
    methods = {}
    for descriptor, service, servicers in (
        (_service(admin_pb2, "AdminService"), ADMIN, admin),
        (_service(authorize_pb2, "AuthorizeService"), AUTHORIZE, authorize),
        (_service(check_pb2, "AuthorizationService"), EXT_AUTHZ, gateways),
    ):
        for method in descriptor.methods:
            name = f"{service}/{method.name}"
            owners = [servicer for servicer in servicers if hasattr(servicer, method.name)]
            if len(owners) != 1 or name not in RULES:
                raise LookupError(f"{name} needs one implementation and one access rule")
            methods[f"/{name}"] = _method(
                name,
                method,
                owners[0],
                authenticator,
                sizes=sizes,
                denied=denied,
                counters=counters,
            )
    return methods


def _service(file: Any, name: str) -> ServiceDescriptor:
    service: ServiceDescriptor = file.DESCRIPTOR.services_by_name[name]
    return service


def _method(
    name: str,
    method: MethodDescriptor,
    servicer: object,
    authenticator: Authenticator,
    *,
    sizes: RequestSizes,
    denied: Denied,
    counters: Counters | None,
) -> Method:
    is_upload = method.client_streaming and not method.server_streaming
    return Method(
        name,
        authenticator,
        GetMessageClass(method.input_type),
        getattr(servicer, method.name),
        sizes=sizes,
        denied=denied,
        is_stream=method.client_streaming,
        is_upload=is_upload,
        max_open=MAX_UPLOADS if is_upload else None,
        max_duration=UPLOAD_TIMEOUT if is_upload else None,
        counters=counters,
    )


def _name(response: Any) -> str:
    """Return the name of the resource of a change, which is the first field of its response."""
    resource = response.DESCRIPTOR.fields[0].name
    return str(getattr(response, resource).name)
