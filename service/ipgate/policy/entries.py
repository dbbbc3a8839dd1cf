"""API keys and workspaces in memory, as decisions use them.

Keys refer to their workspace and lists. Nothing refers back except weakly: `gc_untrack` depends on that.
"""

from collections.abc import Sequence

from ipgate.domain.facts import KeyFacts
from ipgate.domain.names import key_name
from ipgate.domain.shards import shard_of
from ipgate.gc_untrack import untrack
from ipgate.policy.compiled import (
    MAX_SEPARATE,
    CompiledList,
    CompiledRanges,
    ListPool,
    SearchPlan,
    UnplannedLists,
    as_plan,
)
from ipgate.policy.partitioned_dict import WeakPartitionedDict

KEY_BYTES = 320
"""Approximate memory of a key with its entries in dictionaries, without its name, its links to several lists,
and its lists. `make bench ARGS=scale` measures it."""

PREVIOUS_BYTES = 250
"""Of a previous credential: its digest, its end and an entry in a dictionary."""

TUPLE_BYTES, LINK_BYTES = 48, 8

WORKSPACE_BYTES = 400


class CachedWorkspace:
    """What the keys of a workspace share.

    `loaded`: `require_allow_list`, `default` and `default_report_only` are valid.
    """

    __slots__ = (
        "__weakref__",
        "_home",
        "default",
        "default_report_only",
        "id",
        "loaded",
        "pool",
        "require_allow_list",
        "shard",
    )

    def __init__(
        self, workspace: str, pool: ListPool, home: "WeakPartitionedDict[str, CachedWorkspace]"
    ) -> None:
        self.id = workspace
        self.shard = shard_of(workspace)
        self.loaded = False
        self.require_allow_list = True
        self.default: CompiledList | None = None
        self.default_report_only = False
        self.pool = pool
        self._home = home
        home.put(workspace, self)
        pool.account.bytes += WORKSPACE_BYTES
        untrack(self)

    def list(self, allow_list: str) -> CompiledList:
        """Return the list of that id, a new one if there is none."""
        return self.pool.list(self.id, allow_list)

    def __del__(self) -> None:
        self._home.remove(self.id, self)
        self.pool.account.bytes -= WORKSPACE_BYTES


class CachedKey:
    """An API key.

    `used`: asked for since the last eviction that looked at it.
    """

    __slots__ = (
        "digest",
        "disabled",
        "expire_time",
        "lists",
        "name",
        "previous",
        "report_only",
        "used",
        "workspace",
    )

    def __init__(self, workspace: CachedWorkspace, key: str, facts: KeyFacts) -> None:
        self.name = key_name(workspace.id, key)
        self.workspace = workspace
        self.digest = facts.digest
        self.disabled = facts.disabled
        self.expire_time = facts.expire_time
        self.report_only = facts.report_only
        self.previous = facts.previous
        lists = [workspace.list(allow_list) for allow_list in facts.lists]
        self.lists: SearchPlan = (
            as_plan(lists) if len(lists) <= MAX_SEPARATE else UnplannedLists(lists)
        )
        self.used = True
        untrack(self)
        if self.previous is not None:
            untrack(self.previous)

    def parts(self) -> Sequence[CompiledRanges]:
        """Return what must be compiled before the key can be decided."""
        if isinstance(self.lists, UnplannedLists):
            return self.lists.members
        return self.lists if isinstance(self.lists, tuple) else (self.lists,)

    def cost(self) -> int:
        """Return the approximate bytes that are held for this key alone."""
        count = 1 if isinstance(self.lists, CompiledRanges) else len(self.parts())
        links = TUPLE_BYTES + LINK_BYTES * count if count > 1 else 0
        previous = 0 if self.previous is None else PREVIOUS_BYTES
        return KEY_BYTES + len(self.name) + links + previous
