"""The one table from errors to gRPC codes.

An error becomes the status of a failed call with its `google.rpc` details, or the `Error` of one request
among several.
"""

import logging

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2
from google.rpc.status_pb2 import Status

from ipgate.domain import errors
from ipgate.v1 import authorize_pb2 as authorize

log = logging.getLogger(__name__)

DOMAIN = "ipgate"
"""The `ErrorInfo.domain` of every error."""

_CODES: dict[type[errors.IpgateError], "code_pb2.Code"] = {
    errors.InvalidArgument: code_pb2.INVALID_ARGUMENT,
    errors.NotFound: code_pb2.NOT_FOUND,
    errors.AlreadyExists: code_pb2.ALREADY_EXISTS,
    errors.Conflict: code_pb2.ABORTED,
    errors.FailedPrecondition: code_pb2.FAILED_PRECONDITION,
    errors.LimitExceeded: code_pb2.RESOURCE_EXHAUSTED,
    errors.Unauthenticated: code_pb2.UNAUTHENTICATED,
    errors.PermissionDenied: code_pb2.PERMISSION_DENIED,
    errors.Unavailable: code_pb2.UNAVAILABLE,
}


_INTERNAL_TEXT = "internal error; see the server's log"

_MAX_BYTES = 5600
"""Of a status: it travels in the trailers, in base 64, and clients reject more than 8 KB of them."""


def to_status(error: errors.IpgateError) -> Status:
    """Return the status that a caller gets for an error, with as many violations as fit."""
    status = _to_status(error)
    while status.ByteSize() > _MAX_BYTES:
        assert isinstance(error, (errors.InvalidArgument, errors.FailedPrecondition))
        kept = len(error.violations) * _MAX_BYTES // status.ByteSize()
        error.violations = error.violations[:kept]
        status = _to_status(error)
    return status


def _to_status(error: errors.IpgateError) -> Status:
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
    status = Status(code=_CODES[type(error)], message=error.message)
    status.details.append(_packed(info))
    if isinstance(error, errors.InvalidArgument):
        bad = error_details_pb2.BadRequest()
        for violation in error.violations:
            bad.field_violations.add(field=violation.field, description=violation.description)
        status.details.append(_packed(bad))
    elif isinstance(error, errors.FailedPrecondition):
        failure = error_details_pb2.PreconditionFailure()
        for violation in error.violations:
            failure.violations.add(
                type=error.reason, subject=violation.field, description=violation.description
            )
        status.details.append(_packed(failure))
    elif isinstance(error, errors.Unavailable):
        delay = Duration()
        delay.FromMilliseconds(int(error.retry_after * 1000))
        status.details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    return status


def internal(what: str, error: BaseException) -> Status:
    """Log an unexpected error and return a status that reveals nothing of it."""
    log.error("unexpected error where=%s", what, exc_info=error)
    status = Status(code=code_pb2.INTERNAL, message=_INTERNAL_TEXT)
    status.details.append(_packed(error_details_pb2.ErrorInfo(reason="INTERNAL", domain=DOMAIN)))
    return status


def to_error(error: errors.IpgateError) -> authorize.Error:
    """Return the same as `to_status`, for one request of a batch or a stream."""
    message = authorize.Error(code=_CODES[type(error)], message=error.message, reason=error.reason)
    if isinstance(error, errors.InvalidArgument):
        for violation in error.violations:
            message.field_violations.add(field=violation.field, description=violation.description)
    return message


def internal_error(what: str, error: BaseException) -> authorize.Error:
    """Return the same as `internal`, for one request of a batch or a stream."""
    log.error("unexpected error where=%s", what, exc_info=error)
    return authorize.Error(code=code_pb2.INTERNAL, message=_INTERNAL_TEXT, reason="INTERNAL")


def _packed(message: Message) -> Any:
    packed = Any()
    packed.Pack(message)
    return packed
