"""The service that one writes in an afternoon: grpcio, the ranges from Redis at every call, a loop
over `ipaddress`. Arguments: where to listen, and the URL of the store."""

import ipaddress
import sys
from typing import Any

import grpc
import redis.asyncio as redis
import uvloop
from ipgate.v1.authorize_pb2 import AuthorizeRequest, AuthorizeResponse
from ipgate.v1.authorize_pb2_grpc import (
    AuthorizeServiceServicer,
    add_AuthorizeServiceServicer_to_server,
)


class Authorize(AuthorizeServiceServicer):
    def __init__(self, store: "redis.Redis") -> None:
        self._store = store

    async def Authorize(self, request: AuthorizeRequest, _context: Any) -> AuthorizeResponse:  # noqa: N802
        address = ipaddress.ip_address(request.ip)
        ranges: Any = self._store.lrange(f"ranges:{request.key}", 0, -1)
        for cidr in await ranges:
            if address in ipaddress.ip_network(cidr):
                return AuthorizeResponse(allowed=True, range=cidr)
        return AuthorizeResponse(allowed=False)


async def serve(address: str, url: str) -> None:
    server = grpc.aio.server()
    store = redis.Redis.from_url(url, decode_responses=True)
    add: Any = add_AuthorizeServiceServicer_to_server
    add(Authorize(store), server)  # type: ignore[abstract]  # one method of three is asked
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve(*sys.argv[1:]))
