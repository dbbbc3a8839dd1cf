"""Changes on the wire: the options in a request, and what every response to a change has."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.struct_pb2 import Value

from ipgate.domain.names import key_name
from ipgate.domain.writing import Affected, AttributeChange, Effect, WriteOptions, WriteResult
from ipgate.rpc.access import AccessRule
from ipgate.rpc.call_info import CallInfo
from ipgate.rpc.convert import access_out, time_out
from ipgate.v1 import admin_pb2 as admin


def write_options(rule: AccessRule, request: Any, info: CallInfo, method: str) -> WriteOptions:
    """Return the options of a call of a method that makes a change."""
    # The resource that an update changes carries its etag.
    holder, _, field = rule.resource.rpartition(".")
    carrier = getattr(request, holder) if holder and field == "name" else request
    return WriteOptions(
        actor=info.caller,
        method=method.rpartition("/")[2],
        peer=info.peer(),
        correlation_id=info.request_id(),
        etag=getattr(carrier, "etag", ""),
        validate_only=request.validate_only,
        allow_broad=getattr(request, "allow_broad", False),
        allow_unrestricted=getattr(request, "allow_unrestricted", False),
        force=getattr(request, "force", False),
    )


def change_out(result: WriteResult[Any], workspace: str = "") -> dict[str, Any]:
    """Return the fields that every response to a change has.

    `workspace`: the id of the one that the affected API keys belong to.
    """
    return {"effect": effect_out(result.effect, workspace), "revision": result.revision}


def keys_out(affected: Affected, workspace: str) -> admin.AffectedApiKeys | None:
    names = [key_name(workspace, key) for key in affected.names]
    return admin.AffectedApiKeys(count=affected.count, api_keys=names) if names else None


def effect_out(effect: Effect, workspace: str) -> admin.Effect:
    """Return the message of an effect; `workspace`: the id of the one that its API keys belong to."""

    def keys(affected: Affected) -> admin.AffectedApiKeys | None:
        return keys_out(affected, workspace)

    def ranges(affected: Affected) -> admin.AffectedRanges | None:
        names = affected.names
        return admin.AffectedRanges(count=affected.count, ranges=names) if names else None

    return admin.Effect(
        ranges_added=ranges(effect.ranges_added),
        ranges_removed=ranges(effect.ranges_removed),
        ranges_changed=ranges(effect.ranges_changed),
        ranges_loosened=ranges(effect.ranges_loosened),
        unlinked_api_keys=keys(effect.unlinked_keys),
        unrestricted_api_keys=keys(effect.unrestricted_keys),
        closed_api_keys=keys(effect.closed_keys),
        unlinked_access=access_out(effect.unlinked_access),
        attributes=attributes_out(effect.attributes),
    )


def attributes_out(changes: Sequence[AttributeChange]) -> list[admin.AttributeChange]:
    return [
        admin.AttributeChange(attribute=name, before=_value(before), after=_value(after))
        for name, before, after in changes
    ]


def _value(value: Any) -> Value | None:
    """Return the value of an attribute; of numbers there are only instants."""
    if value is None:
        return None
    if type(value) is bool:
        return Value(bool_value=value)
    text = time_out(value) if type(value) is int else None
    return Value(string_value=text.ToJsonString() if text else str(value))
