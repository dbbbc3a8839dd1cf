"""AdminService: ListAuditEvents."""

from collections.abc import Sequence
from dataclasses import dataclass

from ipgate import cooperative
from ipgate.admin.audit import AuditFilter, AuditLog
from ipgate.domain.audit import AuditEvent, RangeChange
from ipgate.domain.errors import NotFound
from ipgate.domain.intervals import Steps
from ipgate.domain.names import list_name, parse_workspace
from ipgate.domain.writing import Affected
from ipgate.rpc.call_info import CallInfo
from ipgate.rpc.convert import ALL_ROLES, range_out, time_in, time_out
from ipgate.rpc.paging import listing_name, page_size, page_token, parse_page_token
from ipgate.rpc.writing import attributes_out, effect_out, keys_out
from ipgate.v1 import admin_pb2 as admin

EVERYWHERE = "workspaces/-"
"""Stands for all workspaces."""


@dataclass(frozen=True, slots=True)
class AuditServicer:
    log: AuditLog

    async def ListAuditEvents(
        self, request: admin.ListAuditEventsRequest, info: CallInfo
    ) -> admin.ListAuditEventsResponse:
        everywhere = request.parent == EVERYWHERE
        start_time = time_in("request", request, "start_time")
        if everywhere and info.caller.workspace:
            raise NotFound(request.parent)
        workspace = "" if everywhere else parse_workspace("parent", request.parent)
        if info.caller.workspace:
            # Another tenant may have had the id before.
            start_time = max(start_time or 0, await self.log.begin_of(workspace))
        wanted = AuditFilter(
            workspace=workspace,
            resource=request.resource,
            actor=f"<{request.actor}>" if request.actor in _OURSELVES else request.actor,
            method=request.method,
            start_time=start_time,
            end_time=time_in("request", request, "end_time"),
        )
        listing = listing_name(
            "audit", request.parent, request.resource, request.actor, request.method,
            request.start_time, wanted.end_time,
        )  # fmt: skip
        page = await self.log.page(
            wanted, parse_page_token(listing, request.page_token), page_size(request.page_size)
        )
        return admin.ListAuditEventsResponse(
            events=await cooperative.run(_events_out(page.items)),
            next_page_token=page_token(listing, page.next_after),
        )


_OURSELVES = ("root", "maintenance")
"""Actors that are no access token; no token has these ids."""


def _events_out(events: Sequence[AuditEvent]) -> Steps[list[admin.AuditEvent]]:
    messages = []
    for event in events:
        messages.append(_event_out(event))
        yield
    return messages


def _event_out(event: AuditEvent) -> admin.AuditEvent:
    parts = event.resource.split("/")
    workspace = parts[1] if parts[0] == "workspaces" else ""
    return admin.AuditEvent(
        time=time_out(event.time),
        actor=event.actor.strip("<>"),
        role=ALL_ROLES[event.role],
        peer=event.peer,
        request_id=event.request_id,
        method=event.method,
        resource=event.resource,
        revision=event.revision,
        denied_count=event.denied,
        attributes=attributes_out(event.attributes),
        effect=effect_out(event.effect, workspace),
        ranges=map(_range_change_out, event.ranges),
        linked_api_keys=keys_out(event.linked, workspace),
        unlinked_api_keys=keys_out(event.unlinked, workspace),
        allow_lists_added=_lists_out(event.lists_added, workspace),
        allow_lists_removed=_lists_out(event.lists_removed, workspace),
    )


def _range_change_out(change: RangeChange) -> admin.RangeChange:
    before, after = change
    return admin.RangeChange(
        before=range_out(before) if before else None, after=range_out(after) if after else None
    )


def _lists_out(affected: Affected, workspace: str) -> admin.AffectedAllowLists | None:
    names = [list_name(workspace, allow_list) for allow_list in affected.names]
    return admin.AffectedAllowLists(count=affected.count, allow_lists=names) if names else None
