"""The entries that a worker holds in memory to decide from."""

from collections.abc import Sequence
from weakref import WeakSet, WeakValueDictionary

from ipgate.domain.decision import Compiled
from ipgate.domain.intervals import Intervals
from ipgate.domain.names import key_name, list_name
from ipgate.store.feed import Change
from ipgate.store.keys import shard_of
from ipgate.store.rules import KeyFacts

APART = 4
"""Up to this many lists of one kind are searched one by one; more are compiled into a union."""

LARGE = 1024
"""A list of more intervals than this is large: it is searched by itself, and no union copies it."""

UNION = 1 << 16
"""A union is made of lists of about this many intervals together, so that compiling one is short."""

KEY_BYTES = 900
"""Memory of a held key with its place in the tables, about; its lists are counted apart."""

LINK_BYTES = 8


class Ledger:
    """Counts the bytes that compiled lists hold."""

    def __init__(self) -> None:
        self.bytes = 0


class HeldIntervals:
    """Something compiled, or to be compiled when it is next needed (`intervals` is None)."""

    __slots__ = ("__weakref__", "_ledger", "intervals")

    def __init__(self, ledger: Ledger) -> None:
        self.intervals: Intervals | None = None
        self._ledger = ledger

    def hold(self, intervals: Intervals) -> None:
        self.forget()
        self.intervals = intervals
        self._ledger.bytes += intervals.size()

    def length(self) -> int:
        """How many intervals are held."""
        return 0 if self.intervals is None else len(self.intervals.starts)

    def forget(self) -> None:
        if self.intervals is not None:
            self._ledger.bytes -= self.intervals.size()
            self.intervals = None

    def __del__(self) -> None:
        if self.intervals is not None:
            self._ledger.bytes -= self.intervals.size()


class HeldList(HeldIntervals):
    """A list that held keys refer to. `dead`: it was deleted; whoever refers to it must be loaded
    again, even if there is a new list of the same id. `shared`: several keys are linked to it."""

    __slots__ = ("dead", "id", "name", "shared", "unions")

    def __init__(self, workspace: str, allow_list: str, ledger: Ledger) -> None:
        super().__init__(ledger)
        self.id = allow_list
        self.name = list_name(workspace, allow_list)
        self.dead = False
        self.shared = False
        self.unions: WeakSet[HeldUnion] = WeakSet()

    def hold(self, intervals: Intervals) -> None:
        """A dead list holds nothing any more: no change would reach it."""
        if not self.dead:
            super().hold(intervals)

    def forget(self) -> None:
        """Must be compiled anew, and so must every union that it is in."""
        for union in self.unions:
            union.forget()
        super().forget()


class HeldUnion(HeldIntervals):
    """The union of several lists, shared by all keys that combine the same ones."""

    __slots__ = ("members",)

    def __init__(self, members: Sequence[HeldList], ledger: Ledger) -> None:
        super().__init__(ledger)
        self.members = tuple(members)
        for member in members:
            member.unions.add(self)


class HeldWorkspace:
    """What the keys of a workspace share. `loaded`: `require_allow_list` and `default` are true."""

    __slots__ = (
        "__weakref__",
        "_ledger",
        "_unions",
        "default",
        "id",
        "lists",
        "loaded",
        "require_allow_list",
        "shard",
    )

    def __init__(self, workspace: str, ledger: Ledger) -> None:
        self.id = workspace
        self.shard = shard_of(workspace)
        self.loaded = False
        self.require_allow_list = True
        self.default: HeldList | None = None
        self.lists: WeakValueDictionary[str, HeldList] = WeakValueDictionary()
        self._unions: WeakValueDictionary[tuple[int, ...], HeldUnion] = WeakValueDictionary()
        self._ledger = ledger

    def list(self, allow_list: str) -> HeldList:
        """The held list of that id, a new one if there is none."""
        held = self.lists.get(allow_list)
        if held is None:
            held = self.lists[allow_list] = HeldList(self.id, allow_list, self._ledger)
        return held

    def apply(self, change: Change) -> None:
        """Forgets what a change of the workspace or of one of its lists touches."""
        if change.kind in ("workspace", "list_deleted"):
            self.loaded = False
        held = self.lists.get(change.ids[0]) if change.ids else None
        if held is None or change.kind == "list_text":
            return
        held.forget()
        if change.kind == "list_deleted":
            held.dead = True
            del self.lists[held.id]

    def group(self, lists: Sequence[HeldList]) -> tuple[HeldIntervals, ...]:
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
                    parts += self._bundled(bundle)
                    bundle, size = [], 0
                bundle.append(each)
                size += each.length()
            parts += self._bundled(bundle)
        return tuple(parts)

    def _bundled(self, members: Sequence[HeldList]) -> Sequence[HeldIntervals]:
        return members if len(members) <= APART else [self._union(members)]

    def _union(self, members: Sequence[HeldList]) -> HeldUnion:
        # The union refers to its members, so their identities stay taken as long as it lives.
        identity = tuple(id(member) for member in members)
        union = self._unions.get(identity)
        if union is None:
            union = self._unions[identity] = HeldUnion(members, self._ledger)
        return union


class HeldKey:
    """An API key. `lists`: what is searched; until `grouped`, simply all linked lists."""

    __slots__ = (
        "cost",
        "digest",
        "disabled",
        "expire_time",
        "grouped",
        "lists",
        "name",
        "used",
        "workspace",
    )

    def __init__(self, workspace: HeldWorkspace, key: str, facts: KeyFacts) -> None:
        self.name = key_name(workspace.id, key)
        self.workspace = workspace
        self.digest = bytes.fromhex(facts.digest)
        self.disabled = facts.disabled
        self.expire_time = facts.expire_time
        self.lists: tuple[Compiled, ...] = tuple(workspace.list(each) for each in facts.lists)
        self.grouped = len(self.lists) <= APART
        self.cost = KEY_BYTES + LINK_BYTES * len(self.lists)
        self.used = True
