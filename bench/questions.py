"""A question of a batch without gRPC, whole and by its parts, run over and over in this process."""

import asyncio
import secrets
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from ipgate.authorizer.authorizer import Verdict
from ipgate.rpc.answers import batch_out, question_in
from ipgate.rpc.authorize import AuthorizeServicer
from ipgate.rpc.decisions import Decisions
from ipgate.v1 import authorize_pb2 as authorize

from bench import ranges
from bench.figures import Figure
from tests.harness.in_process import ROOT, Root, Worker, running_worker
from tests.harness.stores import EMBEDDED, StoreServer

_BATCH = 100
_RANGES = 10
_CALLS = 20
_ROUNDS = 15


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        store = StoreServer(Path(directory), program=EMBEDDED)
        store.start()
        try:
            return asyncio.run(_measure(store.url))
        finally:
            store.stop()


async def _measure(url: str) -> list[Figure]:
    async with running_worker(url) as worker:
        request = authorize.BatchAuthorizeRequest(requests=await _questions(worker))
        encoded = request.SerializeToString()
        servicer = AuthorizeServicer(Decisions(worker.authorizer))

        def read() -> authorize.BatchAuthorizeRequest:
            return authorize.BatchAuthorizeRequest.FromString(encoded)

        async def whole() -> bytes:
            answer = servicer.BatchAuthorize(read(), Root())
            return answer if isinstance(answer, bytes) else await answer

        answer = authorize.BatchAuthorizeResponse.FromString(await whole())
        assert all(result.response.allowed for result in answer.results)
        questions = [question_in(message) for message in request.requests]

        def verdicts() -> list[Verdict]:
            try_decide = worker.authorizer.try_decide
            return [verdict for question in questions if (verdict := try_decide(ROOT, question))]

        decided = verdicts()
        of = {
            "message and its fields": lambda: [
                (message.min_revision, message.key, message.api_key, message.ip)
                for message in read().requests
            ],
            "question": lambda: [question_in(message) for message in request.requests],
            "decision": verdicts,
            "encoding": lambda: batch_out(decided),
        }
        cost = {name: await _microseconds(_awaited(part)) for name, part in of.items()}
        cost["all of it"] = await _microseconds(whole)
        return [
            Figure(f"a question of a batch: {name}", value, "µs") for name, value in cost.items()
        ]


async def _questions(worker: Worker) -> list[authorize.AuthorizeRequest]:
    """One for each of a hundred keys, answered once before, so that all is held."""
    texts = ranges.texts(_RANGES)
    credentials = [secrets.token_urlsafe(41) for _ in range(_BATCH)]
    names = [f"k{number}" for number in range(_BATCH)]
    for name, credential in zip(names, credentials, strict=True):
        await worker.key(name, credential)
    await worker.allow_list("l", *texts)
    await worker.link("l", *names)
    await worker.caught_up()
    asked = list(zip(credentials, ranges.all_inside(texts, _BATCH), strict=True))
    for credential, ip in asked:
        await worker.ask(ip, secret=credential)
    return [authorize.AuthorizeRequest(key=credential, ip=ip) for credential, ip in asked]


def _awaited(part: Callable[[], object]) -> Callable[[], Awaitable[object]]:
    async def run() -> object:
        return part()

    return run


async def _microseconds(run: Callable[[], Awaitable[object]]) -> float:
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        for _ in range(_CALLS):
            await run()
        times.append((time.perf_counter() - began) / _CALLS / _BATCH)
    return statistics.median(times) * 1e6
