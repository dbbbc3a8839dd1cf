"""The rules of Authorize in their order."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
from ipgate import cooperative
from ipgate.domain.addresses import parse_address, parse_range
from ipgate.domain.decision import Decision, NotCompiled, Reason, decide
from ipgate.domain.intervals import Intervals, compile_list
from ipgate.domain.validity import NEVER, Validity


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


def a_list(name: str, *ranges: str, **valid: Validity) -> Compiled:
    packed = [parse_range(cidr) for cidr in ranges]
    times = {packed[int(index[1:])]: validity for index, validity in valid.items()}
    return Compiled(asyncio.run(cooperative.run(compile_list(name, packed, times))))


NOW = 1_000


def at(now: int) -> Callable[[], int]:
    return lambda: now


CLOCK = at(NOW)
IPV6 = parse_address("2001:db8::1")
INSIDE, OUTSIDE = parse_address("192.0.2.1"), parse_address("198.51.100.1")


def test_the_expiry_instant_itself_is_excluded() -> None:
    """A key is good until one nanosecond before its expiry and not at the instant."""
    assert decide(Key(expire_time=NOW), Workspace(), INSIDE, CLOCK).reason is Reason.KEY_EXPIRED
    assert decide(Key(expire_time=NOW + 1), Workspace(), INSIDE, CLOCK).allowed
    assert decide(Key(expire_time=0), Workspace(), INSIDE, CLOCK).reason is Reason.KEY_EXPIRED


def test_all_combinations_are_decided_by_the_first_rule_that_applies() -> None:
    """Every combination of key, workspace and address gets the verdict of a plain reading."""
    linked, default = a_list("l", "192.0.2.0/24"), a_list("d", "192.0.2.0/24")
    flags: Any = product(*([(False, True)] * 7), (INSIDE, OUTSIDE, IPV6))
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
        decision = decide(key, workspace, address, CLOCK)
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
    assert wanted == decide(Key(lists=lists), Workspace(), INSIDE, CLOCK)


def test_a_list_that_is_not_compiled_is_never_passed_over() -> None:
    """Deciding without a list that is missing fails instead of answering."""
    lists = (a_list("a", "192.0.2.0/24"), Compiled(None))
    with pytest.raises(NotCompiled):
        decide(Key(lists=lists), Workspace(), OUTSIDE, CLOCK)


def test_a_range_counts_from_its_start_until_before_its_expiry() -> None:
    """Both boundaries are exact, to the nanosecond."""
    lists = (a_list("l", "192.0.2.0/24", _0=Validity(10, 20)),)
    allowed = [
        decide(Key(lists=lists), Workspace(), INSIDE, at(now)).allowed for now in (9, 10, 19, 20)
    ]
    assert allowed == [False, True, True, False]


def test_the_next_wider_range_decides_where_one_does_not_count() -> None:
    """Outwards, past others that do not count, to one that does."""
    lists = (
        a_list(
            "l",
            "192.0.0.0/16",
            "192.0.2.0/24",
            "192.0.2.0/28",
            "192.0.2.1",
            _1=NEVER,
            _2=Validity(5, 9),
            _3=NEVER,
        ),
    )
    ranges = [decide(Key(lists=lists), Workspace(), INSIDE, at(now)).range for now in (4, 5, 9)]
    assert ranges == [
        parse_range(cidr) for cidr in ("192.0.0.0/16", "192.0.2.0/28", "192.0.0.0/16")
    ]


def test_lists_that_take_turns_leave_no_gap() -> None:
    """All lists of a key are judged at one instant: the clock is read once."""
    ticking = iter(range(19, 30))
    lists = (
        a_list("b", "192.0.2.0/24", _0=Validity(20, 40)),
        a_list("a", "192.0.2.0/24", _0=Validity(0, 20)),
    )
    assert decide(Key(lists=lists), Workspace(), INSIDE, lambda: next(ticking)).allow_list == "a"


def test_the_clock_is_read_only_where_time_matters() -> None:
    """A decision without times costs no reading of the clock."""

    def clock() -> int:
        raise AssertionError("the clock was read")

    lists = (a_list("l", "192.0.2.0/24"), a_list("m", "2001:db8::/32"))
    for address, allowed in ((INSIDE, True), (IPV6, True), (OUTSIDE, False)):
        assert decide(Key(lists=lists), Workspace(), address, clock).allowed is allowed
