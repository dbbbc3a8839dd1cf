"""Loads policies from the store into the cache, consistently with the history of changes.

An entry that was read at some position of a shard's history is cached only after the follower has applied
all changes up to that position, and only if no later change touched it. Otherwise it is read again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ipgate import cooperative
from ipgate.authorizer.follower import Follower
from ipgate.authorizer.limiter import ConcurrencyLimiter
from ipgate.authorizer.single_flight import Flight, SingleFlight
from ipgate.domain.changes import Position
from ipgate.domain.errors import Unavailable
from ipgate.domain.intervals import compile_list, compile_union
from ipgate.domain.names import key_name
from ipgate.domain.shards import TOKEN_SHARD, shard_of
from ipgate.policy.cache import PolicyCache
from ipgate.policy.compiled import (
    CompiledList,
    CompiledRanges,
    CompiledUnion,
    UnplannedLists,
    plan_search,
)
from ipgate.policy.entries import CachedKey, CachedWorkspace
from ipgate.store.broken import broken
from ipgate.store.policy_reader import PolicyReader

MAX_READS = 32
"""Reads in flight: requests with made-up keys cannot flood the store, and a cold worker handles no more answers
in one turn of the event loop."""

MAX_TOKEN_READS = 16
"""Reads of access tokens in flight, counted separately: made-up tokens cannot delay known callers."""

BATCH = 16
"""Lists of one key that are loaded together: a key with a thousand lists must neither hold the event loop
nor take all reads for itself."""

_FOLLOW_TIMEOUT = 3.0
"""Seconds that the follower may need to reach the position of a read."""

_MAX_ATTEMPTS = 20
_RETRY_DELAY = 0.005

T = TypeVar("T")


class PolicyLoader:
    """Every method raises Unavailable when it cannot load."""

    def __init__(
        self,
        reader: PolicyReader,
        cache: PolicyCache,
        single_flight: SingleFlight,
        follower: Follower,
    ) -> None:
        self._reader = reader
        self._cache = cache
        self._single_flight = single_flight
        self._follower = follower
        self._limiter = ConcurrencyLimiter(MAX_READS)
        self._token_limiter = ConcurrencyLimiter(MAX_TOKEN_READS)

    @property
    def refused(self) -> int:
        """How many reads were rejected because too many waited."""
        return self._limiter.refused + self._token_limiter.refused

    async def credential(self, digest: bytes) -> None:
        """Load the key of a credential, or remember that there is none."""

        async def load(flight: Flight) -> None:
            for _ in range(_MAX_ATTEMPTS):
                flight.invalidated_at = -1
                async with self._limiter.acquire():
                    owner = await self._reader.credential(digest.hex())
                if owner is not None:
                    name = key_name(*owner)
                    if name not in self._cache.keys:
                        await self.key(*owner)
                    if self._cache.add_credential(digest, name):
                        return
                    if name not in self._cache.keys and name not in self._cache.negative:
                        continue  # a change dropped the key again: nothing is known about it
                # No index entry, or one that leads to no key with this credential.
                if flight.invalidated_at < 0:
                    self._cache.add_negative(digest)
                    return
            raise _changes_too_fast()

        await self._single_flight.do(("credential", digest.hex()), load)

    async def key(self, workspace: str, key: str) -> None:
        """Load a key by name, or remember that there is none."""

        async def load(flight: Flight) -> None:
            facts = await self._read_consistently(
                shard_of(workspace), flight, lambda: self._reader.key(workspace, key)
            )
            if facts is None:
                self._cache.add_negative(key_name(workspace, key))
            else:
                self._cache.add_key(workspace, key, facts)

        await self._single_flight.do(("key", workspace, key), load)

    async def load_policy(self, key: CachedKey) -> None:
        """Load what is missing to decide for a cached key.

        A key with a stale list is dropped instead.
        """
        missing = [part for part in key.parts() if part.intervals is None]
        if any(part.stale for part in missing):
            self._cache.drop_key(key.name)
            return
        workspace = key.workspace
        if not key.lists:
            if not workspace.loaded:
                await self._workspace(workspace)
            elif workspace.default is not None and workspace.default.intervals is None:
                await self._list(workspace, workspace.default)
        for first in range(0, len(missing), BATCH):
            batch = missing[first : first + BATCH]
            await asyncio.gather(*(self._compile(workspace, part) for part in batch))
        lists = key.lists
        if isinstance(lists, UnplannedLists) and all(part.intervals for part in lists.members):
            self._cache.set_plan(key, plan_search(lists.members, workspace.pool))
        if self._cache.is_full():
            await cooperative.run(self._cache.make_room(key))

    async def token(self, digest: bytes) -> None:
        """Load an access token, or remember that there is none."""

        async def load(flight: Flight) -> None:
            token = await self._read_consistently(
                TOKEN_SHARD, flight, lambda: self._reader.token(digest.hex())
            )
            self._cache.add_token(digest, token)

        await self._single_flight.do(("token", digest.hex()), load)

    async def _workspace(self, workspace: CachedWorkspace) -> None:
        async def load(flight: Flight) -> None:
            facts = await self._read_consistently(
                workspace.shard, flight, lambda: self._reader.workspace(workspace.id)
            )
            if facts is None:
                return  # its keys were deleted before it, which the caller will see
            workspace.require_allow_list = facts.require_allow_list
            default = facts.default_list
            workspace.default = workspace.list(default) if default else None
            workspace.default_report_only = facts.default_report_only
            workspace.loaded = True

        await self._single_flight.do(("workspace", workspace.id), load)

    async def _compile(self, workspace: CachedWorkspace, part: CompiledRanges) -> None:
        if isinstance(part, CompiledList):
            await self._list(workspace, part)
        elif isinstance(part, CompiledUnion):
            missing = [member for member in part.members if member.intervals is None]
            for first in range(0, len(missing), BATCH):
                batch = missing[first : first + BATCH]
                await asyncio.gather(*(self._list(workspace, member) for member in batch))
            await self._union(workspace, part)

    async def _list(self, workspace: CachedWorkspace, allow_list: CompiledList) -> None:
        async def load(flight: Flight) -> None:
            for _ in range(_MAX_ATTEMPTS):
                facts = await self._read_consistently(
                    workspace.shard,
                    flight,
                    lambda: self._reader.allow_list(workspace.id, allow_list.id),
                )
                if allow_list.stale:
                    return  # the facts may be those of a new list with the same id
                if facts is None:
                    raise broken(f"the allow list {allow_list.name} of a key is missing")
                intervals = await cooperative.run(
                    compile_list(allow_list.name, facts.ranges, facts.valid)
                )
                if allow_list.stale:
                    return
                # Compiling takes time: no change may have touched the list since.
                if flight.invalidated_at < 0:
                    allow_list.shared = facts.linked > 1
                    allow_list.set(intervals)
                    return
            raise _changes_too_fast()

        await self._single_flight.do(("list", workspace.id, allow_list.id), load)

    async def _union(self, workspace: CachedWorkspace, union: CompiledUnion) -> None:
        async def load(_flight: Flight) -> None:
            if union.stale:
                return  # whoever refers to it is loaded again
            compiled = [member.intervals for member in union.members]
            present = [intervals for intervals in compiled if intervals is not None]
            if len(present) == len(compiled):
                intervals = await cooperative.run(compile_union(present))
                if compiled == [member.intervals for member in union.members]:
                    union.set(intervals)

        await self._single_flight.do(("union", workspace.id, str(id(union))), load)

    async def _read_consistently(
        self, shard: int, flight: Flight, read: Callable[[], Awaitable[tuple[Position, T]]]
    ) -> T:
        """Return what `read` returns once it is valid as of what the follower has applied.

        On return `flight.invalidated_at` is -1, and records the changes from then on.
        """
        for attempt in range(_MAX_ATTEMPTS):
            flight.invalidated_at = -1
            limiter = self._token_limiter if flight.name[0] == "token" else self._limiter
            async with limiter.acquire():
                position, facts = await read()
            if await self._follow_to(shard, position) and (
                flight.invalidated_at <= position.sequence
            ):
                flight.invalidated_at = -1
                return facts
            await asyncio.sleep(_RETRY_DELAY if attempt else 0)
        raise _changes_too_fast()

    async def _follow_to(self, shard: int, position: Position) -> bool:
        try:
            async with asyncio.timeout(_FOLLOW_TIMEOUT):
                return await self._follower.wait_for_position(shard, position)
        except TimeoutError:
            raise Unavailable("changes cannot be followed now; try again") from None


def _changes_too_fast() -> Unavailable:
    return Unavailable("the policy changes faster than it can be read; try again")
