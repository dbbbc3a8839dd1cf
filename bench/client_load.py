"""A client process of bench/coalescing.py: `client_load.py KIND SERVER TOKEN KEY IP IN_FLIGHT`.

For each line with a count it asks that often and prints the seconds of CPU that it took. `KIND` is `asyncio` or
`threads`; with `-unary` it calls the stub as a user without the client library would.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Awaitable, Callable

import grpc
import grpc.aio
from ipgate.v1.authorize_pb2 import AuthorizeRequest
from ipgate.v1.authorize_pb2_grpc import AuthorizeServiceStub
from ipgate_client import AsyncClient, Client

TIMEOUT = 10.0


def threads(ask: Callable[[], object], in_flight: int) -> None:
    def work(count: int) -> None:
        for _ in range(count):
            assert ask()

    for line in iter(sys.stdin.readline, ""):
        began = time.process_time()
        workers = [
            threading.Thread(target=work, args=(int(line) // in_flight,)) for _ in range(in_flight)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        print(time.process_time() - began, flush=True)


async def tasks(ask: Callable[[], Awaitable[object]], in_flight: int) -> None:
    async def work(count: int) -> None:
        for _ in range(count):
            assert await ask()

    for line in iter(sys.stdin.readline, ""):
        began = time.process_time()
        await asyncio.gather(*(work(int(line) // in_flight) for _ in range(in_flight)))
        print(time.process_time() - began, flush=True)


async def _asyncio(kind: str, server: str, token: str, key: str, ip: str, in_flight: int) -> None:
    if kind == "asyncio":
        async with AsyncClient(server, token=token, timeout=TIMEOUT) as client:
            await tasks(lambda: client.check(key=key, ip=ip), in_flight)
        return
    metadata = (("authorization", f"Bearer {token}"),)
    async with grpc.aio.insecure_channel(server) as channel:
        authorize = AuthorizeServiceStub(channel).Authorize

        async def ask() -> bool:
            request = AuthorizeRequest(key=key, ip=ip)
            answer = await authorize(request, timeout=TIMEOUT, metadata=metadata)
            return bool(answer.allowed)

        await tasks(ask, in_flight)


def main(kind: str, server: str, token: str, key: str, ip: str, in_flight: str) -> None:
    count = int(in_flight)
    if kind.startswith("asyncio"):
        asyncio.run(_asyncio(kind, server, token, key, ip, count))
    elif kind == "threads":
        with Client(server, token=token, timeout=TIMEOUT) as client:
            threads(lambda: client.check(key=key, ip=ip), count)
    else:
        metadata = (("authorization", f"Bearer {token}"),)
        with grpc.insecure_channel(server) as channel:
            authorize = AuthorizeServiceStub(channel).Authorize

            def ask() -> bool:
                request = AuthorizeRequest(key=key, ip=ip)
                return authorize(request, timeout=TIMEOUT, metadata=metadata).allowed

            threads(ask, count)


if __name__ == "__main__":
    main(*sys.argv[1:])
