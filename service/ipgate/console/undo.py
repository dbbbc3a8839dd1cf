"""The opposite of the last change of an Allow list, from the audit log."""

from collections.abc import Iterable
from typing import Any

from ipgate_client import CallFailed

from ipgate.console import words
from ipgate.console.page import Page
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

_UNDONE = frozenset({"display_name", "description"})

_LOOKED_AT = 20
"""Events: denied calls are events too."""


class CannotUndo(Exception):
    """A change without an opposite; the message is for the person who asked."""


async def last_event(page: Page, name: str) -> Any:
    """Return the audit event of the last change of a resource, None if the log does not have it any more.

    Raises: CallFailed.
    """
    request = admin.ListAuditEventsRequest(parent=page.parent, resource=name, page_size=_LOOKED_AT)
    listed = await page.call("ListAuditEvents", request)
    return next((event for event in listed.events if event.revision), None)


async def check_keys(page: Page, event: Any) -> None:
    """Check that the API keys of a change of links have not been changed since.

    Raises: CannotUndo, CallFailed.
    """
    names = [*event.linked_api_keys.api_keys, *event.unlinked_api_keys.api_keys]
    for name in names:
        try:
            key = await page.call("GetApiKey", admin.GetApiKeyRequest(name=name))
        except CallFailed as error:
            if error.reason != "RESOURCE_NOT_FOUND":
                raise
            raise CannotUndo(f"The API key {words.identifier(name)} was deleted since.") from error
        if key.update_time.ToMilliseconds() > event.time.ToMilliseconds():
            raise CannotUndo(f"The API key {words.named(key)} was changed since.")


def can_undo(event: Any) -> bool:
    """Return whether the change of an event has an opposite."""
    try:
        _check(event)
    except CannotUndo:
        return False
    return True


def inverse_of(event: Any, present: Iterable[Any], allow_list: Any) -> tuple[str, Any]:
    """Return the method and the request that undo a change of a list. `present`: the ranges that the list has.

    Raises: CannotUndo.
    """
    _check(event)
    name, etag = allow_list.name, allow_list.etag
    if event.linked_api_keys.count:
        keys = event.linked_api_keys.api_keys
        return "UnlinkApiKeys", admin.UnlinkApiKeysRequest(
            allow_list=name, etag=etag, api_keys=keys
        )
    if event.unlinked_api_keys.count:
        keys = event.unlinked_api_keys.api_keys
        return "LinkApiKeys", admin.LinkApiKeysRequest(allow_list=name, etag=etag, api_keys=keys)
    former = [change.before for change in event.ranges if change.HasField("before")]
    added = [change.after.cidr for change in event.ranges if not change.HasField("before")]
    if not event.attributes and not former:
        return "RemoveRanges", admin.RemoveRangesRequest(allow_list=name, etag=etag, ranges=added)
    if not event.attributes and all(not change.HasField("after") for change in event.ranges):
        return "AddRanges", admin.AddRangesRequest(allow_list=name, etag=etag, ranges=former)
    request = admin.UpdateAllowListRequest(allow_list=resources.AllowList(name=name, etag=etag))
    for change in event.attributes:
        setattr(request.allow_list, change.attribute, change.before.string_value)
        request.update_mask.paths.append(change.attribute)
    if event.ranges:
        ranges = {range_.cidr: range_ for range_ in present if range_.cidr not in added}
        ranges |= {range_.cidr: range_ for range_ in former}
        request.allow_list.ranges.extend(ranges.values())
        request.update_mask.paths.append("ranges")
    return "UpdateAllowList", request


def _check(event: Any) -> None:
    effect = event.effect
    count = effect.ranges_added.count + effect.ranges_removed.count + effect.ranges_changed.count
    linked = event.linked_api_keys.count + event.unlinked_api_keys.count
    known = len(event.linked_api_keys.api_keys) + len(event.unlinked_api_keys.api_keys)
    if event.method == "CreateAllowList":
        raise CannotUndo("The list was created by its last change. Delete it to undo that.")
    if count > len(event.ranges):
        raise CannotUndo(
            f"Its last change was of {count:,} addresses and ranges, of which the audit log has {len(event.ranges):,}."
        )
    if linked > known:
        raise CannotUndo(
            f"Its last change was of {linked:,} API keys, of which the audit log has {known:,}."
        )
    if (
        not (count or linked or event.attributes)
        or not {change.attribute for change in event.attributes} <= _UNDONE
    ):
        raise CannotUndo("Its last change cannot be undone here.")
