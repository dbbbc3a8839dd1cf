"""The rules of Authorize in their order."""

import asyncio
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
from ipgate import cooperative
from ipgate.domain.addresses import parse_address, parse_range
from ipgate.domain.decision import Decision, NotCompiled, Reason, decide
from ipgate.domain.intervals import Intervals, compile_list


@dataclass
class Compiled:
    intervals: Intervals | None


@dataclass
class Key:
    disabled: bool = False
    expire_time: int | None = None
    lists: tuple[Compiled, ...] = ()
    report_only: bool = False


@dataclass
class Workspace:
    require_allow_list: bool = False
    default: Compiled | None = None
    default_report_only: bool = False


def a_list(name: str, *ranges: str) -> Compiled:
    return Compiled(
        asyncio.run(cooperative.run(compile_list(name, [parse_range(cidr) for cidr in ranges])))
    )


NOW = 1_000
INSIDE, OUTSIDE = parse_address("192.0.2.1"), parse_address("198.51.100.1")


def test_the_expiry_instant_itself_is_excluded() -> None:
    """A key is good until one nanosecond before its expiry and not at the instant."""
    assert decide(Key(expire_time=NOW), Workspace(), INSIDE, NOW).reason is Reason.KEY_EXPIRED
    assert decide(Key(expire_time=NOW + 1), Workspace(), INSIDE, NOW).allowed
    assert decide(Key(expire_time=0), Workspace(), INSIDE, NOW).reason is Reason.KEY_EXPIRED


def test_all_combinations_are_decided_by_the_first_rule_that_applies() -> None:
    """Every combination of key, workspace and address gets the verdict of a plain reading."""
    linked, default = a_list("l", "192.0.2.0/24"), a_list("d", "192.0.2.0/24")
    flags: Any = product(*([(False, True)] * 7), (INSIDE, OUTSIDE, None))
    for (
        disabled,
        expired,
        is_linked,
        reports,
        has_default,
        default_reports,
        required,
        address,
    ) in flags:
        key = Key(disabled, NOW if expired else None, (linked,) if is_linked else (), reports)
        workspace = Workspace(required, default if has_default else None, default_reports)
        if disabled:
            wanted = Reason.KEY_DISABLED
        elif expired:
            wanted = Reason.KEY_EXPIRED
        elif is_linked:
            inside = address == INSIDE
            wanted = Reason.LINKED_LIST_MATCH if inside else Reason.NOT_IN_LINKED_LISTS
        elif has_default:
            inside = address == INSIDE
            wanted = Reason.DEFAULT_LIST_MATCH if inside else Reason.NOT_IN_DEFAULT_LIST
        else:
            wanted = Reason.NO_ALLOW_LIST if required else Reason.UNRESTRICTED
        decision = decide(key, workspace, address, NOW)
        assert decision.reason is wanted
        allowing = {Reason.LINKED_LIST_MATCH, Reason.DEFAULT_LIST_MATCH, Reason.UNRESTRICTED}
        reported = (wanted is Reason.NOT_IN_LINKED_LISTS and reports) or (
            wanted is Reason.NOT_IN_DEFAULT_LIST and default_reports
        )
        assert decision.allowed == (wanted in allowing or reported)
        assert decision.report_only == reported


def test_a_match_names_list_and_range() -> None:
    """The narrowest range of all the lists is named, between equals with the first list."""
    lists = (a_list("z", "192.0.2.0/25"), a_list("a", "192.0.2.0/24"), a_list("m", "192.0.2.0/25"))
    wanted = Decision(True, Reason.LINKED_LIST_MATCH, "m", parse_range("192.0.2.0/25"))
    assert wanted == decide(Key(lists=lists), Workspace(), INSIDE, NOW)


def test_a_list_that_is_not_compiled_is_never_passed_over() -> None:
    """Deciding without a list that is missing fails instead of answering."""
    lists = (a_list("a", "192.0.2.0/24"), Compiled(None))
    with pytest.raises(NotCompiled):
        decide(Key(lists=lists), Workspace(), OUTSIDE, NOW)
