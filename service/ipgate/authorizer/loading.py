"""Loads what decisions need into the cache, fenced.

What was read at some point of a shard's history is held only once the follower has applied all
changes up to that point, and only if none after it touched what was read. Else it is read again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ipgate.authorizer.cache import PolicyCache
from ipgate.authorizer.flights import Flight, Flights
from ipgate.authorizer.follower import Follower
from ipgate.authorizer.held import HeldKey, HeldWorkspace
from ipgate.authorizer.held_lists import HeldIntervals, HeldList, HeldUnion, Links, group
from ipgate.authorizer.slots import Slots
from ipgate.domain.errors import Unavailable
from ipgate.domain.intervals import compile_list, compile_union
from ipgate.domain.names import key_name
from ipgate.pacing import in_steps
from ipgate.store.broken import broken
from ipgate.store.keys import TOKEN_SHARD, shard_of
from ipgate.store.rules import Head, RuleStore

AT_ONCE = 64
"""Reads that may be under way at a time: strangers with made-up keys cannot flood the store."""

TOKENS_AT_ONCE = 16
"""The same for access tokens, apart: strangers with made-up tokens cannot hold up known callers."""

PORTION = 16
"""Lists of one key that are loaded at a time: a key of a thousand lists must neither hold the event
loop until as many loads have begun, nor take all reads for itself."""

_FOLLOWING = 3.0
"""Seconds that the follower may be behind what was read."""

_ATTEMPTS = 20
_RETRY_DELAY = 0.005

T = TypeVar("T")


class Loading:
    """Every method raises Unavailable when it cannot load."""

    def __init__(
        self, store: RuleStore, cache: PolicyCache, flights: Flights, follower: Follower
    ) -> None:
        self._store = store
        self._cache = cache
        self._flights = flights
        self._follower = follower
        self._slots = Slots(AT_ONCE)
        self._token_slots = Slots(TOKENS_AT_ONCE)

    async def credential(self, digest: bytes) -> None:
        """Loads the key of a credential, or learns that there is none."""

        async def load(flight: Flight) -> None:
            for _ in range(_ATTEMPTS):
                flight.touched = -1
                async with self._slots.taken():
                    owner = await self._store.credential(digest.hex())
                if owner is not None:
                    name = key_name(*owner)
                    if name not in self._cache.keys:
                        await self.key(*owner)
                    if self._cache.add_credential(digest, name):
                        return
                    if name not in self._cache.keys and name not in self._cache.unknown:
                        continue  # a change dropped the key again: nothing is known about it
                # No index entry, or one that leads to no key of this credential.
                if flight.touched < 0:
                    self._cache.add_unknown(digest)
                    return
            raise _changes_too_fast()

        await self._flights.join(("credential", digest.hex()), load)

    async def key(self, workspace: str, key: str) -> None:
        """Loads a key by name, or learns that there is none."""

        async def load(flight: Flight) -> None:
            facts = await self._fenced(
                shard_of(workspace), flight, lambda: self._store.key(workspace, key)
            )
            if facts is None:
                self._cache.add_unknown(key_name(workspace, key))
            else:
                self._cache.add_key(workspace, key, facts)

        await self._flights.join(("key", workspace, key), load)

    async def rules_of(self, key: HeldKey) -> None:
        """Loads what is missing to decide for a held key, which it may find outdated and drop."""
        missing = [each for each in key.parts() if each.intervals is None]
        if any(each.dead for each in missing):
            self._cache.drop_key(key.name)
            return
        workspace = key.workspace
        if not key.lists:
            if not workspace.loaded:
                await self._workspace(workspace)
            elif workspace.default is not None and workspace.default.intervals is None:
                await self._list(workspace, workspace.default)
        for first in range(0, len(missing), PORTION):
            portion = missing[first : first + PORTION]
            await asyncio.gather(*(self._compiled(workspace, each) for each in portion))
        links = key.lists
        if isinstance(links, Links) and all(each.intervals for each in links.members):
            self._cache.group(key, group(links.members, workspace.stock))
        if self._cache.is_full():
            await in_steps(self._cache.make_room(key))

    async def token(self, digest: bytes) -> None:
        """Loads an access token, or learns that there is none."""

        async def load(flight: Flight) -> None:
            token = await self._fenced(TOKEN_SHARD, flight, lambda: self._store.token(digest.hex()))
            self._cache.add_token(digest, token)

        await self._flights.join(("token", digest.hex()), load)

    async def _workspace(self, held: HeldWorkspace) -> None:
        async def load(flight: Flight) -> None:
            facts = await self._fenced(held.shard, flight, lambda: self._store.workspace(held.id))
            if facts is None:
                return  # its keys went before it, which the caller will see
            held.require_allow_list = facts.require_allow_list
            held.default = held.list(facts.default_list) if facts.default_list else None
            held.loaded = True

        await self._flights.join(("workspace", held.id), load)

    async def _compiled(self, workspace: HeldWorkspace, held: HeldIntervals) -> None:
        if isinstance(held, HeldList):
            await self._list(workspace, held)
        elif isinstance(held, HeldUnion):
            missing = [each for each in held.members if each.intervals is None]
            for first in range(0, len(missing), PORTION):
                portion = missing[first : first + PORTION]
                await asyncio.gather(*(self._list(workspace, each) for each in portion))
            await self._union(workspace, held)

    async def _list(self, workspace: HeldWorkspace, held: HeldList) -> None:
        async def load(flight: Flight) -> None:
            for _ in range(_ATTEMPTS):
                facts = await self._fenced(
                    workspace.shard, flight, lambda: self._store.allow_list(workspace.id, held.id)
                )
                if held.dead:
                    return  # what was read may be a new list of the same id
                if facts is None:
                    raise broken(f"the allow list {held.name} of a key is missing")
                intervals = await in_steps(compile_list(held.name, facts.ranges))
                if held.dead:
                    return
                # Compiling took its time: nothing may have touched the list meanwhile.
                if flight.touched < 0:
                    held.shared = facts.linked > 1
                    held.hold(intervals)
                    return
            raise _changes_too_fast()

        await self._flights.join(("list", workspace.id, held.id), load)

    async def _union(self, workspace: HeldWorkspace, held: HeldUnion) -> None:
        async def load(flight: Flight) -> None:
            compiled = [each.intervals for each in held.members]
            present = [each for each in compiled if each is not None]
            if len(present) == len(compiled):
                intervals = await in_steps(compile_union(present))
                if compiled == [each.intervals for each in held.members]:
                    held.hold(intervals)

        await self._flights.join(("union", workspace.id, str(id(held))), load)

    async def _fenced(
        self, shard: int, flight: Flight, read: Callable[[], Awaitable[tuple[Head, T]]]
    ) -> T:
        """What `read` gives, when it is true as of what the follower has applied. On return
        `flight.touched` is -1, and counts what comes from here on."""
        for attempt in range(_ATTEMPTS):
            flight.touched = -1
            slots = self._token_slots if flight.name[0] == "token" else self._slots
            async with slots.taken():
                head, facts = await read()
            if await self._reached(shard, head) and flight.touched <= head.number:
                flight.touched = -1
                return facts
            await asyncio.sleep(_RETRY_DELAY if attempt else 0)
        raise _changes_too_fast()

    async def _reached(self, shard: int, head: Head) -> bool:
        try:
            async with asyncio.timeout(_FOLLOWING):
                return await self._follower.reached(shard, head)
        except TimeoutError:
            raise Unavailable("changes cannot be followed now; try again") from None


def _changes_too_fast() -> Unavailable:
    return Unavailable("the policy changes faster than it can be read; try again")
