"""What a change did, or would do, in words."""

import json as jsonlib
from collections.abc import Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict

from ipgate.cli.output import print_json, resource_id, visible
from ipgate.v1 import resources_pb2 as resources

_NAMED = 10


def print_change(answer: Any, what: str, *, dry_run: bool, json: bool) -> None:
    """Print the response to a change: as JSON, or `what` was done and its effect."""
    if json:
        print_json(answer)
        return
    ranges = range_counts(answer.effect)
    if dry_run:
        print(visible(f"dry run, nothing changed: {ranges or f'would have {what}'}"))
    else:
        print(visible(f"{what}: {ranges}" if ranges else what))
    print_effect(answer.effect, dry_run=dry_run)


def range_counts(effect: Any) -> str:
    """Return how many ranges come and go, in a few characters; "" for none."""
    added, removed = effect.ranges_added.count, effect.ranges_removed.count
    changed = effect.ranges_changed.count
    counts = [f"+{added}"] * bool(added) + [f"\N{MINUS SIGN}{removed}"] * bool(removed)
    counts += [f"{changed} changed"] * bool(changed)
    return f"{' '.join(counts)} range{'s' * (added + removed + changed != 1)}" if counts else ""


def attribute_text(change: Any) -> str:
    """Return an attribute with its values before and after, in a few words."""
    before, after = (
        jsonlib.dumps(MessageToDict(getattr(change, side)), ensure_ascii=False)
        if change.HasField(side)
        else "none"
        for side in ("before", "after")
    )
    return f"{change.attribute}: {before} -> {after}"


def print_effect(effect: Any, *, dry_run: bool) -> None:
    """Print a line for each attribute that changes, for changed ranges, and for each way in which API keys are affected."""
    for change in effect.attributes:
        print(visible(attribute_text(change)))
    changed = effect.ranges_changed
    if changed.count:
        verb = "would change" if dry_run else "changed"
        print(visible(f"{verb}: {listed(changed.ranges, changed.count)}"))
    loosened = effect.ranges_loosened
    if loosened.count:
        verb = "would lose" if dry_run else "lost"
        names = listed(loosened.ranges, loosened.count)
        print(visible(f"{verb} an expiry or an off switch: {names}"))
    become = "would become" if dry_run else "became"
    lose = "would lose" if dry_run else "lost"
    for affected, text in (
        (effect.unlinked_api_keys, f"{lose} the last allow list"),
        (effect.unrestricted_api_keys, f"{become} usable from every address"),
        (effect.closed_api_keys, f"{become} denied from every address"),
    ):
        if affected.count:
            names = listed([resource_id(name) for name in affected.api_keys], affected.count)
            print(visible(f"{counted(affected.count)} {text}: {names}"))
    access = _UNLINKED.get(effect.unlinked_access)
    if access:
        print(f"every API key without an allow list {become} {access}")


def counted(keys: int) -> str:
    return f"{keys} API key{'s' * (keys != 1)}"


def listed(names: Sequence[str], count: int) -> str:
    """Return the first of `count` names, and how many more there are."""
    shown = ", ".join(names[:_NAMED])
    more = count - min(len(names), _NAMED)
    return f"{shown} and {more} more" if more else shown


_UNLINKED = {
    resources.ApiKey.ACCESS_DEFAULT: "subject to the default allow list",
    resources.ApiKey.ACCESS_UNRESTRICTED: "usable from every address",
    resources.ApiKey.ACCESS_CLOSED: "denied from every address",
}
