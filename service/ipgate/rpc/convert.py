"""The only bridge between protobuf messages and the domain."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.status_pb2 import Status

from ipgate.authorizer.authorizer import Question, Subject, Verdict
from ipgate.authorizer.counting import leave_to_counting
from ipgate.domain.addresses import format_range, parse_address
from ipgate.domain.credential import presented_digest
from ipgate.domain.decision import Decision, Reason
from ipgate.domain.errors import InvalidArgument, Violation, shown
from ipgate.domain.intervals import STEP, Steps
from ipgate.domain.names import MAX_NAME, key_name, list_name, token_name, workspace_name
from ipgate.domain.resources import (
    MAX_TIME,
    MIN_TIME,
    Access,
    AccessToken,
    AllowList,
    ApiKey,
    Role,
    Workspace,
)
from ipgate.domain.revision import SHARDS, parse_revision
from ipgate.v1 import authorize_pb2 as authorize
from ipgate.v1 import resources_pb2 as resources

T = TypeVar("T")

_tuple = tuple.__new__

_CONVERTED = 50
"""Resources, or links, that are converted in one step: less than a millisecond."""

_MAX_PATHS = 32
"""More paths than any resource has fields."""

_REMEMBERED = 8192
"""Encoded parts of answers that are remembered, some 300 bytes each."""

_EMBEDDED = 2
"""The wire type of a field that is a message or a string."""

_API_KEY = authorize.AuthorizeResponse.API_KEY_FIELD_NUMBER
_RESULT = authorize.BatchAuthorizeResponse.RESULTS_FIELD_NUMBER
_RESPONSE = authorize.BatchAuthorizeResult.RESPONSE_FIELD_NUMBER
_ERROR = authorize.BatchAuthorizeResult.ERROR_FIELD_NUMBER
_STREAM_ID = authorize.StreamAuthorizeResponse.ID_FIELD_NUMBER
_STREAM_RESPONSE = authorize.StreamAuthorizeResponse.RESPONSE_FIELD_NUMBER
_STREAM_ERROR = authorize.StreamAuthorizeResponse.ERROR_FIELD_NUMBER

_REASONS: dict[Reason, Any] = {
    each: authorize.Reason.Value(f"REASON_{each.value}") for each in Reason
}
_ACCESS: dict[Access, Any] = {
    each: resources.ApiKey.Access.Value(f"ACCESS_{each.value}") for each in Access
}
_ROLES: dict[Role, Any] = {
    each: resources.AccessToken.Role.Value(f"ROLE_{each.value}")
    for each in Role
    if each is not Role.ROOT
}
_ROLES_BACK = {value: role for role, value in _ROLES.items()}


def question_in(request: authorize.AuthorizeRequest) -> Question:
    """Raises InvalidArgument for the first field that is wrong; a malformed name of an API key is left to
    the authorizer, which need not look at those that it holds."""
    credential = request.key
    subject: Subject = presented_digest(credential) if credential else _named(request)
    ip = request.ip
    try:
        address = parse_address(ip)
    except ValueError:
        text = f"{shown(ip)} is not an IP address; send a dotted quad or an IPv6 address"
        raise InvalidArgument.of("ip", text) from None
    wanted = request.min_revision
    revision = parse_revision("min_revision", wanted) if wanted else None
    # As Question(…), in half the time.
    return _tuple(Question, (subject, address, revision))


def _named(request: authorize.AuthorizeRequest) -> Subject:
    subject = request.api_key
    if subject:
        return subject
    kind = request.WhichOneof("subject")
    if kind is None:
        raise InvalidArgument.of("subject", "is required; send the credential as key, or api_key")
    return None if kind == "key" else ""


def verdict_out(verdict: Verdict) -> bytes:
    """An encoded AuthorizeResponse. Making the message takes longer than deciding, so its parts are
    remembered in their encoded form: one after the other they are the encoding of the whole."""
    decision, api_key, revision = verdict
    # Keys are too many to be remembered.
    name = api_key.encode()
    key = _KEY_PREFIXES[len(name)] + name if name else b""
    head = _DECISIONS.get(decision) or _decision_out(decision)
    return head + key + _revision_out(revision)


def batch_out(results: Iterable[Verdict | Status]) -> bytes:
    """An encoded BatchAuthorizeResponse: what it holds is framed as bytes, too."""
    parts: list[bytes] = []
    for result in results:
        if isinstance(result, Verdict):
            body = verdict_out(result)
            parts += (_result_prefix(_RESPONSE, len(body)), body)
        else:
            body = result.SerializeToString()
            parts += (_result_prefix(_ERROR, len(body)), body)
    return b"".join(parts)


def stream_out(request_id: str, result: Verdict | Status) -> bytes:
    """An encoded StreamAuthorizeResponse."""
    name = request_id.encode()
    if isinstance(result, Verdict):
        body, field = verdict_out(result), _STREAM_RESPONSE
    else:
        body, field = result.SerializeToString(), _STREAM_ERROR
    head = _prefix(_STREAM_ID, len(name)) + name if name else b""
    return head + _prefix(field, len(body)) + body


@lru_cache(_REMEMBERED)
def _prefix(field: int, length: int) -> bytes:
    """What stands before an embedded message or a string: field number and type, and length as a varint."""
    prefix = bytearray((field << 3 | _EMBEDDED,))
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix)


@lru_cache(_REMEMBERED)
def _result_prefix(field: int, length: int) -> bytes:
    """What stands before the body of a result of a batch."""
    prefix = _prefix(field, length)
    return _prefix(_RESULT, len(prefix) + length) + prefix


_KEY_PREFIXES = tuple(_prefix(_API_KEY, length) for length in range(MAX_NAME + 1))


_DECISIONS: dict[Decision, bytes] = {}
"""The encoding of decisions. lru_cache would take longer, and the garbage collector would look at two
objects for each of its entries."""


def _decision_out(decision: Decision) -> bytes:
    encoded = authorize.AuthorizeResponse(
        allowed=decision.allowed,
        reason=_REASONS[decision.reason],
        allow_list=decision.allow_list,
        range="" if decision.range is None else format_range(decision.range),
    ).SerializeToString()
    if len(_DECISIONS) >= _REMEMBERED:
        _DECISIONS.clear()
    _DECISIONS[decision] = encoded
    leave_to_counting(decision, _DECISIONS)
    return encoded


@lru_cache(SHARDS * 4)
def _revision_out(revision: str) -> bytes:
    return authorize.AuthorizeResponse(revision=revision).SerializeToString()


def workspace_out(workspace: Workspace) -> resources.Workspace:
    default = workspace.default_list
    stamps = workspace.stamps
    return resources.Workspace(
        name=workspace_name(workspace.id),
        display_name=workspace.display_name,
        require_allow_list=workspace.require_allow_list,
        default_allow_list=resources.DefaultAllowList(
            enabled=workspace.default_enabled,
            allow_list=list_name(workspace.id, default) if default else "",
        ),
        create_time=_time_out(stamps.create_time),
        update_time=_time_out(stamps.update_time),
        etag=stamps.etag,
        revision=stamps.revision,
    )


def list_out(allow_list: AllowList) -> resources.AllowList:
    stamps = allow_list.stamps
    return resources.AllowList(
        name=list_name(allow_list.workspace, allow_list.id),
        display_name=allow_list.display_name,
        description=allow_list.description,
        ranges=allow_list.ranges,
        range_count=allow_list.range_count,
        linked_api_key_count=allow_list.linked_api_key_count,
        create_time=_time_out(stamps.create_time),
        update_time=_time_out(stamps.update_time),
        etag=stamps.etag,
        revision=stamps.revision,
    )


def list_in_steps(allow_list: AllowList) -> Steps[resources.AllowList]:
    """The same for a list with many ranges, of which a message takes a part at a time."""
    message = list_out(replace(allow_list, ranges=()))
    for first in range(0, len(allow_list.ranges), STEP):
        message.ranges.extend(allow_list.ranges[first : first + STEP])
        yield
    return message


def all_in_steps(items: Sequence[T], convert: Callable[[T], Any]) -> Steps[list[Any]]:
    """The messages of a page's resources, of which an API key may have many links."""
    messages = []
    for count, item in enumerate(items):
        if not count % _CONVERTED or len(getattr(item, "lists", ())) > _CONVERTED:
            yield
        messages.append(convert(item))
    return messages


def access_out(access: Access | None) -> Any:
    return _ACCESS[access] if access else resources.ApiKey.ACCESS_UNSPECIFIED


def key_out(key: ApiKey) -> resources.ApiKey:
    stamps = key.stamps
    return resources.ApiKey(
        name=key_name(key.workspace, key.id),
        display_name=key.display_name,
        disabled=key.disabled,
        expire_time=_time_out(key.expire_time),
        allow_lists=[list_name(key.workspace, each) for each in key.lists],
        access=access_out(key.access),
        create_time=_time_out(stamps.create_time),
        update_time=_time_out(stamps.update_time),
        etag=stamps.etag,
        revision=stamps.revision,
    )


def token_out(token: AccessToken) -> resources.AccessToken:
    return resources.AccessToken(
        name=token_name(token.id),
        display_name=token.display_name,
        role=_ROLES[token.role],
        workspace=workspace_name(token.workspace) if token.workspace else "",
        expire_time=_time_out(token.expire_time),
        create_time=_time_out(token.create_time),
        revision=token.revision,
    )


def role_in(value: int) -> Role | None:
    """The role, None if none that ipgate knows was given."""
    return _ROLES_BACK.get(value)


def time_in(field: str, message: Message, name: str) -> int | None:
    """The instant in the Timestamp field `name` of a message. Raises InvalidArgument."""
    if not message.HasField(name):
        return None
    time: Timestamp = getattr(message, name)
    instant = time.seconds * 10**9 + time.nanos
    if not (MIN_TIME <= instant <= MAX_TIME and 0 <= time.nanos < 10**9):
        text = "is not an instant of the years 1 to 9999 with 0 to 999,999,999 nanoseconds"
        raise InvalidArgument.of(f"{field}.{name}", text)
    return instant


def changes_in(
    field: str, message: Message, mask: FieldMask, permitted: Sequence[str]
) -> dict[str, Any]:
    """The permitted fields of a resource that an update changes, with their values.

    Without a mask these are the fields that are set. Raises InvalidArgument for a mask that names
    another field, and if there is nothing to change.
    """
    known = ", ".join(permitted)
    if len(mask.paths) > _MAX_PATHS:
        text = f"has {len(mask.paths)} paths; use {known} or *"
        raise InvalidArgument.of("update_mask", text)
    paths = list(mask.paths)
    faults = [
        Violation("update_mask", f"{shown(path)} cannot be changed here; use {known} or *")
        for path in paths
        if path not in permitted and path != "*"
    ]
    if faults:
        raise InvalidArgument(faults)
    if not paths:
        present = {each.name for each, _ in message.ListFields()}
        paths = [name for name in permitted if name in present]
    elif "*" in paths:
        paths = list(permitted)
    if not paths:
        raise InvalidArgument.of("update_mask", f"names nothing to change; use {known} or *")
    return {
        name: time_in(field, message, name) if name == "expire_time" else getattr(message, name)
        for name in paths
    }


def _time_out(time: int | None) -> Timestamp | None:
    if time is None:
        return None
    seconds, nanos = divmod(time, 10**9)
    return Timestamp(seconds=seconds, nanos=nanos)
