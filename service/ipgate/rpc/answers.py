"""Questions out of their messages, and answers as encoded messages, whose parts are remembered."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from ipgate.authorizer.authorizer import Question, Subject, Verdict
from ipgate.domain.addresses import format_address, format_range, parse_address
from ipgate.domain.credential import presented_digest
from ipgate.domain.decision import Decision, Reason
from ipgate.domain.errors import InvalidArgument, quoted
from ipgate.domain.forwarded import NO_PROXIES, TrustedProxies, client_address
from ipgate.domain.names import MAX_NAME
from ipgate.domain.revision import parse_revision
from ipgate.domain.shards import SHARDS
from ipgate.gc_untrack import untrack
from ipgate.v1 import authorize_pb2 as authorize

_tuple = tuple.__new__

_REMEMBERED = 8192
"""Encoded parts of answers that are remembered, some 300 bytes each."""

_EMBEDDED = 2
"""The wire type of a field that is a message or a string."""

_ADDRESS = authorize.AuthorizeResponse.ADDRESS_FIELD_NUMBER
_API_KEY = authorize.AuthorizeResponse.API_KEY_FIELD_NUMBER
_RESULT = authorize.BatchAuthorizeResponse.RESULTS_FIELD_NUMBER
_RESPONSE = authorize.BatchAuthorizeResult.RESPONSE_FIELD_NUMBER
_ERROR = authorize.BatchAuthorizeResult.ERROR_FIELD_NUMBER
_STREAM_ID = authorize.StreamAuthorizeResponse.ID_FIELD_NUMBER
_STREAM_RESPONSE = authorize.StreamAuthorizeResponse.RESPONSE_FIELD_NUMBER
_STREAM_ERROR = authorize.StreamAuthorizeResponse.ERROR_FIELD_NUMBER

_REASONS: dict[Reason, Any] = {
    reason: authorize.Reason.Value(f"REASON_{reason.value}") for reason in Reason
}


def question_in(
    request: authorize.AuthorizeRequest, trusted: TrustedProxies = NO_PROXIES
) -> Question:
    """Return the question that a message asks.

    `trusted`: the proxies whose headers are believed.

    A malformed name of an API key is left to the authorizer, which need not parse the names that it holds.

    Raises: InvalidArgument for the first field that is wrong.
    """
    credential = request.key
    subject: Subject = presented_digest(credential) if credential else _named(request)
    ip = request.ip
    forwarded = not ip and request.HasField("forwarded")
    if not forwarded:
        try:
            address: int | None = parse_address(ip)
        except ValueError:
            text = f"{quoted(ip)} is not an IP address; send a dotted quad or an IPv6 address"
            raise InvalidArgument.of("ip", text) from None
    else:
        origin = request.forwarded
        address = client_address(origin.peer, origin.x_forwarded_for, origin.forwarded, trusted)
    wanted = request.min_revision
    revision = parse_revision("min_revision", wanted) if wanted else None
    # As Question(…), in half the time.
    return _tuple(Question, (subject, address, revision, forwarded))


def _named(request: authorize.AuthorizeRequest) -> Subject:
    subject = request.api_key
    if subject:
        return subject
    kind = request.WhichOneof("subject")
    if kind is None:
        raise InvalidArgument.of("subject", "is required; send the credential as key, or api_key")
    return None if kind == "key" else ""


def verdict_out(verdict: Verdict) -> bytes:
    """Return an encoded AuthorizeResponse.

    Making the message takes longer than deciding, so its parts are remembered in their encoded form: one
    after the other they are the encoding of the whole.
    """
    decision, api_key, revision, address = verdict
    # Keys are too many to be remembered.
    name = api_key.encode()
    key = _KEY_PREFIXES[len(name)] + name if name else b""
    head = _DECISIONS.get(decision) or _decision_out(decision)
    body = head + key + _revision_out(revision)
    return body if address is None else body + _address_out(address)


def _address_out(address: int) -> bytes:
    text = format_address(address).encode()
    return _ADDRESS_PREFIXES[len(text)] + text


def batch_out(results: Iterable[Verdict | authorize.Error]) -> bytes:
    """Return an encoded BatchAuthorizeResponse: what it holds is framed as bytes, too."""
    parts: list[bytes] = []
    for result in results:
        if isinstance(result, Verdict):
            body = verdict_out(result)
            parts += (_result_prefix(_RESPONSE, len(body)), body)
        else:
            body = result.SerializeToString()
            parts += (_result_prefix(_ERROR, len(body)), body)
    return b"".join(parts)


def stream_out(request_id: str, result: Verdict | authorize.Error) -> bytes:
    """Return an encoded StreamAuthorizeResponse."""
    name = request_id.encode()
    if isinstance(result, Verdict):
        body, field = verdict_out(result), _STREAM_RESPONSE
    else:
        body, field = result.SerializeToString(), _STREAM_ERROR
    head = prefix(_STREAM_ID, len(name)) + name if name else b""
    return head + prefix(field, len(body)) + body


@lru_cache(_REMEMBERED)
def prefix(field: int, length: int) -> bytes:
    """Return the bytes before an embedded message or a string: field number and type, and length as a varint."""
    prefix = bytearray((field << 3 | _EMBEDDED,))
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix)


@lru_cache(_REMEMBERED)
def _result_prefix(field: int, length: int) -> bytes:
    """Return what stands before the body of a result of a batch."""
    inner = prefix(field, length)
    return prefix(_RESULT, len(inner) + length) + inner


_KEY_PREFIXES = tuple(prefix(_API_KEY, length) for length in range(MAX_NAME + 1))
_ADDRESS_PREFIXES = tuple(prefix(_ADDRESS, length) for length in range(40))  # the longest of IPv6


_DECISIONS: dict[Decision, bytes] = {}
"""The encoding of decisions. lru_cache would take longer, and the garbage collector would look at two
objects for each of its entries."""


def _decision_out(decision: Decision) -> bytes:
    encoded = authorize.AuthorizeResponse(
        allowed=decision.allowed,
        reason=_REASONS[decision.reason],
        allow_list=decision.allow_list,
        range="" if decision.range is None else format_range(decision.range),
        report_only=decision.report_only,
    ).SerializeToString()
    if len(_DECISIONS) >= _REMEMBERED:
        _DECISIONS.clear()
    _DECISIONS[decision] = encoded
    untrack(decision, _DECISIONS)
    return encoded


@lru_cache(SHARDS * 4)
def _revision_out(revision: str) -> bytes:
    return authorize.AuthorizeResponse(revision=revision).SerializeToString()
