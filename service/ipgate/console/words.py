"""Words for what resources are and what changes do: those who read them need not be programmers."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.json_format import MessageToDict

from ipgate.domain.characters import readable
from ipgate.v1 import authorize_pb2 as authorize
from ipgate.v1 import resources_pb2 as resources

_NAMED = 10

_ACCESS = {
    resources.ApiKey.ACCESS_LISTS: "from the addresses of its Allow lists",
    resources.ApiKey.ACCESS_DEFAULT: "from the addresses of the default Allow list",
    resources.ApiKey.ACCESS_UNRESTRICTED: "from everywhere: no list covers it",
    resources.ApiKey.ACCESS_CLOSED: "from nowhere: no list covers it, and the workspace requires one",
}

_UNLINKED = {
    resources.ApiKey.ACCESS_DEFAULT: "only from the addresses of the default Allow list",
    resources.ApiKey.ACCESS_UNRESTRICTED: "from every address",
    resources.ApiKey.ACCESS_CLOSED: "from no address",
}

ROLES = {
    "ROLE_AUTHORIZER": "Backend: asks for decisions, and nothing else",
    "ROLE_WORKSPACE_VIEWER": "Viewer: sees everything, changes nothing",
    "ROLE_WORKSPACE_ADMIN": "Administrator: changes everything in the workspace, access tokens too",
}
"""What an access token may do, by its role."""

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z")

_LABELS = {
    "display_name": "Name",
    "description": "Description",
    "disabled": "Disabled",
    "report_only": "Only report",
    "expire_time": "Expires on",
    "require_allow_list": "Require an IP Allow list",
    "ipv6_enabled": "IPv6",
    "default_enabled": "Set a default Allow list",
    "default_list": "Default Allow list",
    "default_report_only": "The default only reports",
}

_IN_QUESTIONS = frozenset({"default_list"})
"""Attributes that the question about their change names."""

_TEXTS = frozenset({"display_name", "description"})
"""Attributes that nothing is decided by."""

_REASONS = {
    "REASON_KEY_UNKNOWN": "the API key is not known",
    "REASON_KEY_DISABLED": "the API key is disabled",
    "REASON_KEY_EXPIRED": "the API key has expired",
    "REASON_LINKED_LIST_MATCH": "one of its Allow lists has the address",
    "REASON_NOT_IN_LINKED_LISTS": "none of its Allow lists has the address",
    "REASON_DEFAULT_LIST_MATCH": "the default Allow list has the address",
    "REASON_NOT_IN_DEFAULT_LIST": "the default Allow list does not have the address",
    "REASON_NO_ALLOW_LIST": "no list covers the API key, and the workspace requires one",
    "REASON_UNRESTRICTED": "no list covers the API key",
}


def identifier(name: str) -> str:
    """Return the id at the end of a resource name."""
    return name.rpartition("/")[2]


def title(resource: Any) -> str:
    """Return the display name of a resource, or its id."""
    return str(resource.display_name) or identifier(resource.name)


def quoted(text: str) -> str:
    """Return a text that people chose, apart from the words around it."""
    return f"“{visible(text)}”"


def named(resource: Any) -> str:
    """Return the display name of a resource, with its id if that is another one."""
    name, text = identifier(resource.name), title(resource)
    return quoted(text) if text == name else f"{quoted(text)} ({name})"


def visible(text: str) -> str:
    """Return a text with the characters escaped that would hide or reorder what people read."""
    return readable(text, allowed="\n")


def day(time: Any) -> str:
    """Return a Timestamp as a day, with the time of day if it is not midnight, in UTC."""
    form = "%Y-%m-%d" if time.seconds % 86_400 == 0 else "%Y-%m-%d %H:%M UTC"
    return str(time.ToDatetime(UTC).strftime(form))


def moment(time: Any) -> str:
    """Return a Timestamp to the second, in UTC."""
    return str(time.ToDatetime(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"))


def role(token: Any) -> str:
    """Return the role of an access token in a word."""
    name = resources.AccessToken.Role.Name(token.role)
    return ROLES.get(name, name).partition(":")[0]


def access(key: Any, default_reports: bool = False) -> str:  # noqa: FBT002  a filter of templates
    """Return from where an API key may be used. `default_reports`: the default Allow list only reports."""
    text = _ACCESS.get(key.access, "")
    if default_reports and key.access == resources.ApiKey.ACCESS_DEFAULT:
        return "from everywhere: the default Allow list only reports"
    if key.report_only and key.access == resources.ApiKey.ACCESS_LISTS:
        return "from everywhere: its Allow lists only report"
    return text


def state(key: Any) -> str:
    """Return whether an API key can be used at all."""
    if key.disabled:
        return "Disabled"
    if key.HasField("expire_time") and key.expire_time.ToDatetime(UTC) <= datetime.now(UTC):
        return "Expired"
    return "Enabled"


def counts(range_: Any) -> str:
    """Return why a range does not count now, or until when it does; "" if it always does."""
    now = datetime.now(UTC)
    if range_.disabled:
        return "Off"
    if range_.HasField("start_time") and now < range_.start_time.ToDatetime(UTC):
        return f"Not yet: from {day(range_.start_time)}"
    if range_.HasField("expire_time"):
        is_over = now >= range_.expire_time.ToDatetime(UTC)
        return f"{'Ended' if is_over else 'Until'} {day(range_.expire_time)}"
    return ""


def action(method: str) -> str:
    """Return a method of AdminService in plain words."""
    spaced = re.sub("(?<!^)([A-Z])", r" \1", method).lower().replace("api key", "API key")
    return spaced[:1].upper() + spaced[1:]


def summary(event: Any) -> str:
    """Return who made a change, and when."""
    return f"{action(event.method)} by {event.actor}, {moment(event.time)}"


def links(event: Any) -> list[str]:
    """Return what undoing a change of links does, a sentence each."""
    sentences = []
    for affected, text in (
        (event.linked_api_keys, "Will not be linked to it any more"),
        (event.unlinked_api_keys, "Will be linked to it again"),
    ):
        if affected.count:
            names = [identifier(name) for name in affected.api_keys]
            sentences.append(f"{text}: {listed(names, affected.count)}")
    return sentences


def decision(answer: Any) -> str:
    """Return what is decided, and why."""
    reason = _REASONS.get(authorize.Reason.Name(answer.reason), "")
    if answer.report_only:
        return f"Allowed, would be denied: {reason}"
    return f"{'Allowed' if answer.allowed else 'Denied'}: {reason}"


def effect(effect_: Any, *, reports: bool = False) -> list[str]:
    """Return what a change does, a sentence each. `reports`: the default Allow list only reports."""
    sentences = [
        changed(change) for change in effect_.attributes if change.attribute not in _IN_QUESTIONS
    ]
    for affected, one, many in (
        (effect_.ranges_added, "is added", "are added"),
        (effect_.ranges_removed, "is removed", "are removed"),
        (effect_.ranges_changed, "changes", "change"),
    ):
        if affected.count:
            noun = "address or range" if affected.count == 1 else "addresses and ranges"
            verb = one if affected.count == 1 else many
            sentences.append(
                f"{affected.count:,} {noun} {verb}: {listed(affected.ranges, affected.count)}"
            )
    if effect_.ranges_loosened.count:
        names = listed(effect_.ranges_loosened.ranges, effect_.ranges_loosened.count)
        sentences.append(f"These had an end or were off, and count without an end now: {names}")
    return sentences + _consequences(effect_, reports=reports)


def matters(effect_: Any) -> bool:
    """Return whether a change decides differently for some address or API key."""
    return bool(
        effect_.ranges_added.count
        or effect_.ranges_removed.count
        or effect_.ranges_loosened.count
        or any(change.attribute not in _TEXTS for change in effect_.attributes)
        or _consequences(effect_, reports=False)
    )


def opens(effect_: Any) -> bool:
    """Return whether a change lets API keys be used from every address."""
    return bool(
        effect_.unrestricted_api_keys.count
        or effect_.unlinked_access == resources.ApiKey.ACCESS_UNRESTRICTED
    )


def _consequences(effect_: Any, *, reports: bool) -> list[str]:
    """Return what a change does to API keys."""
    sentences = []
    for affected, text in (
        (effect_.unlinked_api_keys, "will not be linked to any Allow list any more"),
        (effect_.unrestricted_api_keys, "can be used from every address then"),
        (effect_.closed_api_keys, "cannot be used from any address then"),
    ):
        if affected.count:
            keys = f"{affected.count:,} API key{'s' * (affected.count != 1)}"
            names = listed([identifier(name) for name in affected.api_keys], affected.count)
            sentences.append(f"{keys} {text}: {names}")
    where = _UNLINKED.get(effect_.unlinked_access)
    if where:
        if reports and effect_.unlinked_access == resources.ApiKey.ACCESS_DEFAULT:
            where = "from every address: the default Allow list only reports"
        sentences.append(f"API keys without an Allow list can be used {where} then")
    return sentences


def changed(change: Any) -> str:
    """Return what an attribute was before a change, if there was something, and what it is after it."""
    label = _LABELS.get(change.attribute, change.attribute.replace("_", " ").capitalize())
    after = _value(change.after) if change.HasField("after") else "none"
    before = f"{_value(change.before)} → " if change.HasField("before") else ""
    return f"{label}: {before}{after}"


def _value(held: Any) -> str:
    match held.WhichOneof("kind"):
        case "bool_value":
            return "yes" if held.bool_value else "no"
        case "string_value":
            return _text(held.string_value)
    return str(json.dumps(MessageToDict(held), ensure_ascii=False))


def _text(text: str) -> str:
    """Return a text that is the value of an attribute: maybe a role or a time."""
    if not text:
        return "none"
    if f"ROLE_{text}" in ROLES:
        return ROLES[f"ROLE_{text}"].partition(":")[0]
    if _TIME.fullmatch(text):
        return f"{text[:10]} {text[11:19]} UTC".removesuffix(" 00:00:00 UTC")
    return quoted(text)


def listed(names: Sequence[str], count: int) -> str:
    """Return the first of `count` names, and how many more there are."""
    shown = ", ".join(visible(name) for name in names[:_NAMED])
    more = count - min(len(names), _NAMED)
    return f"{shown} and {more:,} more" if more else shown
