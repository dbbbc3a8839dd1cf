"""The bridge between protobuf messages and the domain; questions and answers are in answers.py."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from ipgate.domain.addresses import parse_address
from ipgate.domain.errors import InvalidArgument, Violation, quoted
from ipgate.domain.intervals import Steps
from ipgate.domain.names import key_name, list_name, token_name, workspace_name
from ipgate.domain.resources import (
    MAX_TIME,
    MIN_TIME,
    Access,
    AccessToken,
    AllowList,
    ApiKey,
    Caller,
    Range,
    Role,
    Workspace,
)
from ipgate.gc_untrack import untrack
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

T = TypeVar("T")

_CONVERTED = 50
"""Resources, or links, that are converted in one step: less than a millisecond."""

_RANGES_CONVERTED = 500

_MAX_PATHS = 32
"""More paths than any resource has fields."""

_ACCESS: dict[Access, Any] = {
    access: resources.ApiKey.Access.Value(f"ACCESS_{access.value}") for access in Access
}
ALL_ROLES: dict[Role, Any] = {
    role: resources.AccessToken.Role.Value(f"ROLE_{role.value}") for role in Role
}
_ROLES_BACK = {value: role for role, value in ALL_ROLES.items() if role is not Role.ROOT}


ACCESS_BACK: dict[int, Access] = {value: access for access, value in _ACCESS.items()}

MUTABLE = {
    "workspace": ("display_name", "require_allow_list", "ipv6_enabled"),
    "allow_list": ("display_name", "description", "ranges"),
    "api_key": ("display_name", "disabled", "report_only", "expire_time"),
}
"""The fields that an update may change, by the request's field that has the resource."""


def workspace_in(message: resources.Workspace, identifier: str) -> Workspace:
    """Return the workspace of a request to create it; its default list is "" or a resource name."""
    return Workspace(
        id=identifier,
        display_name=message.display_name,
        require_allow_list=message.require_allow_list,
        default_enabled=message.default_allow_list.enabled,
        default_list=message.default_allow_list.allow_list,
        default_report_only=message.default_allow_list.report_only,
        ipv6_enabled=message.ipv6_enabled,
    )


def list_in(message: resources.AllowList, workspace: str, identifier: str) -> AllowList:
    """Return the allow list of a request to create it, without its ranges."""
    return AllowList(
        workspace=workspace,
        id=identifier,
        display_name=message.display_name,
        description=message.description,
    )


def ranges_in(field: str, messages: Iterable[resources.Range]) -> Steps[list[Range]]:
    """Return the ranges of a request.

    Raises: InvalidArgument.
    """
    ranges = []
    for index, message in enumerate(messages):
        if not index % _RANGES_CONVERTED:
            yield
        at = f"{field}[{index}]"
        range_ = Range(
            message.cidr,
            message.note,
            time_in(at, message, "start_time"),
            time_in(at, message, "expire_time"),
            message.disabled,
        )
        # Of a large list there are so many that a collection of garbage would hold the event loop.
        untrack(range_)
        ranges.append(range_)
    return ranges


def address_in(field: str, text: str) -> int | None:
    """Return the address of a request, None for "".

    Raises: InvalidArgument.
    """
    if not text:
        return None
    try:
        return parse_address(text)
    except ValueError:
        problem = f"{quoted(text)} is not an IP address; send a dotted quad or an IPv6 address"
        raise InvalidArgument.of(field, problem) from None


def range_out(range_: Range) -> resources.Range:
    cidr, note, start_time, expire_time, disabled = range_
    return resources.Range(
        cidr=cidr,
        note=note,
        start_time=time_out(start_time),
        expire_time=time_out(expire_time),
        disabled=disabled,
    )


def key_in(message: resources.ApiKey, workspace: str, identifier: str) -> ApiKey:
    """Return the API key of a request to create it.

    Raises: InvalidArgument.
    """
    return ApiKey(
        workspace=workspace,
        id=identifier,
        display_name=message.display_name,
        disabled=message.disabled,
        report_only=message.report_only,
        expire_time=time_in("api_key", message, "expire_time"),
    )


def token_in(
    message: resources.AccessToken, role: Role, workspace: str, identifier: str
) -> AccessToken:
    """Return the access token of a request to create it.

    Raises: InvalidArgument.
    """
    return AccessToken(
        id=identifier,
        role=role,
        display_name=message.display_name,
        workspace=workspace,
        expire_time=time_in("access_token", message, "expire_time"),
    )


def workspace_out(workspace: Workspace) -> resources.Workspace:
    default = workspace.default_list
    meta = workspace.meta
    return resources.Workspace(
        name=workspace_name(workspace.id),
        display_name=workspace.display_name,
        require_allow_list=workspace.require_allow_list,
        default_allow_list=resources.DefaultAllowList(
            enabled=workspace.default_enabled,
            allow_list=list_name(workspace.id, default) if default else "",
            report_only=workspace.default_report_only,
        ),
        ipv6_enabled=workspace.ipv6_enabled,
        create_time=time_out(meta.create_time),
        update_time=time_out(meta.update_time),
        etag=meta.etag,
        revision=meta.revision,
    )


def list_out(allow_list: AllowList) -> resources.AllowList:
    meta = allow_list.meta
    return resources.AllowList(
        name=list_name(allow_list.workspace, allow_list.id),
        display_name=allow_list.display_name,
        description=allow_list.description,
        ranges=map(range_out, allow_list.ranges),
        ranges_omitted=allow_list.ranges_omitted,
        range_count=allow_list.range_count,
        linked_api_key_count=allow_list.linked_api_key_count,
        create_time=time_out(meta.create_time),
        update_time=time_out(meta.update_time),
        etag=meta.etag,
        revision=meta.revision,
    )


def all_in_steps(items: Sequence[T], convert: Callable[[T], Any]) -> Steps[list[Any]]:
    """Return the messages of a page's resources, of which an API key may have many links."""
    messages = []
    for count, item in enumerate(items):
        if not count % _CONVERTED or len(getattr(item, "lists", ())) > _CONVERTED:
            yield
        messages.append(convert(item))
    return messages


def access_out(access: Access | None) -> Any:
    return _ACCESS[access] if access else resources.ApiKey.ACCESS_UNSPECIFIED


def key_out(key: ApiKey) -> resources.ApiKey:
    meta = key.meta
    return resources.ApiKey(
        name=key_name(key.workspace, key.id),
        display_name=key.display_name,
        disabled=key.disabled,
        report_only=key.report_only,
        expire_time=time_out(key.expire_time),
        previous_credential_expire_time=time_out(key.previous_credential_expire_time),
        allow_lists=[list_name(key.workspace, allow_list) for allow_list in key.lists],
        access=access_out(key.access),
        create_time=time_out(meta.create_time),
        update_time=time_out(meta.update_time),
        etag=meta.etag,
        revision=meta.revision,
    )


def token_out(token: AccessToken) -> resources.AccessToken:
    return resources.AccessToken(
        name=token_name(token.id),
        display_name=token.display_name,
        role=ALL_ROLES[token.role],
        workspace=workspace_name(token.workspace) if token.workspace else "",
        expire_time=time_out(token.expire_time),
        create_time=time_out(token.create_time),
        revision=token.revision,
    )


def caller_out(caller: Caller) -> admin.Caller:
    return admin.Caller(
        access_token="" if caller.role is Role.ROOT else token_name(caller.token),
        role=ALL_ROLES[caller.role],
        workspace=workspace_name(caller.workspace) if caller.workspace else "",
        expire_time=time_out(caller.expire_time),
    )


def role_in(value: int) -> Role | None:
    """Return the role of an access token, None for any other value."""
    return _ROLES_BACK.get(value)


def time_in(field: str, message: Message, name: str) -> int | None:
    """Return the instant in the Timestamp field `name` of a message.

    Raises: InvalidArgument.
    """
    if not message.HasField(name):
        return None
    time: Timestamp = getattr(message, name)
    instant = time.seconds * 10**9 + time.nanos
    if not (MIN_TIME <= instant <= MAX_TIME and 0 <= time.nanos < 10**9):
        text = "is not an instant of the years 1 to 9999 with 0 to 999,999,999 nanoseconds"
        raise InvalidArgument.of(f"{field}.{name}", text)
    return instant


def duration_in(name: str, message: Message) -> int:
    """Return a required duration of a request in ns.

    Raises: InvalidArgument.
    """
    if not message.HasField(name):
        raise InvalidArgument.of(name, "is required, as seconds, such as 86400s for a day")
    duration = getattr(message, name)
    if abs(duration.nanos) >= 10**9 or duration.seconds * duration.nanos < 0:
        raise InvalidArgument.of(
            name, "has nanoseconds of another sign, or a second or more of them"
        )
    return int(duration.seconds) * 10**9 + int(duration.nanos)


def changes_in(field: str, message: Message, mask: FieldMask) -> dict[str, Any]:
    """Return the attributes that an update changes, with their values.

    `field`: that of the request that has the resource. Without a mask, an update changes the fields that are
    set.

    Raises:
        InvalidArgument: the mask names a field that is not MUTABLE, or nothing is to be changed.
    """
    permitted = MUTABLE[field]
    known = ", ".join(permitted)
    if len(mask.paths) > _MAX_PATHS:
        text = f"has {len(mask.paths)} paths; use {known} or *"
        raise InvalidArgument.of("update_mask", text)
    paths = list(mask.paths)
    violations = [
        Violation("update_mask", f"{quoted(path)} cannot be changed here; use {known} or *")
        for path in paths
        if path not in permitted and path != "*"
    ]
    if violations:
        raise InvalidArgument(violations)
    if not paths:
        present = {descriptor.name for descriptor, _ in message.ListFields()}
        paths = [name for name in permitted if name in present]
    elif "*" in paths:
        paths = list(permitted)
    if not paths:
        raise InvalidArgument.of("update_mask", f"names nothing to change; use {known} or *")
    fields = message.DESCRIPTOR.fields_by_name
    return {
        name: time_in(field, message, name)
        if fields[name].message_type is Timestamp.DESCRIPTOR
        else getattr(message, name)
        for name in paths
    }


def time_out(time: int | None) -> Timestamp | None:
    """Return the Timestamp of an instant in ns since 1970, None for None."""
    if time is None:
        return None
    seconds, nanos = divmod(time, 10**9)
    return Timestamp(seconds=seconds, nanos=nanos)
