"""The rules of `Authorize` in their order (docs/rules.md); the first that applies decides."""

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, Protocol

from ipgate.domain.addresses import range_holding
from ipgate.domain.intervals import Intervals


class Reason(Enum):
    """Which rule decided."""

    NO_CLIENT_ADDRESS = "NO_CLIENT_ADDRESS"
    KEY_UNKNOWN = "KEY_UNKNOWN"
    KEY_DISABLED = "KEY_DISABLED"
    KEY_EXPIRED = "KEY_EXPIRED"
    LINKED_LIST_MATCH = "LINKED_LIST_MATCH"
    NOT_IN_LINKED_LISTS = "NOT_IN_LINKED_LISTS"
    DEFAULT_LIST_MATCH = "DEFAULT_LIST_MATCH"
    NOT_IN_DEFAULT_LIST = "NOT_IN_DEFAULT_LIST"
    NO_ALLOW_LIST = "NO_ALLOW_LIST"
    UNRESTRICTED = "UNRESTRICTED"

    # There is one object for each member; hashing it by its name would run Python code.
    __hash__ = object.__hash__


class Decision(NamedTuple):
    """A verdict.

    `allow_list` (resource name) and `range` (packed) are given when a list matched. `report_only`: the address
    would be denied for `reason`, and is allowed because that is only reported.
    """

    allowed: bool
    reason: Reason
    allow_list: str = ""
    range: int | None = None
    report_only: bool = False


class Compiled(Protocol):
    """A list, or the union of several, ready to be searched."""

    @property
    def intervals(self) -> Intervals | None: ...


Lists = Compiled | tuple[Compiled, ...]
"""One thing to search, or any number of them."""


class KeyRules(Protocol):
    """The part of a policy that concerns the API key alone.

    `expire_time`: ns since 1970, None for never. `lists`: () if it is linked to none. `report_only`: its lists
    deny nothing.
    """

    @property
    def disabled(self) -> bool: ...
    @property
    def expire_time(self) -> int | None: ...
    @property
    def report_only(self) -> bool: ...
    @property
    def lists(self) -> Lists: ...


class WorkspaceRules(Protocol):
    """What decides about the keys that are linked to no list.

    `default` is None when off. `default_report_only`: it denies nothing.
    """

    @property
    def require_allow_list(self) -> bool: ...
    @property
    def default(self) -> Compiled | None: ...
    @property
    def default_report_only(self) -> bool: ...


class NotCompiled(Exception):
    """A list must be compiled before it can be decided."""


# Bound once: to look up a member of an enumeration takes as long as to search a list.
_LINKED_LIST_MATCH = Reason.LINKED_LIST_MATCH
_DEFAULT_LIST_MATCH = Reason.DEFAULT_LIST_MATCH

_tuple = tuple.__new__

NO_CLIENT_ADDRESS = Decision(False, Reason.NO_CLIENT_ADDRESS)
KEY_UNKNOWN = Decision(False, Reason.KEY_UNKNOWN)
_KEY_DISABLED = Decision(False, Reason.KEY_DISABLED)
_KEY_EXPIRED = Decision(False, Reason.KEY_EXPIRED)
_NOT_IN_LINKED_LISTS = Decision(False, Reason.NOT_IN_LINKED_LISTS)
_NOT_IN_DEFAULT_LIST = Decision(False, Reason.NOT_IN_DEFAULT_LIST)
_NOT_IN_LINKED_LISTS_REPORTED = Decision(True, Reason.NOT_IN_LINKED_LISTS, report_only=True)
_NOT_IN_DEFAULT_LIST_REPORTED = Decision(True, Reason.NOT_IN_DEFAULT_LIST, report_only=True)
_NO_ALLOW_LIST = Decision(False, Reason.NO_ALLOW_LIST)
_UNRESTRICTED = Decision(True, Reason.UNRESTRICTED)


def decide(
    key: KeyRules, workspace: WorkspaceRules, address: int, clock: Callable[[], int]
) -> Decision:
    """Rules 2 to 5 for a known key.

    `address` as `parse_address` gives it. `clock` gives ns since 1970, and is asked once at most: only where the
    time matters.

    Raises: NotCompiled if that is so of a list that the rules come to.
    """
    now = None
    if key.disabled:
        return _KEY_DISABLED
    if key.expire_time is not None:
        now = clock()
        if now >= key.expire_time:
            return _KEY_EXPIRED
    if key.lists:
        match = _search(key.lists, address, _LINKED_LIST_MATCH, now, clock)
        if match is not None:
            return match
        return _NOT_IN_LINKED_LISTS_REPORTED if key.report_only else _NOT_IN_LINKED_LISTS
    if workspace.default is not None:
        match = _search(workspace.default, address, _DEFAULT_LIST_MATCH, now, clock)
        if match is not None:
            return match
        return (
            _NOT_IN_DEFAULT_LIST_REPORTED if workspace.default_report_only else _NOT_IN_DEFAULT_LIST
        )
    return _NO_ALLOW_LIST if workspace.require_allow_list else _UNRESTRICTED


def _search(
    lists: Lists, address: int, match: Reason, now: int | None, clock: Callable[[], int]
) -> Decision | None:
    """Return a match in the lists: the most specific range, between equals the list that sorts first."""
    if isinstance(lists, tuple):
        hit = _best(lists, address, now, clock)
    else:
        intervals = lists.intervals
        if intervals is None:
            raise NotCompiled
        if intervals.conditional is None:
            hit = intervals.find(address)
        else:
            hit = intervals.find_at(address, clock() if now is None else now)
    if hit is None:
        return None
    length, name = hit
    # As Decision(…), in half the time.
    return _tuple(Decision, (True, match, name, range_holding(address, length), False))


def _best(
    lists: tuple[Compiled, ...], address: int, now: int | None, clock: Callable[[], int]
) -> tuple[int, str] | None:
    best: tuple[int, str] | None = None
    for compiled in lists:
        intervals = compiled.intervals
        if intervals is None:
            raise NotCompiled
        if intervals.conditional is None:
            hit = intervals.find(address)
        else:
            now = clock() if now is None else now
            hit = intervals.find_at(address, now)
        if hit and (best is None or (-hit[0], hit[1]) < (-best[0], best[1])):
            best = hit
    return best
