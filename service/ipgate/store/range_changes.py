"""Changes of the ranges of an allow list, as scripts take them."""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from ipgate.domain.errors import Unavailable
from ipgate.domain.intervals import Coverage
from ipgate.domain.writing import Effect
from ipgate.store import key_names
from ipgate.store.scripts import Scripts

FEW = 1000
"""A change of more ranges than this is staged: written in portions to a key of its own, which one short script puts
in the place of the list's."""

_STAGED_FOR = 600
"""Seconds that staged ranges are kept for a change that never comes."""

# ARGV: the seconds, then ranges, each with its value.
_STAGE = """
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('EXPIRE', KEYS[1], ARGV[2])
"""

_UNSTAGE = "redis.call('UNLINK', KEYS[1])"


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeChange:
    """A change of all or some ranges of a list.

    `put`: ranges to add or replace, with their values (store/schema.py); or `staged`: the key of all `count` ranges of
    the list. `drop`: ranges to remove. `coverage`, `ipv6_ranges`: of the list after the change; None if no range
    changes.
    """

    effect: Effect
    needs_ipv6: bool
    coverage: Coverage | None = None
    ipv6_ranges: int = 0
    put: dict[str, str] | None = None
    drop: Sequence[str] = ()
    staged: str | None = None
    count: int = 0
    changes: Sequence[tuple[str, str | None, str | None]] = ()
    """Up to 100 of the ranges that change, each with its values before and after: for the audit log."""

    def arguments(self) -> dict[str, Any]:
        """Return what write_ranges in prelude.lua takes."""
        arguments: dict[str, Any] = {
            "effect": self.effect.arguments(),
            "needs_ipv6": self.needs_ipv6,
        }
        if self.coverage is None:
            return arguments
        put = self.put or {}
        return arguments | {
            "addresses": self.coverage.addresses,
            "blocks": self.coverage.blocks,
            "ipv6_ranges": self.ipv6_ranges,
            "put": list(put),
            "values": list(put.values()),
            "drop": list(self.drop),
            "staged": self.staged,
            "count": self.count,
            "changes": [[text, _or_false(old), _or_false(new)] for text, old, new in self.changes],
        }


@asynccontextmanager
async def discarding(scripts: Scripts, change: RangeChange) -> AsyncIterator[None]:
    """Remove the staged ranges of a change that fails; those that are missed expire."""
    try:
        yield
    except BaseException:
        if change.staged is not None:
            with suppress(Unavailable):
                await scripts.write(change.staged, _UNSTAGE)
        raise


async def stage(scripts: Scripts, workspace: str, ranges: dict[str, str]) -> str:
    """Write ranges with their values to a key of their own, which is returned.

    Raises: Unavailable.
    """
    key = key_names.of("staged", workspace, f"s{secrets.token_hex(8)}")
    items = iter(ranges.items())
    while part := list(islice(items, FEW)):
        words = chain.from_iterable(part)
        await scripts.write(key, _STAGE, str(_STAGED_FOR), *words)
    return key


def _or_false(value: str | None) -> str | bool:
    """Return a value as Lua has it: false for none, since "" is one."""
    return False if value is None else value
