"""Callers of `bench scale`, in processes of their own: each reports what became of its questions."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from ipgate.v1 import authorize_pb2 as authorize

from bench.scale_data import INSIDE, OUTSIDE, credential

AUTHORIZE = "/ipgate.v1.AuthorizeService/Authorize"
BATCH = "/ipgate.v1.AuthorizeService/BatchAuthorize"
_BATCH = 100
_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_reconnect_backoff_ms", 100))


@dataclass
class Answers:
    """`times`: when each answer came, in s since the start, and its latency in ms. `failed`: when each
    error came."""

    times: list[tuple[float, float]] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    failed: list[float] = field(default_factory=list)
    wrong: int = 0

    def latencies(self) -> list[float]:
        return [latency for _, latency in self.times]


class Caller:
    """Asks one worker. A question is about a key by its number; the answer is checked."""

    def __init__(self, address: str, token: str) -> None:
        self.channel = grpc.aio.insecure_channel(address, _OPTIONS)
        self._ask: Any = self.channel.unary_unary(AUTHORIZE)
        self._batch: Any = self.channel.unary_unary(BATCH)
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._began = time.perf_counter()
        self.answers = Answers()

    async def ask(self, index: int, *, inside: bool = True) -> None:
        began = time.perf_counter()
        raw = question(index, inside=inside).SerializeToString()
        try:
            answer = authorize.AuthorizeResponse.FromString(
                await self._ask(raw, metadata=self._metadata, timeout=10)
            )
        except grpc.aio.AioRpcError as error:
            self.answers.errors[error.code().name] += 1
            self.answers.failed.append(time.perf_counter() - self._began)
            return
        now = time.perf_counter()
        self.answers.wrong += answer.allowed is not inside
        self.answers.times.append((now - self._began, (now - began) * 1000))

    async def batch(self, indexes: Sequence[int]) -> None:
        """Asks for all, again where there is no answer yet."""
        left = list(indexes)
        while left:
            requests = [question(index, inside=True) for index in left]
            raw = authorize.BatchAuthorizeRequest(requests=requests).SerializeToString()
            results = authorize.BatchAuthorizeResponse.FromString(
                await self._batch(raw, metadata=self._metadata, timeout=60)
            ).results
            failed = [result.WhichOneof("result") == "error" for result in results]
            self.answers.wrong += sum(
                not result.response.allowed
                for result, refused in zip(results, failed, strict=True)
                if not refused
            )
            left = [index for index, refused in zip(left, failed, strict=True) if refused]


def question(index: int, *, inside: bool) -> authorize.AuthorizeRequest:
    return authorize.AuthorizeRequest(key=credential(index), ip=INSIDE if inside else OUTSIDE)


def paced(address: str, token: str, keys: Sequence[Sequence[int]], rate: int) -> list[Answers]:
    """Asks once for each key of each group at so many calls a second in all, the groups in turn,
    without waiting for answers: a delay of one call shows in all that follow."""

    async def run() -> list[Answers]:
        callers = [Caller(address, token) for _ in keys]
        await asyncio.gather(*(caller.channel.channel_ready() for caller in callers))
        began, asked = time.perf_counter(), set[asyncio.Task[None]]()
        for count, turn in enumerate(zip(*keys, strict=True)):
            for caller, index in zip(callers, turn, strict=True):
                task = asyncio.create_task(caller.ask(index))
                asked.add(task)
                task.add_done_callback(asked.discard)
            due = began + (count + 1) * len(keys) / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await asyncio.gather(*asked)
        return [caller.answers for caller in callers]

    return asyncio.run(run())


def crowd(address: str, token: str, keys: int, seconds: float) -> Answers:
    """64 callers ask for keys at random, each as fast as it is answered."""

    async def run() -> Answers:
        caller = Caller(address, token)
        until = time.perf_counter() + seconds

        async def one(number: int) -> None:
            index = number * 7919
            while time.perf_counter() < until:
                index = (index * 1103515245 + 12345) % 2**31
                before = caller.answers.errors.total()
                await caller.ask(index % keys, inside=bool(index & 64))
                if caller.answers.errors.total() > before:
                    await asyncio.sleep(0.02)

        await asyncio.gather(*(one(number) for number in range(64)))
        return caller.answers

    return asyncio.run(run())


def everything(address: str, token: str, first: int, after: int, done: Callable[[int], Any]) -> int:
    """Asks once for each key of a range, in batches; how many answers were wrong."""

    async def run() -> int:
        caller = Caller(address, token)

        async def some(start: int) -> None:
            for at in range(start, after, 8 * _BATCH):
                indexes = range(at, min(at + _BATCH, after))
                await caller.batch(indexes)
                done(len(indexes))

        await asyncio.gather(*(some(first + number * _BATCH) for number in range(8)))
        return caller.answers.wrong

    return asyncio.run(run())
