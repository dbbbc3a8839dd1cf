"""Reads of many coroutines, sent together: each is written as if it were alone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from redis.asyncio import RedisCluster

from ipgate.store.topology import FAULTS, Store

PAGE = 500
"""Members of a set, or keys of the store, that one command reads, about."""

CONNECTIONS = 8
"""To a server, at most."""

_SCANS = {"set": "SSCAN", "zset": "ZSCAN", "hash": "HSCAN"}


class Reading:
    """Bounded commands only, each of one key."""

    def __init__(self, redis: Store) -> None:
        self.redis = redis
        self._waiting: list[tuple[tuple[str | int, ...], asyncio.Future[Any]]] = []
        self._sending: set[asyncio.Task[None]] = set()

    async def ask(self, *command: str | int) -> Any:
        """The answer to a command, which goes with all others asked meanwhile. Raises redis's
        errors."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._start)
        answer: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((command, answer))
        return await answer

    async def members(self, key: str, kind: str) -> AsyncIterator[list[str]]:
        """The members of a set or sorted set, the fields of a hash, in pages."""
        cursor = 0
        while True:
            cursor, found = await self.ask(_SCANS[kind], key, cursor, "COUNT", PAGE)
            yield [member for member, _ in found] if kind == "zset" else list(found)
            if not int(cursor):
                return

    async def keys(self) -> AsyncIterator[list[str]]:
        """All keys of ipgate, in pages; each at least once, if it is there all the while."""
        page = []
        async for key in self.redis.scan_iter(match="ipgate:*", count=PAGE):
            page.append(str(key))
            if len(page) >= PAGE:
                yield page
                page = []
        yield page

    def _start(self) -> None:
        batch, self._waiting = self._waiting, []
        task = asyncio.get_running_loop().create_task(self._send(batch))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, batch: list[tuple[tuple[str | int, ...], asyncio.Future[Any]]]) -> None:
        answers: list[Any]
        try:
            answers = await self._answers([command for command, _ in batch])
        except FAULTS as fault:
            answers = [fault] * len(batch)
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    async def _answers(self, commands: list[tuple[str | int, ...]]) -> list[Any]:
        if isinstance(self.redis, RedisCluster):
            slots = asyncio.Semaphore(CONNECTIONS)

            async def one(cluster: RedisCluster, command: tuple[str | int, ...]) -> Any:
                async with slots:
                    return await cluster.execute_command(*command)

            ones = (one(self.redis, command) for command in commands)
            return await asyncio.gather(*ones, return_exceptions=True)
        pipe = self.redis.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        return list(await pipe.execute(raise_on_error=False))
