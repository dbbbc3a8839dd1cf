"""The register of live workers: what each has applied, under a lease.

A row is written by its worker again and again, and counts until its lease runs out by the store's
clock. Its worker computes that end when it sends the row. The row has, for each shard, the change that
the worker applied last.
"""

import math
from collections.abc import Sequence

from ipgate.store import keys
from ipgate.store.connection import unavailable
from ipgate.store.rules import Head
from ipgate.store.scripts import Scripts
from ipgate.store.topology import FAULTS

_RENEW = """
local now = tonumber(time[1])
local rows = redis.call('HGETALL', KEYS[1])
for i = 1, #rows, 2 do
  if tonumber(string.match(rows[i + 1], '^%d+')) < now then redis.call('HDEL', KEYS[1], rows[i]) end
end
redis.call('HSET', KEYS[1], ARGV[2], string.format('%.0f ', ARGV[3]) .. ARGV[4])
"""

_REMOVE = "redis.call('HDEL', KEYS[1], ARGV[2])"

_LIVE = """
local now = tonumber(redis.call('TIME')[1])
local rows, live = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #rows, 2 do
  if tonumber(string.match(rows[i + 1], '^%d+')) >= now then
    live[#live + 1] = { rows[i], rows[i + 1] }
  end
end
return live
"""


class WorkerRegister:
    """Every method raises Unavailable when the store cannot be used."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    async def renew(self, worker: str, applied: Sequence[Head], lease: float) -> None:
        """Tells what a worker has applied, one head for each shard, for `lease` seconds."""
        heads = " ".join(f"{head.epoch}.{head.number}.{head.tip}" for head in applied)
        end = str(math.ceil(await self._scripts.lease_end(lease)))
        await self._scripts.write(keys.WORKERS, _RENEW, worker, end, heads)

    async def live(self) -> dict[str, list[Head]]:
        """What each worker whose lease lasts has applied, one head for each shard."""
        try:
            rows = await self._scripts.store.eval(_LIVE, 1, keys.WORKERS)
        except FAULTS as fault:
            raise unavailable(fault, writing=False) from fault
        return {worker: [_head(each) for each in row.split()[1:]] for worker, row in rows}

    async def leave(self, worker: str) -> None:
        """Removes a worker that answers no more."""
        await self._scripts.write(keys.WORKERS, _REMOVE, worker)


def _head(text: str) -> Head:
    epoch, number, tip = text.split(".")
    return Head(epoch, int(number), tip)
