"""Questions as messages, alone and gathered in a batch."""

from collections.abc import Sequence
from typing import TypedDict

import grpc
from ipgate.domain.credential import MAX_CREDENTIAL_BYTES
from ipgate.v1.authorize_pb2 import (
    AuthorizeRequest,
    AuthorizeResponse,
    BatchAuthorizeRequest,
    BatchAuthorizeResponse,
    Error,
    Forwarded,
)

from ipgate_client.errors import CallFailed, Violation
from ipgate_client.verdict import Verdict, denied, undecided

MAX_GATHERED = 500
"""Questions of one batch. As many of the largest that are gathered fit into a message of 1 MB."""

_MAX_GATHERED_BYTES = 1500

Result = AuthorizeResponse | CallFailed
"""The answer to a question, or why there is none."""

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class Question(TypedDict, total=False):
    """The arguments of `Client.check`."""

    key: str
    api_key: str
    ip: str
    forwarded: Forwarded | None
    min_revision: str
    timeout: float | None


def question_of(
    *, key: str, api_key: str, ip: str, forwarded: Forwarded | None, min_revision: str
) -> AuthorizeRequest | Verdict:
    """Return the message of a question, or the verdict where ipgate need not be asked."""
    if key and api_key:
        return undecided(_invalid("api_key", "cannot be given next to key; give one of both"))
    if ip and forwarded is not None:
        return undecided(_invalid("forwarded", "cannot be given next to ip; give one of both"))
    if not _can_be_credential(key):
        return denied("KEY_UNKNOWN", ip)
    request = AuthorizeRequest()
    field = ""
    try:
        if api_key:
            field, request.api_key = "api_key", api_key
        else:
            field, request.key = "key", key
        if forwarded is not None:
            field = "forwarded"
            request.forwarded.CopyFrom(forwarded)
        else:
            field, request.ip = "ip", ip
        if min_revision:
            field, request.min_revision = "min_revision", min_revision
    except (TypeError, ValueError):
        return undecided(_invalid(field, "cannot be sent; give text that UTF-8 can encode"))
    return request


def may_be_gathered(request: AuthorizeRequest) -> bool:
    """Return whether a question may share a batch: it must neither fill it nor make others wait."""
    return not request.min_revision and request.ByteSize() <= _MAX_GATHERED_BYTES


def batch_of(requests: Sequence[AuthorizeRequest]) -> BatchAuthorizeRequest:
    """Return several questions as one message."""
    return BatchAuthorizeRequest(requests=requests)


def results_of(batch: BatchAuthorizeResponse, count: int) -> list[Result]:
    """Return the results of a batch of `count` questions, in their order.

    Raises: CallFailed if they are not as many.
    """
    if len(batch.results) != count:
        text = f"the batch has {len(batch.results)} results for {count} questions"
        raise CallFailed(grpc.StatusCode.INTERNAL, text)
    return [
        result.response if result.WhichOneof("result") == "response" else _failure(result.error)
        for result in batch.results
    ]


def _failure(error: Error) -> CallFailed:
    return CallFailed(
        _CODES.get(error.code, grpc.StatusCode.UNKNOWN),
        error.message,
        reason=error.reason,
        violations=tuple(
            Violation(violation.field, violation.description)
            for violation in error.field_violations
        ),
    )


def _invalid(field: str, description: str) -> CallFailed:
    text, violation = f"{field} {description}", Violation(field, description)
    return CallFailed(grpc.StatusCode.INVALID_ARGUMENT, text, violations=(violation,))


def _can_be_credential(key: str) -> bool:
    try:
        return len(key.encode()) <= MAX_CREDENTIAL_BYTES
    except (AttributeError, UnicodeEncodeError):
        return False
