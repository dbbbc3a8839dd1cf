"""The compiled lists that a worker holds in memory: each as long as a held key refers to it."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from weakref import WeakSet

from ipgate.authorizer.counting import leave_to_counting
from ipgate.authorizer.tables import WeakTable
from ipgate.domain.amending import amended, parse_amendments
from ipgate.domain.intervals import Intervals
from ipgate.domain.names import list_name

APART = 4
"""Up to this many lists of one kind are searched one by one; more are compiled into a union."""

LARGE = 1024
"""A list of more intervals than this is large: it is searched by itself, and no union copies it."""

UNION = 1 << 16
"""A union is made of lists of about this many intervals together, so that compiling one is short."""

LIST_BYTES = 360
"""Memory of a held list or union with its place in the tables, about; what is compiled is counted
apart."""


class Ledger:
    """Counts the bytes of what keys share."""

    __slots__ = ("bytes",)

    def __init__(self) -> None:
        self.bytes = 0


class Stock:
    """Where held lists and unions are found. `over`: all of them may be untrue, and are dead."""

    __slots__ = ("ledger", "lists", "over", "unions")

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.lists: WeakTable[str, HeldList] = WeakTable()
        self.unions: WeakTable[tuple[int, ...], HeldUnion] = WeakTable()
        self.over = False

    def list(self, workspace: str, allow_list: str) -> "HeldList":
        """The held list of that id, a new one if there is none."""
        name = list_name(workspace, allow_list)
        held = self.lists.get(name)
        if held is None:
            held = HeldList(allow_list, name, self)
            self.lists.put(name, held)
        return held

    def union(self, members: Sequence["HeldList"]) -> "HeldUnion":
        # The union refers to its members, so their identities stay taken as long as it lives.
        identity = tuple(id(member) for member in members)
        held = self.unions.get(identity)
        if held is None:
            held = HeldUnion(members, self)
            self.unions.put(identity, held)
        return held


class HeldIntervals:
    """Something compiled, or to be compiled when it is next needed (`intervals` is None)."""

    __slots__ = ("__weakref__", "_stock", "intervals")

    def __init__(self, stock: Stock) -> None:
        self.intervals: Intervals | None = None
        self._stock = stock
        stock.ledger.bytes += LIST_BYTES
        leave_to_counting(self)

    @property
    def dead(self) -> bool:
        """Whether it is of the past: whoever refers to it must be loaded again."""
        return self._stock.over

    def hold(self, intervals: Intervals) -> None:
        self.forget()
        self.intervals = intervals
        self._stock.ledger.bytes += intervals.size()
        leave_to_counting(intervals, intervals.starts, intervals.owners)

    def length(self) -> int:
        """How many intervals are held."""
        return 0 if self.intervals is None else len(self.intervals.starts)

    def forget(self) -> None:
        if self.intervals is not None:
            self._stock.ledger.bytes -= self.intervals.size()
            self.intervals = None

    def __del__(self) -> None:
        self.forget()
        self._stock.ledger.bytes -= LIST_BYTES


class HeldList(HeldIntervals):
    """A list that held keys refer to. `shared`: several keys are linked to it."""

    __slots__ = ("_deleted", "_unions", "id", "name", "shared")

    def __init__(self, allow_list: str, name: str, stock: Stock) -> None:
        super().__init__(stock)
        self.id = allow_list
        self.name = name
        self.shared = False
        self._deleted = False
        self._unions: WeakSet[HeldUnion] | None = None

    @property
    def dead(self) -> bool:
        """Also if it was deleted, and even if there is a new list of the same id."""
        return self._deleted or self._stock.over

    def hold(self, intervals: Intervals) -> None:
        """A dead list holds nothing any more: no change would reach it."""
        if not self.dead:
            super().hold(intervals)

    def forget(self) -> None:
        """Must be compiled anew, and so must every union that it is in."""
        for union in self._unions or ():
            union.forget()
        super().forget()

    def amend(self, ranges: str) -> None:
        """Brings it up to date with a change of its ranges, if it can; else it must be compiled anew."""
        changed = None
        if self.intervals is not None and ranges:
            # A later version of ipgate may tell it in other words.
            with suppress(ValueError):
                changed = amended(self.intervals, parse_amendments(ranges))
        if changed is None:
            self.forget()
        else:
            self.hold(changed)

    def delete(self) -> None:
        self.forget()
        self._deleted = True
        self._stock.lists.forget(self.name, self)

    def join(self, union: "HeldUnion") -> None:
        if self._unions is None:
            self._unions = WeakSet()
        self._unions.add(union)

    def __del__(self) -> None:
        self._stock.lists.forget(self.name, self)
        super().__del__()


class HeldUnion(HeldIntervals):
    """The union of several lists, shared by all keys that combine the same ones."""

    __slots__ = ("members",)

    def __init__(self, members: Sequence[HeldList], stock: Stock) -> None:
        super().__init__(stock)
        self.members = tuple(members)
        leave_to_counting(self.members)
        for member in members:
            member.join(self)

    @property
    def dead(self) -> bool:
        return any(member.dead for member in self.members)

    def __del__(self) -> None:
        self._stock.unions.forget(tuple(id(member) for member in self.members), self)
        super().__del__()


class Links:
    """The many lists of a key, of which it must be made out yet how they are best searched."""

    __slots__ = ("members",)
    intervals: Intervals | None = None

    def __init__(self, members: Iterable[HeldList]) -> None:
        self.members = tuple(members)
        leave_to_counting(self, self.members)

    @property
    def dead(self) -> bool:
        return any(member.dead for member in self.members)


Part = HeldIntervals | Links
Searched = Part | tuple[HeldIntervals, ...]
"""What is searched for a key. One thing stands for itself: a tuple of it for each key would take a
sixth of the key's memory."""


def searched(parts: Sequence[HeldIntervals]) -> Searched:
    if len(parts) == 1:
        return parts[0]
    found = tuple(parts)
    leave_to_counting(found)
    return found


def group(lists: Sequence[HeldList], stock: Stock) -> Searched:
    """What to search for the union of compiled lists: few things, shared where they can be.

    Large lists stay by themselves. Small ones that other keys use too, and the rest, are put
    into unions apart from each other, so that memory grows with the lists there are and not
    with the keys that combine them.
    """
    parts: list[HeldIntervals] = [each for each in lists if each.length() > LARGE]
    for shared in (True, False):
        bundle: list[HeldList] = []
        size = 0
        for each in lists:
            if each.length() > LARGE or each.shared is not shared:
                continue
            if size + each.length() > UNION:
                parts += _bundled(bundle, stock)
                bundle, size = [], 0
            bundle.append(each)
            size += each.length()
        parts += _bundled(bundle, stock)
    return searched(parts)


def _bundled(members: Sequence[HeldList], stock: Stock) -> Sequence[HeldIntervals]:
    return members if len(members) <= APART else [stock.union(members)]
