"""The keys that a worker holds in memory to decide from, and their workspaces.

Keys refer to their workspace and lists, and nothing refers back but weakly; `counting.py` says why
that must stay so.
"""

from collections.abc import Sequence

from ipgate.authorizer.counting import leave_to_counting
from ipgate.authorizer.held_lists import (
    APART,
    HeldIntervals,
    HeldList,
    Links,
    Searched,
    Stock,
    searched,
)
from ipgate.authorizer.tables import WeakTable
from ipgate.domain.names import key_name
from ipgate.store.keys import shard_of
from ipgate.store.rules import KeyFacts

KEY_BYTES = 320
"""Memory of a held key with its places in the tables, about, but for its name and the links to
several lists; lists are counted apart. `make bench ARGS=scale` measures it."""

TUPLE_BYTES, LINK_BYTES = 48, 8

WORKSPACE_BYTES = 400


class HeldWorkspace:
    """What the keys of a workspace share. `loaded`: `require_allow_list` and `default` are true."""

    __slots__ = (
        "__weakref__",
        "_home",
        "default",
        "id",
        "loaded",
        "require_allow_list",
        "shard",
        "stock",
    )

    def __init__(self, workspace: str, stock: Stock, home: "WeakTable[str, HeldWorkspace]") -> None:
        self.id = workspace
        self.shard = shard_of(workspace)
        self.loaded = False
        self.require_allow_list = True
        self.default: HeldList | None = None
        self.stock = stock
        self._home = home
        home.put(workspace, self)
        stock.ledger.bytes += WORKSPACE_BYTES
        leave_to_counting(self)

    def list(self, allow_list: str) -> HeldList:
        """The held list of that id, a new one if there is none."""
        return self.stock.list(self.id, allow_list)

    def __del__(self) -> None:
        self._home.forget(self.id, self)
        self.stock.ledger.bytes -= WORKSPACE_BYTES


class HeldKey:
    """An API key. `used`: it was asked for lately."""

    __slots__ = ("digest", "disabled", "expire_time", "lists", "name", "used", "workspace")

    def __init__(self, workspace: HeldWorkspace, key: str, facts: KeyFacts) -> None:
        self.name = key_name(workspace.id, key)
        self.workspace = workspace
        self.digest = facts.digest
        self.disabled = facts.disabled
        self.expire_time = facts.expire_time
        lists = [workspace.list(each) for each in facts.lists]
        self.lists: Searched = searched(lists) if len(lists) <= APART else Links(lists)
        self.used = True
        leave_to_counting(self)

    def parts(self) -> Sequence[HeldIntervals]:
        """What must be compiled to decide for the key."""
        if isinstance(self.lists, Links):
            return self.lists.members
        return self.lists if isinstance(self.lists, tuple) else (self.lists,)

    def cost(self) -> int:
        """Bytes that are held for this key alone, about."""
        count = 1 if isinstance(self.lists, HeldIntervals) else len(self.parts())
        links = TUPLE_BYTES + LINK_BYTES * count if count > 1 else 0
        return KEY_BYTES + len(self.name) + links
