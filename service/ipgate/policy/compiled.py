"""Compiled allow lists and unions of them.

Each lives as long as a cached key refers to it.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from weakref import WeakSet

from ipgate.domain.intervals import Intervals
from ipgate.domain.list_patch import apply_patches, parse_patches
from ipgate.domain.names import list_name
from ipgate.gc_untrack import untrack
from ipgate.policy.partitioned_dict import WeakPartitionedDict

MAX_SEPARATE = 4
"""Up to this many lists of one kind are searched one after another; more are compiled into a union."""

LARGE_LIST = 1024
"""A list of more intervals than this is searched separately, so that no union copies it."""

MAX_UNION = 1 << 16
"""Intervals of the lists of one union, so that compiling it is short."""

LIST_BYTES = 360
"""Approximate memory of a list or union with its entries in dictionaries, its intervals not counted."""


class MemoryAccount:
    """Counts the bytes that cached keys share."""

    __slots__ = ("bytes",)

    def __init__(self) -> None:
        self.bytes = 0


class ListPool:
    """Finds the lists and unions in memory.

    `retired`: the cache was cleared, so all of them are stale.
    """

    __slots__ = ("account", "lists", "retired", "unions")

    def __init__(self, account: MemoryAccount) -> None:
        self.account = account
        self.lists: WeakPartitionedDict[str, CompiledList] = WeakPartitionedDict()
        self.unions: WeakPartitionedDict[tuple[int, ...], CompiledUnion] = WeakPartitionedDict()
        self.retired = False

    def list(self, workspace: str, allow_list: str) -> "CompiledList":
        """Return the list of that id, a new one if there is none."""
        name = list_name(workspace, allow_list)
        existing = self.lists.get(name)
        if existing is not None:
            return existing
        created = CompiledList(allow_list, name, self)
        self.lists.put(name, created)
        return created

    def union(self, members: Sequence["CompiledList"]) -> "CompiledUnion":
        """Return the union of those lists, a new one if there is none."""
        # The union refers to its members, so their identities stay taken as long as it lives.
        identity = tuple(id(member) for member in members)
        existing = self.unions.get(identity)
        if existing is not None:
            return existing
        created = CompiledUnion(members, self)
        self.unions.put(identity, created)
        return created


class CompiledRanges:
    """What is searched for an address.

    `intervals` is None until it is compiled.
    """

    __slots__ = ("__weakref__", "_pool", "intervals")

    def __init__(self, pool: ListPool) -> None:
        self.intervals: Intervals | None = None
        self._pool = pool
        pool.account.bytes += LIST_BYTES
        untrack(self)

    @property
    def stale(self) -> bool:
        """Whether no change reaches it any more: whoever refers to it must be loaded again."""
        return self._pool.retired

    def set(self, intervals: Intervals) -> None:
        """Replace the compiled form."""
        self.invalidate()
        self.intervals = intervals
        self._pool.account.bytes += intervals.size()
        untrack(
            intervals, intervals.starts, intervals.owners, intervals.starts6, intervals.conditional
        )
        if intervals.conditional is not None:
            untrack(intervals.conditional.ranges)

    def length(self) -> int:
        """Return the number of intervals, 0 before compilation."""
        return 0 if self.intervals is None else self.intervals.length()

    def invalidate(self) -> None:
        """Drop the compiled form; it is compiled again when it is needed."""
        if self.intervals is not None:
            self._pool.account.bytes -= self.intervals.size()
            self.intervals = None

    def __del__(self) -> None:
        self.invalidate()
        self._pool.account.bytes -= LIST_BYTES


class CompiledList(CompiledRanges):
    """One allow list.

    `shared`: several API keys are linked to it.
    """

    __slots__ = ("_deleted", "_unions", "id", "name", "shared")

    def __init__(self, allow_list: str, name: str, pool: ListPool) -> None:
        super().__init__(pool)
        self.id = allow_list
        self.name = name
        self.shared = False
        self._deleted = False
        self._unions: WeakSet[CompiledUnion] | None = None

    @property
    def stale(self) -> bool:
        """Also true of a deleted list, even if a new list has the same id."""
        return self._deleted or self._pool.retired

    def set(self, intervals: Intervals) -> None:
        """Replace the compiled form, except on a stale list: no change would reach it any more."""
        if not self.stale:
            super().set(intervals)

    def invalidate(self) -> None:
        """Drop the compiled form, and that of every union which contains the list."""
        for union in self._unions or ():
            union.invalidate()
        super().invalidate()

    def is_conditional(self) -> bool:
        """Return whether it has ranges that do not always count, as far as it is compiled."""
        return self.intervals is not None and self.intervals.conditional is not None

    def patch(self, ranges: str) -> None:
        """Apply a change of the ranges to the compiled form, or drop that form where it cannot be patched."""
        patched = None
        if self.intervals is not None and ranges:
            # A later version of ipgate may describe the change in other words.
            with suppress(ValueError):
                patched = apply_patches(self.intervals, parse_patches(ranges))
        if patched is None:
            self.invalidate()
        else:
            self.set(patched)

    def delete(self) -> None:
        """Make the list stale and free its name for a new one."""
        self.invalidate()
        self._deleted = True
        self._pool.lists.remove(self.name, self)

    def add_dependent(self, union: "CompiledUnion") -> None:
        """Let `union` be invalidated with this list."""
        if self._unions is None:
            self._unions = WeakSet()
        self._unions.add(union)

    def __del__(self) -> None:
        self._pool.lists.remove(self.name, self)
        super().__del__()


class CompiledUnion(CompiledRanges):
    """The union of several lists, shared by all keys that combine the same ones.

    None of them has ranges that do not always count: `find` could not tell of whom it has to walk outwards.
    """

    __slots__ = ("members",)

    def __init__(self, members: Sequence[CompiledList], pool: ListPool) -> None:
        super().__init__(pool)
        self.members = tuple(members)
        untrack(self.members)
        for member in members:
            member.add_dependent(self)

    @property
    def stale(self) -> bool:
        return any(member.stale or member.is_conditional() for member in self.members)

    def __del__(self) -> None:
        self._pool.unions.remove(tuple(id(member) for member in self.members), self)
        super().__del__()


class UnplannedLists:
    """The many lists of a key before `plan_search` has decided how to search them."""

    __slots__ = ("members",)
    intervals: Intervals | None = None

    def __init__(self, members: Iterable[CompiledList]) -> None:
        self.members = tuple(members)
        untrack(self, self.members)

    @property
    def stale(self) -> bool:
        return any(member.stale for member in self.members)


SearchPlan = CompiledRanges | UnplannedLists | tuple[CompiledRanges, ...]
"""What is searched for a key. A single list stands for itself: a tuple of one would take a sixth of the
memory of a key."""


def as_plan(parts: Sequence[CompiledRanges]) -> SearchPlan:
    """Return the plan that searches those parts one after another."""
    if len(parts) == 1:
        return parts[0]
    plan = tuple(parts)
    untrack(plan)
    return plan


def plan_search(lists: Sequence[CompiledList], pool: ListPool) -> SearchPlan:
    """Return a plan of few parts that covers all of the compiled `lists`.

    Large lists stay separate, and so do those with ranges that do not always count. Small lists that other keys
    use too go into other unions than the rest. So memory grows with the lists that exist, and not with the keys
    that combine them.
    """
    parts: list[CompiledRanges] = [allow_list for allow_list in lists if _is_separate(allow_list)]
    for shared in (True, False):
        members: list[CompiledList] = []
        size = 0
        for allow_list in lists:
            if _is_separate(allow_list) or allow_list.shared is not shared:
                continue
            if size + allow_list.length() > MAX_UNION:
                parts += _combined(members, pool)
                members, size = [], 0
            members.append(allow_list)
            size += allow_list.length()
        parts += _combined(members, pool)
    return as_plan(parts)


def _is_separate(allow_list: CompiledList) -> bool:
    return allow_list.length() > LARGE_LIST or allow_list.is_conditional()


def _combined(members: Sequence[CompiledList], pool: ListPool) -> Sequence[CompiledRanges]:
    return members if len(members) <= MAX_SEPARATE else [pool.union(members)]
