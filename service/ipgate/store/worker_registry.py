"""The registry of live workers: what each has applied, under a lease.

Each worker renews its row. The row counts until its lease ends by the store's clock; the worker computes
that end when it sends the row. A row holds, for each shard, the change that the worker applied last.
"""

import math
from collections.abc import Sequence

from ipgate.domain.changes import Position
from ipgate.store import key_names
from ipgate.store.connection import unavailable
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


class WorkerRegistry:
    """Every method raises Unavailable when the store cannot be used."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    async def renew(self, worker: str, applied: Sequence[Position], lease: float) -> None:
        """Register the position of a worker in each shard, for `lease` seconds."""
        heads = " ".join(
            f"{position.epoch}.{position.sequence}.{position.change_id}" for position in applied
        )
        end = str(math.ceil(await self._scripts.lease_end(lease)))
        await self._scripts.write(key_names.WORKERS, _RENEW, worker, end, heads)

    async def live(self) -> dict[str, list[Position]]:
        """Return the position in each shard of every worker whose lease has not ended."""
        try:
            rows = await self._scripts.store.eval(_LIVE, 1, key_names.WORKERS)
        except FAULTS as error:
            raise unavailable(error, writing=False) from error
        return {worker: [_position(text) for text in row.split()[1:]] for worker, row in rows}

    async def remove(self, worker: str) -> None:
        """Remove a worker that answers no longer."""
        await self._scripts.write(key_names.WORKERS, _REMOVE, worker)


def _position(text: str) -> Position:
    epoch, sequence, change_id = text.split(".")
    return Position(epoch, int(sequence), change_id)
