"""Writes, which may have to be on replicas before they count."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from redis import exceptions as errors
from redis.asyncio import RedisCluster
from redis.asyncio.cluster import PipelineCommand

from ipgate.domain.errors import Unavailable
from ipgate.store.connection import unavailable
from ipgate.store.store_clock import Deadline
from ipgate.store.topology import FAULTS, Store, primary_of

_REPLICAS_TIMEOUT = 2000
"""Milliseconds that replicas have to confirm a write."""


class ReplicatedWriter:
    """Sends scripts that write.

    `replicas`: how many must have confirmed each of them.
    """

    def __init__(self, store: Store, steady: Callable[[], float], *, replicas: int) -> None:
        self._store = store
        self._steady = steady
        self._replicas = replicas

    async def write(self, key: str, deadline: Deadline, *command: str | int) -> Any:
        """Run a script that writes `key`, or keys of its hash tag, and makes no change after `deadline`.

        Raises: NoScriptError, which is left to the caller, and Unavailable.
        """
        try:
            if not self._replicas:
                return await self._store.execute_command(*command)
            answer, confirmed = await self._both(key, command)
        except errors.NoScriptError:
            raise
        except FAULTS as error:
            left = deadline.settled_at - self._steady()
            raise unavailable(error, writing=True, settled_after=left) from error
        if confirmed < self._replicas:
            raise Unavailable(
                f"the change was made, but {confirmed} instead of {self._replicas} replicas "
                "confirmed it: it may be lost if the primary fails; read the resource, and try again",
                reason="NOT_REPLICATED",
            )
        return answer

    async def _both(self, key: str, command: tuple[str | int, ...]) -> tuple[Any, int]:
        """Return the answers to a command and to the WAIT after it, which must share a connection."""
        wait = ("WAIT", self._replicas, _REPLICAS_TIMEOUT)
        if not isinstance(self._store, RedisCluster):
            pipe = self._store.pipeline(transaction=False)
            pipe.execute_command(*command)
            pipe.execute_command(*wait)
            answers = await pipe.execute(raise_on_error=False)
        else:
            answers = await self._on_node(self._store, key, command, wait)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers[0], int(answers[1])

    async def _on_node(
        self, cluster: RedisCluster, key: str, *commands: tuple[str | int, ...]
    ) -> list[Any]:
        await cluster.initialize()
        sent = [PipelineCommand(index, *command) for index, command in enumerate(commands)]
        try:
            await primary_of(cluster, key).execute_pipeline(sent)
        except (errors.ConnectionError, errors.TimeoutError):
            # The primary may be another one now; the next write goes there.
            with suppress(*FAULTS):
                await cluster.nodes_manager.initialize()
            raise
        if isinstance(sent[0].result, errors.MovedError):
            # It was not done. The client learns where the slot is now.
            await cluster.nodes_manager.move_slot(sent[0].result)
            await primary_of(cluster, key).execute_pipeline(sent)
        return [command.result for command in sent]
