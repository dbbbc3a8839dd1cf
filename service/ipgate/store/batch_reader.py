"""Batches the reads of many coroutines: each coroutine is written as if it were alone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from redis.asyncio import RedisCluster
from redis.exceptions import ResponseError

from ipgate.store.topology import FAULTS, Store

PAGE = 500
"""Members of a set, or keys of the store, that one command reads, approximately."""

MAX_CONNECTIONS = 8
"""Connections to one server."""

_SCANS = {"set": "SSCAN", "zset": "ZSCAN", "hash": "HSCAN"}


class WrongKeyType(Exception):
    """A key has another Redis type than the command needs."""


class BatchReader:
    """Runs bounded commands, each of one key."""

    def __init__(self, redis: Store) -> None:
        self.redis = redis
        self._waiting: list[tuple[tuple[str | int, ...], asyncio.Future[Any]]] = []
        self._sending: set[asyncio.Task[None]] = set()

    async def execute(self, *command: str | int) -> Any:
        """Return the answer to a command, which is sent together with other waiting commands.

        Raises:
            WrongKeyType: the key has another type. Other errors are redis-py's.
        """
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._send_batch)
        answer: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((command, answer))
        return await answer

    async def members(self, key: str, kind: str) -> AsyncIterator[list[str]]:
        """Yield the members of a set or sorted set, or the fields of a hash, in pages."""
        cursor = 0
        while True:
            cursor, page = await self.execute(_SCANS[kind], key, cursor, "COUNT", PAGE)
            yield [member for member, _ in page] if kind == "zset" else list(page)
            if not int(cursor):
                return

    async def fields(self, key: str) -> AsyncIterator[dict[str, str]]:
        """Yield the fields of a hash with their values, in pages."""
        cursor = 0
        while True:
            cursor, page = await self.execute("HSCAN", key, cursor, "COUNT", PAGE)
            yield page
            if not int(cursor):
                return

    async def keys(self) -> AsyncIterator[list[str]]:
        """Yield all keys of ipgate in pages; a key that exists throughout appears at least once."""
        page = []
        async for key in self.redis.scan_iter(match="ipgate:*", count=PAGE):
            page.append(str(key))
            if len(page) >= PAGE:
                yield page
                page = []
        yield page

    def _send_batch(self) -> None:
        batch, self._waiting = self._waiting, []
        task = asyncio.get_running_loop().create_task(self._send(batch))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, batch: list[tuple[tuple[str | int, ...], asyncio.Future[Any]]]) -> None:
        answers: list[Any]
        try:
            answers = await self._answers([command for command, _ in batch])
        except FAULTS as error:
            answers = [error] * len(batch)
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                wrong_type = isinstance(answer, ResponseError) and "WRONGTYPE" in str(answer)
                future.set_exception(WrongKeyType(str(answer)) if wrong_type else answer)
            else:
                future.set_result(answer)

    async def _answers(self, commands: list[tuple[str | int, ...]]) -> list[Any]:
        if isinstance(self.redis, RedisCluster):
            limit = asyncio.Semaphore(MAX_CONNECTIONS)

            async def one(cluster: RedisCluster, command: tuple[str | int, ...]) -> Any:
                async with limit:
                    return await cluster.execute_command(*command)

            ones = (one(self.redis, command) for command in commands)
            return await asyncio.gather(*ones, return_exceptions=True)
        pipe = self.redis.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        return list(await pipe.execute(raise_on_error=False))
