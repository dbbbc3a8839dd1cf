"""`ipgate audit`."""

import json as jsonlib
import time as clock
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from ipgate.cli.effects import attribute_text, listed
from ipgate.cli.options import connection, instant
from ipgate.cli.output import resource_id, to_dict, visible
from ipgate.domain.names import workspace_name
from ipgate.v1 import admin_pb2 as admin

_POLL = 1.0
"""Seconds between two looks for new events."""


def audit(
    context: typer.Context,
    workspace: Annotated[
        str,
        typer.Option(
            "--workspace",
            "-w",
            envvar="IPGATE_WORKSPACE",
            help="Id of the workspace; all if empty.",
        ),
    ] = "",
    resource: Annotated[
        str, typer.Option(help="Only events about the resource of this name.")
    ] = "",
    actor: Annotated[str, typer.Option(help="Only events of this access token, or of root.")] = "",
    method: Annotated[str, typer.Option(help="Only events of this method, as in AddRanges.")] = "",
    since: Annotated[str | None, typer.Option(help="Day or instant of the first event.")] = None,
    limit: Annotated[int, typer.Option(help="At most this many events, the latest.", min=1)] = 100,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with new events.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, one event a line.")] = False,
) -> None:
    """Show who changed what, and which calls were denied; the latest event comes last.

    Example: ipgate audit -w acme --resource workspaces/acme/allowLists/office
    """
    request = admin.ListAuditEventsRequest(
        parent=workspace_name(workspace) if workspace else "workspaces/-",
        resource=resource,
        actor=actor,
        method=method,
    )
    if since is not None:
        request.start_time.CopyFrom(instant(since, "--since"))
    events = list(_latest(context, request, limit))
    show = _print_json if json else _print
    for event in reversed(events):
        show(event)
    seen = events[0] if events else None
    while follow:
        clock.sleep(_POLL)
        new = []
        if seen is not None:
            request.start_time.CopyFrom(seen.time)
        for event in _latest(context, request, 10_000):
            if seen is not None and event == seen:
                break
            new.append(event)
        for event in reversed(new):
            show(event)
        seen = new[0] if new else seen


def _latest(
    context: typer.Context, request: admin.ListAuditEventsRequest, limit: int
) -> Iterator[Any]:
    """Yield up to so many events, the latest first."""
    page = admin.ListAuditEventsRequest()
    page.CopyFrom(request)
    for index, event in enumerate(connection(context).pages("ListAuditEvents", page, "events")):
        if index == limit:
            return
        yield event


def _print_json(event: admin.AuditEvent) -> None:
    print(visible(jsonlib.dumps(to_dict(event), ensure_ascii=False)), flush=True)


def _print(event: admin.AuditEvent) -> None:
    """Print an event in a line, and a line for each thing that it did."""
    when = event.time.ToJsonString()
    what = event.resource or f"denied {event.denied_count} times"
    where = f" from {event.peer}" if event.peer else ""
    print(visible(f"{when} {event.actor} {event.method} {what}{where}"))
    for change in event.attributes:
        print(visible(f"  {attribute_text(change)}"))
    for range_ in event.ranges:
        before, after = (_range(range_, side) for side in ("before", "after"))
        print(visible(f"  {before} -> {after}"))
    effect = event.effect
    total = sum(
        affected.count
        for affected in (effect.ranges_added, effect.ranges_removed, effect.ranges_changed)
    )
    if total > len(event.ranges):
        print(f"  and {total - len(event.ranges)} more ranges")
    for verb, names, count in (
        ("linked", event.linked_api_keys.api_keys, event.linked_api_keys.count),
        ("unlinked", event.unlinked_api_keys.api_keys, event.unlinked_api_keys.count),
        ("linked to", event.allow_lists_added.allow_lists, event.allow_lists_added.count),
        ("unlinked from", event.allow_lists_removed.allow_lists, event.allow_lists_removed.count),
    ):
        if count:
            print(visible(f"  {verb} {listed([resource_id(name) for name in names], count)}"))


def _range(change: admin.RangeChange, side: str) -> str:
    """Return a range with its attributes in a few characters."""
    if not change.HasField(side):
        return "none"
    range_ = getattr(change, side)
    parts = [range_.cidr]
    if range_.HasField("start_time"):
        parts.append(f"from {range_.start_time.ToJsonString()}")
    if range_.HasField("expire_time"):
        parts.append(f"until {range_.expire_time.ToJsonString()}")
    parts += ["disabled"] if range_.disabled else []
    parts += [f'"{range_.note}"'] if range_.note else []
    return " ".join(parts)
