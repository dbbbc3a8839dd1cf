"""The policy cache of a worker.

The invariant that makes it right: whatever is held and complete is true as of the change that the
follower applied last in its shard. So a decision made without a pause from what is held is the
decision of one point in history. Entries enter through `loading.py`, which sees to that; changes
reach them through `apply`.
"""

from collections import OrderedDict
from typing import TypeVar
from weakref import WeakValueDictionary

from ipgate.authorizer.held import HeldKey, HeldWorkspace, Ledger
from ipgate.domain.names import key_name
from ipgate.store.feed import Change
from ipgate.store.rules import KeyFacts, TokenFacts

MAX_UNKNOWN = 20_000
"""Credentials and names known to be unknown that are remembered, some 200 bytes each."""

MAX_TOKENS = 20_000
"""Access tokens remembered, and as many that are known to be unknown."""

CHANCES = 64
"""Keys that are passed over in one eviction because they were used lately: bounds its time."""

K = TypeVar("K")
V = TypeVar("V")


class PolicyCache:
    """Keys by name and by credential digest, what they share, and what is known to be unknown.

    `max_bytes` bounds the keys with their lists. A key that was not asked for lately goes first.
    """

    def __init__(self, max_bytes: int) -> None:
        self.keys: OrderedDict[str, HeldKey] = OrderedDict()
        self.digests: dict[bytes, HeldKey] = {}
        self.unknown: dict[str | bytes, None] = {}
        self.tokens: dict[bytes, TokenFacts] = {}
        self.unknown_tokens: dict[bytes, None] = {}
        self.workspaces: WeakValueDictionary[str, HeldWorkspace] = WeakValueDictionary()
        self._ledger = Ledger()
        self._key_bytes = 0
        self._max_bytes = max_bytes

    def size(self) -> int:
        """Bytes held by keys and compiled lists, about."""
        return self._key_bytes + self._ledger.bytes

    def workspace(self, workspace: str) -> HeldWorkspace:
        """The held workspace of that id, a new one if there is none."""
        held = self.workspaces.get(workspace)
        if held is None:
            held = self.workspaces[workspace] = HeldWorkspace(workspace, self._ledger)
        return held

    def add_key(self, workspace: str, key: str, facts: KeyFacts) -> HeldKey:
        """Holds a key, making room for it."""
        self.drop_key(key_name(workspace, key))
        held = HeldKey(self.workspace(workspace), key, facts)
        self.keys[held.name] = held
        self._key_bytes += held.cost
        self.make_room(held)
        return held

    def add_credential(self, digest: bytes, key: str) -> bool:
        """Lets a credential that is no damaged one find the held key of that name. False if no
        such key is held, or if the credential is not its own."""
        held = self.keys.get(key)
        if held is None or held.digest != digest:
            return False
        self.digests[digest] = held
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
        held = self.keys.pop(name, None)
        if held is not None:
            self.digests.pop(held.digest, None)
            self._key_bytes -= held.cost

    def make_room(self, keep: HeldKey) -> None:
        """Evicts keys, but for `keep`, until the bound holds: oldest first, with a second chance."""
        chances = CHANCES
        while self.size() > self._max_bytes and len(self.keys) > 1:
            name, oldest = next(iter(self.keys.items()))
            if oldest is keep:
                self.keys.move_to_end(name)
            elif oldest.used and chances:
                chances -= 1
                oldest.used = False
                self.keys.move_to_end(name)
            else:
                self.drop_key(name)

    def clear(self) -> None:
        """Forgets everything: what is held may not be true any more."""
        for workspace in self.workspaces.values():
            workspace.loaded = False
            for held in workspace.lists.values():
                held.dead = True
                held.forget()
        self.keys.clear()
        self.digests.clear()
        self.unknown.clear()
        self.tokens.clear()
        self.unknown_tokens.clear()
        self.workspaces = WeakValueDictionary()
        self._key_bytes = 0

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
            case "workspace" | "list" | "list_text" | "list_deleted":
                workspace = self.workspaces.get(change.workspace)
                if workspace is not None:
                    workspace.apply(change)
            case _:
                # Written by a later version of ipgate: it may have touched anything.
                self.clear()


def _remember(table: dict[K, V], key: K, value: V, most: int) -> None:
    table.pop(key, None)
    while len(table) >= most:
        del table[next(iter(table))]
    table[key] = value
