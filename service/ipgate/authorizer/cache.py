"""The policy cache of a worker.

The invariant that makes it right: whatever is held and complete is true as of the change that the
follower applied last in its shard. So a decision made without a pause from what is held is the
decision of one point in history. Entries enter through `loading.py`, which sees to that; changes
reach them through `apply`.
"""

from itertools import count
from typing import TypeVar

from ipgate.authorizer.held import HeldKey, HeldWorkspace
from ipgate.authorizer.held_lists import Ledger, Searched, Stock
from ipgate.authorizer.tables import Table, WeakTable
from ipgate.domain.intervals import Steps
from ipgate.domain.names import key_name, list_name
from ipgate.store.feed import Change
from ipgate.store.rules import KeyFacts, TokenFacts

MAX_UNKNOWN = 20_000
"""Credentials and names known to be unknown that are remembered, some 200 bytes each."""

MAX_TOKENS = 20_000
"""Access tokens remembered, and as many that are known to be unknown."""

CHANCES = 64
"""Keys that are passed over in one eviction because they were used lately: bounds its time."""

AT_ONCE = 256
"""Keys that are evicted without a pause: less than a millisecond."""

REMAINS = 32
"""Forgotten keys that are taken apart at once: each key that is held makes room for many."""

K = TypeVar("K")
V = TypeVar("V")


class PolicyCache:
    """Keys by name and by credential digest, what they share, and what is known to be unknown.

    `max_bytes` bounds the keys with their lists. A key that was not asked for lately goes first.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._ledger = Ledger()
        self._key_bytes = 0
        self._remains: list[tuple[Table[str, HeldKey], Table[bytes, HeldKey]]] = []
        self._begin()

    def _begin(self) -> None:
        self.keys: Table[str, HeldKey] = Table()
        self.digests: Table[bytes, HeldKey] = Table()
        self.unknown: dict[str | bytes, None] = {}
        self.tokens: dict[bytes, TokenFacts] = {}
        self.unknown_tokens: dict[bytes, None] = {}
        self.workspaces: WeakTable[str, HeldWorkspace] = WeakTable()
        self._stock = Stock(self._ledger)

    def size(self) -> int:
        """Bytes held by keys and compiled lists, about."""
        return self._key_bytes + self._ledger.bytes

    def workspace(self, workspace: str) -> HeldWorkspace:
        """The held workspace of that id, a new one if there is none."""
        held = self.workspaces.get(workspace)
        return held or HeldWorkspace(workspace, self._stock, self.workspaces)

    def add_key(self, workspace: str, key: str, facts: KeyFacts) -> HeldKey:
        """Holds a key, making room for it."""
        self.drop_key(key_name(workspace, key))
        held = HeldKey(self.workspace(workspace), key, facts)
        self.keys.put(held.name, held)
        self._key_bytes += held.cost()
        self._take_apart()
        # More than it takes itself, so that a bound that is passed is reached again.
        next(self.make_room(held), None)
        return held

    def group(self, held: HeldKey, lists: Searched) -> None:
        """Lets a key be decided by `lists`, which stand for those that it had."""
        before = held.cost()
        held.lists = lists
        if self.keys.get(held.name) is held:
            self._key_bytes += held.cost() - before

    def add_credential(self, digest: bytes, key: str) -> bool:
        """Lets a credential that is no damaged one find the held key of that name. False if no
        such key is held, or if the credential is not its own."""
        held = self.keys.get(key)
        if held is None or held.digest != digest:
            return False
        self.digests.put(held.digest, held)  # not the caller's copy of it
        return True

    def add_unknown(self, subject: str | bytes) -> None:
        """Remembers a name or a digest as unknown, in the place of the oldest such if need be."""
        _remember(self.unknown, subject, None, MAX_UNKNOWN)

    def add_token(self, digest: bytes, token: TokenFacts | None) -> None:
        """Remembers an access token, or that there is none."""
        if token is None:
            _remember(self.unknown_tokens, digest, None, MAX_TOKENS)
        else:
            _remember(self.tokens, digest, token, MAX_TOKENS)

    def drop_key(self, name: str) -> None:
        """Forgets a key; it is loaded again when it is asked for."""
        held = self.keys.pop(name)
        if held is not None:
            self.digests.pop(held.digest)
            self._key_bytes -= held.cost()

    def is_full(self) -> bool:
        return self.size() > self._max_bytes

    def make_room(self, keep: HeldKey) -> Steps[None]:
        """Evicts keys, but for `keep`, until the bound holds: the oldest of a part of the table, then
        of the next part, with a second chance for those that were used since their last turn."""
        chances = CHANCES
        for turn in count(1):
            if not self.is_full():
                return
            if self._remains:
                self._take_apart()
            elif len(self.keys) < 2:
                return
            else:
                oldest = self.keys.oldest()
                if oldest is keep:
                    self.keys.put(oldest.name, oldest)
                elif oldest.used and chances:
                    chances -= 1
                    oldest.used = False
                    self.keys.put(oldest.name, oldest)
                else:
                    self.drop_key(oldest.name)
            if not turn % AT_ONCE:
                yield

    def clear(self) -> None:
        """Forgets everything: what is held may not be true any more. The memory of it is given back
        bit by bit, when other keys are held: a million keys at once would take long."""
        self._stock.over = True
        if len(self.keys):
            self._remains.append((self.keys, self.digests))
        self._begin()

    def _take_apart(self) -> None:
        """Gives back the memory of some keys that were forgotten as a whole."""
        if not self._remains:
            return
        keys, digests = self._remains[-1]
        for _ in range(min(REMAINS, len(keys))):
            held = keys.oldest()
            keys.pop(held.name)
            digests.pop(held.digest)
            self._key_bytes -= held.cost()
        if not len(keys):
            self._remains.pop()

    def apply(self, change: Change) -> None:
        """Forgets exactly what a change touches."""
        match change.kind:
            case "keys":
                for key in change.ids:
                    name = key_name(change.workspace, key)
                    self.drop_key(name)
                    self.unknown.pop(name, None)
                self.unknown.pop(bytes.fromhex(change.digest), None)
            case "token":
                digest = bytes.fromhex(change.digest)
                self.tokens.pop(digest, None)
                self.unknown_tokens.pop(digest, None)
            case "workspace":
                self._reload(change.workspace)
            case "list":
                held = self._stock.lists.get(list_name(change.workspace, change.ids[0]))
                if held is not None:
                    held.amend(change.ranges)
            case "list_text":
                pass
            case "list_deleted":
                self._reload(change.workspace)
                held = self._stock.lists.get(list_name(change.workspace, change.ids[0]))
                if held is not None:
                    held.delete()
            case _:
                # Written by a later version of ipgate: it may have touched anything.
                self.clear()

    def _reload(self, workspace: str) -> None:
        held = self.workspaces.get(workspace)
        if held is not None:
            held.loaded = False


def _remember(table: dict[K, V], key: K, value: V, most: int) -> None:
    table.pop(key, None)
    while len(table) >= most:
        del table[next(iter(table))]
    table[key] = value
