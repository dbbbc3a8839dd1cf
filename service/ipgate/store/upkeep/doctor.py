"""Examines a store: every key once, and a second look at what seems wrong."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from redis.exceptions import ResponseError

from ipgate.clock import Clock
from ipgate.domain.shards import SHARDS
from ipgate.store import key_names
from ipgate.store.connection import evicting_policies
from ipgate.store.scripts import Scripts
from ipgate.store.topology import Store
from ipgate.store.upkeep.checks import Checks
from ipgate.store.upkeep.findings import Finding, Problem
from ipgate.store.upkeep.memory import Stock
from ipgate.store.upkeep.mending import Mending
from ipgate.store.upkeep.places import place_of
from ipgate.store.upkeep.reading import Reading

Progress = Callable[[int, int], None]
"""Is told how many keys were examined, and how many there are, about."""

_PAUSE = 1.0
"""Seconds before the second look: what a server is just doing is over by then."""

_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Report:
    """`examined`: how many keys of the store."""

    examined: int
    mended: Sequence[Finding]
    remaining: Sequence[Finding]
    stock: Stock


async def examine(redis: Store, *, mend: bool, progress: Progress) -> Report:
    """What is wrong with the store, after mending if asked to. Raises redis's errors, and
    Unavailable."""
    reading = Reading(redis)
    checks = Checks(reading, await _seconds(reading))
    total = int(await redis.dbsize())
    examined = api_keys = ranges = 0
    suspected: dict[Finding, None] = {}
    for shard in range(SHARDS):  # a meta that is missing is not among the keys
        suspected |= dict.fromkeys(await checks.look(key_names.meta(shard)))
    cut_off = [each for each in suspected if each.problem is Problem.IMPORT_CUT_OFF]
    if cut_off:
        return Report(SHARDS, (), cut_off, Stock(0, 0))  # the rest is half written
    async for page in reading.keys():
        for found in await asyncio.gather(*map(checks.look, page)):
            suspected |= dict.fromkeys(found)
        examined += len(page)
        kinds = [(key, place.kind) for key in page if (place := place_of(key)) is not None]
        api_keys += sum(kind == "key" for _, kind in kinds)
        lists = [key for key, kind in kinds if kind == "list-ranges"]
        ranges += sum(await asyncio.gather(*(_size(reading, key) for key in lists)))
        progress(examined, max(total, examined))
    found = await _confirmed(reading, list(suspected))
    policies = [
        Finding("maxmemory-policy", Problem.MAY_EVICT, f"is {policy}")
        for policy in await evicting_policies(redis)
    ]
    if not mend or not found:
        return Report(examined, (), found + policies, Stock(api_keys, ranges))
    await Mending(Scripts(redis, Clock())).mend(found)
    left = await _confirmed(reading, found)
    mended = [finding for finding in found if finding not in left]
    return Report(examined, mended, left + policies, Stock(api_keys, ranges))


async def _size(reading: Reading, key: str) -> int:
    try:
        return int(await reading.ask("SCARD", key))
    except ResponseError:
        return 0  # it is no set, which is a finding


async def _confirmed(reading: Reading, suspected: list[Finding]) -> list[Finding]:
    """The findings that a second look finds again."""
    if not suspected:
        return []
    await asyncio.sleep(_PAUSE)
    checks = Checks(reading, await _seconds(reading))
    return [each for each in suspected if await _again(reading, checks, each)]


async def _again(reading: Reading, checks: Checks, finding: Finding) -> bool:
    """Looks until no change came in between, or the finding is gone."""
    place = place_of(finding.key)
    meta = key_names.meta(max(place.shard, 0) if place else 0)
    for _ in range(_ATTEMPTS):
        before = await reading.ask("HMGET", meta, "epoch", "rev")
        if finding not in await checks.look(finding.key, finding.member):
            return False
        if before == await reading.ask("HMGET", meta, "epoch", "rev"):
            return True
    return True


async def _seconds(reading: Reading) -> int:
    """The store's clock."""
    answer = await reading.ask("EVAL", "return redis.call('TIME')", 1, key_names.meta(0))
    return int(answer[0])
