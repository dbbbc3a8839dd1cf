"""The policy cache of a worker.

Invariant: every complete entry is valid as of the change that the follower applied last in its shard. So a
decision that is made from entries without a pause is the decision of one point in history. The loader adds
entries under this invariant, and `apply` keeps it when a change arrives.
"""

from itertools import count
from typing import NamedTuple, TypeVar

from ipgate.domain.changes import Touched
from ipgate.domain.facts import KeyFacts
from ipgate.domain.intervals import Steps
from ipgate.domain.names import key_name, list_name
from ipgate.domain.resources import Caller
from ipgate.policy.compiled import ListPool, MemoryAccount, SearchPlan
from ipgate.policy.entries import CachedKey, CachedWorkspace
from ipgate.policy.partitioned_dict import PartitionedDict, WeakPartitionedDict

MAX_NEGATIVE = 20_000
"""Unknown credentials and names that are remembered, about 200 bytes each."""

MAX_TOKENS = 20_000
"""Access tokens that are remembered, and the same number of unknown ones."""

SECOND_CHANCES = 64
"""Keys that one eviction passes over because they were used recently: bounds its time."""

EVICTION_BATCH = 256
"""Keys that are evicted without a pause: less than a millisecond."""

RECLAIM_BATCH = 32
"""Keys of a cleared cache whose memory is freed together, each time a key is added."""

K = TypeVar("K")
V = TypeVar("V")


class _Keys(NamedTuple):
    """API keys by name, and those of them that were asked for by a credential, by its digest."""

    by_name: PartitionedDict[str, CachedKey]
    by_digest: PartitionedDict[bytes, CachedKey]
    by_previous: PartitionedDict[bytes, CachedKey]

    def remove(self, key: CachedKey) -> None:
        self.by_name.pop(key.name)
        self.by_digest.pop(key.digest)
        if key.previous is not None:
            self.by_previous.pop(key.previous.digest)


class PolicyCache:
    """Keys by name and by the digests of their credentials, what they share, and a negative cache of unknown subjects.

    `previous` finds keys by the credential that they had before a rotation, also when that has ended.
    `evictions`: how many keys were evicted so far. `max_bytes` bounds the keys with their lists. Keys that were not used recently are evicted first.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._account = MemoryAccount()
        self._key_bytes = 0
        self.evictions = 0
        self._reclaimable: list[_Keys] = []
        self._reset()

    def _reset(self) -> None:
        self._held = _Keys(PartitionedDict(), PartitionedDict(), PartitionedDict())
        self.keys, self.digests, self.previous = self._held
        self.negative: dict[str | bytes, None] = {}
        self.tokens: dict[bytes, Caller] = {}
        self.negative_tokens: dict[bytes, None] = {}
        self.workspaces: WeakPartitionedDict[str, CachedWorkspace] = WeakPartitionedDict()
        self._pool = ListPool(self._account)

    def size(self) -> int:
        """Return the approximate bytes of keys and compiled lists."""
        return self._key_bytes + self._account.bytes

    def workspace(self, workspace: str) -> CachedWorkspace:
        """Return the workspace of that id, a new entry if there is none."""
        existing = self.workspaces.get(workspace)
        return existing or CachedWorkspace(workspace, self._pool, self.workspaces)

    def add_key(self, workspace: str, key: str, facts: KeyFacts) -> CachedKey:
        """Add a key and evict others if the cache is full."""
        self.drop_key(key_name(workspace, key))
        entry = CachedKey(self.workspace(workspace), key, facts)
        self.keys.put(entry.name, entry)
        self._key_bytes += entry.cost()
        self._reclaim()
        # One step evicts more than the new key takes, so a bound that was passed is reached again.
        next(self.make_room(entry), None)
        return entry

    def set_plan(self, entry: CachedKey, plan: SearchPlan) -> None:
        """Let a key be decided by `plan`, which covers the same lists as before."""
        before = entry.cost()
        entry.lists = plan
        if self.keys.get(entry.name) is entry:
            self._key_bytes += entry.cost() - before

    def add_credential(self, digest: bytes, key: str) -> bool:
        """Let a credential find the cached key of that name.

        Returns False if no such key is cached, or if the credential is not its own.
        """
        entry = self.keys.get(key)
        if entry is None:
            return False
        # Not the caller's copy of the digest is kept.
        if entry.digest == digest:
            self.digests.put(entry.digest, entry)
            return True
        if entry.previous is not None and entry.previous.digest == digest:
            self.previous.put(entry.previous.digest, entry)
            return True
        return False

    def add_negative(self, subject: str | bytes) -> None:
        """Remember a name or a digest as unknown, instead of the oldest one if the table is full."""
        _remember(self.negative, subject, None, MAX_NEGATIVE)

    def add_token(self, digest: bytes, caller: Caller | None) -> None:
        """Remember the bearer of an access token, or that the token does not exist."""
        if caller is None:
            _remember(self.negative_tokens, digest, None, MAX_TOKENS)
        else:
            _remember(self.tokens, digest, caller, MAX_TOKENS)

    def drop_key(self, name: str) -> None:
        """Drop a key; it is loaded again when it is asked for."""
        entry = self.keys.get(name)
        if entry is not None:
            self._held.remove(entry)
            self._key_bytes -= entry.cost()

    def is_full(self) -> bool:
        return self.size() > self._max_bytes

    def make_room(self, keep: CachedKey) -> Steps[None]:
        """Evict keys, except `keep`, until the bound holds.

        It takes the oldest key of each partition in turn. Keys that were used since their last turn get a
        second chance.
        """
        chances = SECOND_CHANCES
        for turn in count(1):
            if not self.is_full():
                return
            if self._reclaimable:
                self._reclaim()
            elif len(self.keys) < 2:
                return
            else:
                victim = self.keys.next_victim()
                if victim is keep:
                    self.keys.put(victim.name, victim)
                elif victim.used and chances:
                    chances -= 1
                    victim.used = False
                    self.keys.put(victim.name, victim)
                else:
                    self.drop_key(victim.name)
                    self.evictions += 1
            if not turn % EVICTION_BATCH:
                yield

    def clear(self) -> None:
        """Drop everything, because entries may have become invalid.

        The memory is freed in batches as other keys are added: a million keys together would take long.
        """
        self._pool.retired = True
        if len(self.keys):
            self._reclaimable.append(self._held)
        self._reset()

    def _reclaim(self) -> None:
        """Free the memory of a batch of keys of a cleared cache."""
        if not self._reclaimable:
            return
        cleared = self._reclaimable[-1]
        for _ in range(min(RECLAIM_BATCH, len(cleared.by_name))):
            entry = cleared.by_name.next_victim()
            cleared.remove(entry)
            self._key_bytes -= entry.cost()
        if not len(cleared.by_name):
            self._reclaimable.pop()

    def apply(self, touched: Touched) -> None:
        """Drop or update exactly what a change touched."""
        if touched.everything:
            self.clear()
            return
        workspace = touched.workspace
        for key in touched.api_keys:
            name = key_name(workspace, key)
            self.drop_key(name)
            self.negative.pop(name, None)
        if touched.credential:
            self.negative.pop(bytes.fromhex(touched.credential), None)
        if touched.token:
            digest = bytes.fromhex(touched.token)
            self.tokens.pop(digest, None)
            self.negative_tokens.pop(digest, None)
        if touched.settings:
            self._reload(workspace)
        if touched.list_ranges:
            changed = self._pool.lists.get(list_name(workspace, touched.list_ranges))
            if changed is not None:
                changed.patch(touched.range_patches)
        if touched.deleted_list:
            deleted = self._pool.lists.get(list_name(workspace, touched.deleted_list))
            if deleted is not None:
                deleted.delete()

    def _reload(self, workspace: str) -> None:
        entry = self.workspaces.get(workspace)
        if entry is not None:
            entry.loaded = False


def _remember(table: dict[K, V], key: K, value: V, capacity: int) -> None:
    table.pop(key, None)
    while len(table) >= capacity:
        del table[next(iter(table))]
    table[key] = value
