"""The policy cache: what it counts, what it evicts, and that nothing in it takes long."""

import asyncio
import gc
import hashlib
import secrets
from itertools import pairwise
from weakref import ref

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from ipgate import cooperative
from ipgate.domain.changes import Change, ChangeKind, Touched
from ipgate.domain.facts import KeyFacts, PreviousCredential
from ipgate.domain.intervals import Intervals, compile_list, compile_union
from ipgate.domain.names import key_name
from ipgate.policy import cache as cache_module
from ipgate.policy.cache import RECLAIM_BATCH, SECOND_CHANCES, PolicyCache
from ipgate.policy.compiled import (
    LIST_BYTES,
    CompiledRanges,
    CompiledUnion,
    UnplannedLists,
    plan_search,
)
from ipgate.policy.entries import WORKSPACE_BYTES, CachedKey

ROOM = 1 << 40
WORKSPACES = st.sampled_from(["a", "b"])
INDEXES = st.integers(0, 11)
LISTS = st.lists(st.sampled_from([f"l{n}" for n in range(8)]), unique=True)


def sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def facts(key: str, *lists: str, rotated: bool = False) -> KeyFacts:
    previous = PreviousCredential(sha256(f"previous of {key}"), 1) if rotated else None
    return KeyFacts(sha256(key), False, None, lists, previous=previous)


def touched(kind: str, workspace: str, *ids: str) -> Touched:
    return Change(1, "", "", ChangeKind(kind), workspace, ids, "", "").touched()


def compiled(name: str, count: int) -> Intervals:
    ranges = [(n << 8) << 8 | 32 for n in range(count)]
    return asyncio.run(cooperative.run(compile_list(name, ranges)))


def make_room(cache: PolicyCache, keep: CachedKey) -> None:
    for _ in cache.make_room(keep):
        pass


class Accounting(RuleBasedStateMachine):
    """What is counted is what is held, whatever happens."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = PolicyCache(ROOM)

    @rule(workspace=WORKSPACES, index=INDEXES, lists=LISTS, rotated=st.booleans())
    def add(self, workspace: str, index: int, lists: list[str], rotated: bool) -> None:
        name = key_name(workspace, f"k{index}")
        held = self.cache.add_key(workspace, f"k{index}", facts(name, *lists, rotated=rotated))
        assert self.cache.keys.get(name) is held

    @rule(workspace=WORKSPACES, index=INDEXES)
    def present(self, workspace: str, index: int) -> None:
        name = key_name(workspace, f"k{index}")
        held = self.cache.keys.get(name)
        assert self.cache.add_credential(sha256(name), name) == (held is not None)
        was_rotated = held is not None and held.previous is not None
        assert self.cache.add_credential(sha256(f"previous of {name}"), name) == was_rotated
        assert not self.cache.add_credential(secrets.token_bytes(32), name)

    @rule(workspace=WORKSPACES, index=INDEXES, size=st.integers(1, 50))
    def compile(self, workspace: str, index: int, size: int) -> None:
        """As loading does it: the lists of a key, and then their grouping."""
        held = self.cache.keys.get(key_name(workspace, f"k{index}"))
        if held is None:
            return
        for part in held.parts():
            if isinstance(part, CompiledUnion):
                members = [
                    member.intervals or compiled(member.name, size) for member in part.members
                ]
                part.set(asyncio.run(cooperative.run(compile_union(members))))
            elif part.intervals is None:
                part.set(compiled("l", size))
        if isinstance(held.lists, UnplannedLists):
            self.cache.set_plan(held, plan_search(held.lists.members, held.workspace.pool))

    @rule(workspace=WORKSPACES, index=INDEXES, kind=st.sampled_from(["keys", "workspace"]))
    def change(self, workspace: str, index: int, kind: str) -> None:
        self.cache.apply(touched(kind, workspace, *([f"k{index}"] if kind == "keys" else [])))

    @rule(
        workspace=WORKSPACES,
        index=st.integers(0, 7),
        kind=st.sampled_from(["list", "list_text", "list_deleted"]),
    )
    def change_list(self, workspace: str, index: int, kind: str) -> None:
        self.cache.apply(touched(kind, workspace, f"l{index}"))

    @rule()
    def clear(self) -> None:
        self.cache.clear()
        assert not len(self.cache.keys)
        assert not len(self.cache.digests)
        assert not len(self.cache.previous)

    @precondition(lambda self: len(self.cache.keys) > 1)
    @rule(share=st.floats(0.1, 1))
    def shrink(self, share: float) -> None:
        keep = next(iter(self.cache.keys.values()))
        bound = int(self.cache.size() * share)
        self.cache._max_bytes = bound
        make_room(self.cache, keep)
        assert self.cache.size() <= bound or len(self.cache.keys) == 1
        assert self.cache.keys.get(keep.name) is keep
        self.cache._max_bytes = ROOM

    @invariant()
    def counts_what_is_held(self) -> None:
        keys = list(self.cache.keys.values())
        remains = [key for cleared in self.cache._reclaimable for key in cleared.by_name.values()]
        assert self.cache._key_bytes == sum(key.cost() for key in keys + remains)
        lists: set[CompiledRanges] = {part for key in keys + remains for part in key.parts()}
        lists |= {
            member
            for compiled in lists
            if isinstance(compiled, CompiledUnion)
            for member in compiled.members
        }
        workspaces = {key.workspace for key in keys + remains}
        sizes = sum(
            compiled.intervals.size() for compiled in lists if compiled.intervals is not None
        )
        counted = LIST_BYTES * len(lists) + sizes + WORKSPACE_BYTES * len(workspaces)
        assert self.cache.size() == self.cache._key_bytes + counted

    @invariant()
    def credentials_lead_to_held_keys(self) -> None:
        for held in self.cache.digests.values():
            assert self.cache.keys.get(held.name) is held
            assert self.cache.digests.get(held.digest) is held
        for held in self.cache.previous.values():
            assert self.cache.keys.get(held.name) is held
            assert held.previous is not None
            assert self.cache.previous.get(held.previous.digest) is held


TestAccounting = Accounting.TestCase
TestAccounting.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def full(count: int) -> PolicyCache:
    """A cache that has room for so many keys, and holds them; none was asked for lately."""
    cache = PolicyCache(ROOM)
    for index in range(count):
        cache.add_key("w", f"k{index:05}", facts(f"k{index}", "l")).used = False
    cache._max_bytes = cache.size()
    return cache


def test_keys_that_are_asked_for_stay() -> None:
    """However many keys are asked for once, those asked for again and again are not evicted."""
    cache = full(2000)
    hot = [held for index, held in enumerate(list(cache.keys.values())) if not index % 4]
    for index in range(10_000):
        if not index % 100:
            for held in hot:
                held.used = True
        cache.add_key("w", f"c{index:05}", facts(f"c{index}", "l")).used = False
    assert len(cache.keys) == 2000
    assert sum(held.name in cache.keys for held in hot) > 0.98 * len(hot)


def test_one_eviction_passes_over_few_keys() -> None:
    """If all were asked for lately, some lose their second chance, and not all of them."""
    cache = full(1000)
    for held in cache.keys.values():
        held.used = True
    cache.add_key("w", "other", facts("other", "l"))
    assert sum(not held.used for held in cache.keys.values()) <= SECOND_CHANCES
    assert len(cache.keys) == 1000


def test_much_room_is_made_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two of them, no more than EVICTION_BATCH keys are evicted; a key that is added waits for one."""
    monkeypatch.setattr(cache_module, "EVICTION_BATCH", 20)
    cache = full(1000)
    cache._max_bytes //= 2
    before = len(cache.keys)
    keep = cache.add_key("w", "other", facts("other", "l"))
    assert before + 1 - 20 <= len(cache.keys) <= before
    sizes = [len(cache.keys) for _ in cache.make_room(keep)]
    assert all(a - b <= 20 for a, b in pairwise(sizes))
    assert not cache.is_full()
    assert keep.name in cache.keys


def test_what_was_cleared_is_given_back_bit_by_bit() -> None:
    """A few keys at each load, and the lists with the last of their keys; none decides any more."""
    cache = full(10 * RECLAIM_BATCH)
    former = next(iter(cache.keys.values())).parts()[0]
    former.set(compiled("l", 10))
    there = ref(former)
    cache.clear()
    cache._max_bytes = ROOM
    assert former.stale
    former.set(compiled("l", 1000))
    assert cache.size() < ROOM
    del former
    size = cache.size()
    for index in range(10):
        assert there() is not None
        cache.add_key("v", f"k{index}", facts(f"v{index}"))
        assert cache.size() < size
        size = cache.size()
    assert there() is None
    alone = PolicyCache(ROOM)
    for index in range(10):
        alone.add_key("v", f"k{index}", facts(f"v{index}"))
    assert cache.size() == alone.size()


def test_clearing_an_empty_cache_leaves_nothing() -> None:
    """As it happens again and again while a store is away."""
    cache = PolicyCache(ROOM)
    for _ in range(10):
        cache.clear()
    assert not cache._reclaimable
    assert not cache.size()


def test_the_garbage_collector_passes_over_what_is_held() -> None:
    """However many keys there are, it knows of no more objects; and all is freed without it."""
    source = compiled("l", 2)
    gc.collect()
    gc.disable()
    try:
        cache = PolicyCache(ROOM)
        cache.add_key("w", "first", facts("first", "l"))
        before = len(gc.get_objects())
        for index in range(2000):
            lists = [f"l{index % 7}", f"own{index}"][: index % 3]
            held = cache.add_key(f"w{index % 5}", f"k{index}", facts(f"k{index}", *lists))
            cache.add_credential(held.digest, held.name)
            for piece in held.parts():
                piece.set(Intervals(source.names, source.starts[:], source.owners[:]))
        assert len(gc.get_objects()) - before < 100
        key, part = ref(held.workspace), ref(piece)
        del held, piece
        for index in range(2000):
            cache.drop_key(key_name(f"w{index % 5}", f"k{index}"))
        assert key() is None
        assert part() is None
    finally:
        gc.enable()


def test_what_keys_shared_goes_with_the_last_of_them() -> None:
    """Workspaces, lists and unions, and their places in the tables."""
    cache = PolicyCache(ROOM)
    pool = cache._pool
    for index in range(3):
        name = f"k{index}"
        held = cache.add_key("w", name, facts(name, *(f"l{n}" for n in range(6))))
        for part in held.parts():
            part.set(compiled("l", 2))
        assert isinstance(held.lists, UnplannedLists)
        cache.set_plan(held, plan_search(held.lists.members, pool))
        assert isinstance(held.lists, CompiledUnion)
    del held, part
    cache.apply(touched("keys", "w", "k0", "k1", "k2"))
    assert not cache.size()
    for table in (pool.lists, pool.unions, cache.workspaces):
        assert not any(table._partitions)
