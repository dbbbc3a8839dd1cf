"""What stands before every method, whatever engine its calls come through: authentication, access,
decoding, and the mapping of errors.

Nothing here knows gRPC's objects. An engine hands in the `authorization` metadata of a call and a way
to its messages, and gets encoded messages back, or a Refusal with the status to end the call with.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status

from ipgate.authorizer.identity import Identity
from ipgate.domain.errors import InvalidArgument, IpgateError, shown
from ipgate.domain.resources import Caller
from ipgate.pacing import in_steps
from ipgate.rpc.access import RULES, Size, check_role, confine, named
from ipgate.rpc.status import internal, to_status
from ipgate.rpc.wire_size import check_bytes, check_fields
from ipgate.rpc.writing import write_options
from ipgate.v1 import admin_pb2, authorize_pb2

log = logging.getLogger(__name__)


class EngineCall(Protocol):
    """What an engine knows about a call, beside its `authorization` and its messages."""

    def time_remaining(self) -> float | None:
        """Seconds until the caller's deadline; None if there is none."""

    def request_id(self) -> str:
        """The `x-request-id` of the call; "" if there is none."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a method that reads may ask about the call that it answers."""

    caller: Caller
    time_remaining: Callable[[], float | None]


Answer = Callable[[Any, Any], Awaitable[Message | bytes]]
"""A method's implementation, which gets the request, and WriteOptions if it makes a change, else the
Call. It may give its response encoded."""

AtOnce = Callable[[bytes, Caller], bytes | None]
"""Beside a method, with `AtOnce` after its name: answers an encoded request if nothing must be waited
for, else None. Nothing else stands between it and its callers but their token and role."""

Short = Callable[[str, bytes], bytes | None]

Write = Callable[[bytes], Awaitable[None]]
"""Sends one encoded message; it returns when there is room for another. Raises Gone."""

Admit = Callable[[], Awaitable[Caller]]
"""The caller of a stream, whose token is checked anew. Raises IpgateError."""

Converse = Callable[[AsyncIterator[bytes], Admit, Write], Awaitable[None]]
"""A streaming method's implementation, from encoded messages to encoded messages."""


UNCOUNTED_BYTES = 128 << 10
"""Shorter requests are decoded in a few milliseconds, whatever they hold. A batch of 1,000 questions is
shorter: counting would cost it a third more."""


_UNCOUNTED = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSizes:
    """How large requests may be. `message_bytes` and `ranges`: of those with the ranges of a list."""

    message_bytes: int = 4 << 20
    ranges: int = 100_000

    def of(self, size: Size) -> tuple[int, int]:
        """The most bytes, and the most fields and entries."""
        return {
            Size.QUESTION: (8 << 10, _UNCOUNTED),
            Size.RESOURCE: (64 << 10, _UNCOUNTED),
            Size.LINKS: (256 << 10, 2000),
            Size.BATCH: (1 << 20, 10_000),
            Size.RANGES: (self.message_bytes, self.ranges + 1000),
        }[size]


class Gone(Exception):
    """The caller of a stream is gone; there is nobody to tell anything."""


class Refusal(Exception):
    """A call ends with `status`."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status


class Method:
    """A unary method behind its guard.

    `answer_at_once(authorization, raw)`: the encoded response if the token was checked before and
    nothing must be waited for. None means that `answer` must be asked, which also says what is
    wrong, if something is. There is none for a method that always waits.
    """

    def __init__(
        self,
        name: str,
        identity: Identity,
        request_type: type[Message],
        method: Answer,
        at_once: AtOnce | None,
        *,
        sizes: RequestSizes,
    ) -> None:
        self.name = name
        self._max_bytes, self._max_fields = sizes.of(RULES[name].size)
        self.identity = identity
        self.request_type = request_type
        self.method = method
        self.answer_at_once = at_once and _short_way(identity, name, at_once, self._max_bytes)

    async def answer(
        self, authorization: str, read: Callable[[], Awaitable[bytes]], call: EngineCall
    ) -> bytes:
        """The encoded response to the message that `read` gives, which is asked for it when the
        caller is known to be permitted. Raises Refusal."""
        rule = RULES[self.name]
        with refusing(self.name, self.request_type):
            caller = await self.identity.caller(authorization)
            check_role(rule, caller, self.name)
            request = await self._decoded(await read())
            confine(rule, caller, request)
            if rule.changes:
                options = write_options(rule, request, caller, call.request_id())
                response = await self.method(request, options)
                log.info(
                    "change method=%s resource=%s actor=%s request_id=%s validate_only=%s",
                    self.name,
                    shown(_name(response) or named(rule, request)),
                    caller.token,
                    options.correlation_id,
                    options.validate_only,
                )
            else:
                response = await self.method(request, Call(caller, call.time_remaining))
            return response if isinstance(response, bytes) else response.SerializeToString()

    async def _decoded(self, raw: bytes) -> Message:
        """The request in a message. Raises LimitExceeded and DecodeError."""
        check_bytes(raw, self._max_bytes)
        if len(raw) > UNCOUNTED_BYTES:
            await in_steps(check_fields(raw, self.request_type.DESCRIPTOR, self._max_fields))
        return self.request_type.FromString(raw)


def _short_way(identity: Identity, name: str, at_once: AtOnce, max_bytes: int) -> Short:
    known, roles = identity.at_once, RULES[name].roles

    def answer(authorization: str, raw: bytes) -> bytes | None:
        caller = known(authorization)
        if caller is None or caller.role not in roles or len(raw) > max_bytes:
            return None
        try:
            return at_once(raw, caller)
        except (IpgateError, DecodeError):
            return None
        except Exception:
            # The caller is answered all the same, by a way that has a status for every fault.
            log.exception("%s: the short way failed", name)
            return None

    return answer


@dataclass(frozen=True, slots=True)
class Stream:
    """A streaming method behind its guard."""

    name: str
    identity: Identity
    request_type: type[Message]
    method: Converse

    async def answer(
        self, authorization: str, messages: AsyncIterator[bytes], write: Write
    ) -> None:
        """Answers until the caller sends no more. Raises Refusal, and Gone."""

        async def admit() -> Caller:
            # A stream may outlive the token that it was opened with.
            caller = self.identity.at_once(authorization)
            if caller is None:
                caller = await self.identity.caller(authorization)
            check_role(RULES[self.name], caller, self.name)
            return caller

        max_bytes, _ = RequestSizes().of(RULES[self.name].size)

        async def checked() -> AsyncIterator[bytes]:
            async for raw in messages:
                check_bytes(raw, max_bytes)
                yield raw

        with refusing(self.name, self.request_type):
            await admit()
            await self.method(checked(), admit, write)


def guarded(
    admin: Sequence[object],
    authorize: Sequence[object],
    identity: Identity,
    sizes: RequestSizes,
) -> dict[str, Method | Stream]:
    """All methods of ipgate's services by their paths, each found by its name on one of the
    servicers of its service.

    Raises LookupError if a method has no implementation or no access rule.
    """
    methods = {}
    for file, service, servicers in (
        (admin_pb2, "AdminService", admin),
        (authorize_pb2, "AuthorizeService", authorize),
    ):
        for method in file.DESCRIPTOR.services_by_name[service].methods:
            name = f"{method.containing_service.full_name}/{method.name}"
            found = [each for each in servicers if hasattr(each, method.name)]
            if len(found) != 1 or name not in RULES:
                raise LookupError(f"{name} needs one implementation and one access rule")
            methods[f"/{name}"] = _behind_guard(name, method, found[0], identity, sizes)
    return methods


def _behind_guard(
    name: str,
    method: MethodDescriptor,
    servicer: object,
    identity: Identity,
    sizes: RequestSizes,
) -> Method | Stream:
    request_type = GetMessageClass(method.input_type)
    implementation = getattr(servicer, method.name)
    if method.client_streaming:
        return Stream(name, identity, request_type, implementation)
    at_once = getattr(servicer, f"{method.name}AtOnce", None)
    return Method(name, identity, request_type, implementation, at_once, sizes=sizes)


@contextmanager
def refusing(name: str, request_type: type[Message]) -> Iterator[None]:
    """Turns whatever goes wrong in a call into a Refusal."""
    try:
        yield
    except (Gone, Refusal):
        raise
    except IpgateError as error:
        raise Refusal(to_status(error)) from None
    except DecodeError:
        text = f"is not a well-formed {request_type.DESCRIPTOR.full_name}; check its encoding"
        raise Refusal(to_status(InvalidArgument.of("request", text))) from None
    except Exception as fault:  # noqa: BLE001  whatever it is, the caller gets a status
        raise Refusal(internal(name, fault)) from None


def _name(response: Any) -> str:
    """The name of the resource of a change, which is the first field of its response."""
    resource = response.DESCRIPTOR.fields[0].name
    return str(getattr(response, resource).name)
