"""Examines a store: every key once, and a second look at what seems wrong."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ipgate.clock import Clock
from ipgate.doctor.checks import Checks
from ipgate.doctor.findings import Finding, Problem
from ipgate.doctor.memory import Stock
from ipgate.doctor.repair import Repair
from ipgate.domain.shards import SHARDS
from ipgate.store import key_names
from ipgate.store.batch_reader import BatchReader, WrongKeyType
from ipgate.store.connection import evicting_policies
from ipgate.store.parsed_key import parse_key
from ipgate.store.scripts import Scripts
from ipgate.store.topology import Store

Progress = Callable[[int, int], None]
"""Called with the keys examined so far, and the approximate number of all keys."""

_PAUSE = 1.0
"""Seconds before the second look: what a server is just doing is over by then."""

_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Report:
    """`examined`: how many keys of the store."""

    examined: int
    repaired: Sequence[Finding]
    remaining: Sequence[Finding]
    stock: Stock


async def examine(redis: Store, *, fix: bool, progress: Progress) -> Report:
    """Return what is wrong with the store; with `fix`, after the repair.

    Raises redis's errors, and Unavailable.
    """
    reader = BatchReader(redis)
    checks = Checks(reader, await _seconds(reader))
    total = int(await redis.dbsize())
    examined = api_keys = ranges = 0
    suspected: dict[Finding, None] = {}
    for shard in range(SHARDS):  # a meta that is missing is not among the keys
        suspected |= dict.fromkeys(await checks.inspect(key_names.meta(shard)))
    whole = (Problem.INCOMPLETE_IMPORT, Problem.OLD_SCHEMA)
    interrupted = [finding for finding in suspected if finding.problem in whole]
    if interrupted:
        return Report(SHARDS, (), interrupted, Stock(0, 0))  # the rest is half written
    async for page in reader.keys():
        for findings in await asyncio.gather(*map(checks.inspect, page)):
            suspected |= dict.fromkeys(findings)
        examined += len(page)
        kinds = [(key, parsed.kind) for key in page if (parsed := parse_key(key)) is not None]
        api_keys += sum(kind == "key" for _, kind in kinds)
        lists = [key for key, kind in kinds if kind == "list-ranges"]
        ranges += sum(await asyncio.gather(*(_size(reader, key) for key in lists)))
        progress(examined, max(total, examined))
    confirmed = await _confirmed(reader, list(suspected))
    policies = [
        Finding("maxmemory-policy", Problem.MAY_EVICT, f"is {policy}")
        for policy in await evicting_policies(redis)
    ]
    if not fix or not confirmed:
        return Report(examined, (), confirmed + policies, Stock(api_keys, ranges))
    await Repair(Scripts(redis, Clock())).run(confirmed)
    left = await _confirmed(reader, confirmed)
    repaired = [finding for finding in confirmed if finding not in left]
    return Report(examined, repaired, left + policies, Stock(api_keys, ranges))


async def _size(reader: BatchReader, key: str) -> int:
    try:
        return int(await reader.execute("HLEN", key))
    except WrongKeyType:
        return 0  # it is no hash, which is a finding


async def _confirmed(reader: BatchReader, suspected: list[Finding]) -> list[Finding]:
    """Return the findings that a second look finds again."""
    if not suspected:
        return []
    await asyncio.sleep(_PAUSE)
    checks = Checks(reader, await _seconds(reader))
    return [finding for finding in suspected if await _again(reader, checks, finding)]


async def _again(reader: BatchReader, checks: Checks, finding: Finding) -> bool:
    """Look until no change came in between, or the finding is gone."""
    parsed = parse_key(finding.key)
    meta = key_names.meta(max(parsed.shard, 0) if parsed else 0)
    for _ in range(_ATTEMPTS):
        before = await reader.execute("HMGET", meta, "history", "rev")
        if finding not in await checks.inspect(finding.key, finding.member):
            return False
        if before == await reader.execute("HMGET", meta, "history", "rev"):
            return True
    return True


async def _seconds(reader: BatchReader) -> int:
    """Return the store's clock."""
    answer = await reader.execute("EVAL", "return redis.call('TIME')", 1, key_names.meta(0))
    return int(answer[0])
