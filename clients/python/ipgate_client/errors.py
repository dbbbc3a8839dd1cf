"""What a caller of ipgate can get instead of an answer."""

from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure, RetryInfo
from google.rpc.status_pb2 import Status

_DETAILS = "grpc-status-details-bin"


class ConfigError(ValueError):
    """A token, or a file of TLS, that cannot be used.

    `argument` is the parameter of the client.
    """

    def __init__(self, argument: str, message: str) -> None:
        self.argument = argument
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong with a request: the field or resource, and what is wrong with it."""

    field: str
    description: str


class CallFailed(Exception):
    """A call that failed.

    A caller of `Authorize` must treat it as a denial.

    `reason` is stable, and listed in ipgate's documentation of errors; it is "" where the failure is not
    ipgate's own, such as a lost connection. `retry_after` is in seconds, 0 where no retry is advised.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        *,
        reason: str = "",
        violations: tuple[Violation, ...] = (),
        retry_after: float = 0.0,
    ) -> None:
        self.code = code
        self.message = message
        self.reason = reason
        self.violations = violations
        self.retry_after = retry_after
        super().__init__(f"{code.name}: {message}")

    def copy(self) -> "CallFailed":
        """Return the same failure for another question, without a traceback: its frames hold the question."""
        return CallFailed(
            self.code,
            self.message,
            reason=self.reason,
            violations=self.violations,
            retry_after=self.retry_after,
        )

    @property
    def from_server(self) -> bool:
        """Whether ipgate sent this failure, rather than the network or a proxy."""
        return bool(self.reason)


class _RpcError(Protocol):
    """What the errors of grpc and of grpc.aio have in common."""

    def code(self) -> grpc.StatusCode: ...
    def details(self) -> str | None: ...
    def trailing_metadata(self) -> Any: ...


def call_failed(error: _RpcError) -> CallFailed:
    """Return the error of a call with its `google.rpc` details unpacked."""
    reason, violations, retry_after = "", [], 0.0
    info, request, precondition, retry = (
        ErrorInfo(),
        BadRequest(),
        PreconditionFailure(),
        RetryInfo(),
    )
    for detail in _status(error).details:
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(request):
            violations += [
                Violation(violation.field, violation.description)
                for violation in request.field_violations
            ]
        elif detail.Unpack(precondition):
            violations += [
                Violation(violation.subject, violation.description)
                for violation in precondition.violations
            ]
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    return CallFailed(
        error.code(),
        error.details() or "",
        reason=reason,
        violations=tuple(violations),
        retry_after=retry_after,
    )


def unexpected(error: Exception) -> CallFailed:
    """Return the failure that any other error is. Its text may quote what was sent, so it is left out."""
    return CallFailed(
        grpc.StatusCode.UNKNOWN, f"the question could not be asked: {type(error).__name__}"
    )


def closed() -> CallFailed:
    """Return the failure of a question whose client is closed."""
    return CallFailed(grpc.StatusCode.CANCELLED, "the client is closed")


def _status(error: _RpcError) -> Status:
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS:
            try:
                return Status.FromString(value)
            except DecodeError:  # a proxy may have put anything there
                break
    return Status()
