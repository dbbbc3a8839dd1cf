"""The least that grpc.aio can serve: a handler that does nothing. Argument: where to listen."""

import sys
from typing import Any

import grpc
import uvloop

EMPTY = "/bench.Floor/Empty"


async def _empty(_request: bytes, _context: Any) -> bytes:
    return b""


async def serve(address: str) -> None:
    server = grpc.aio.server()
    _, service, method = EMPTY.split("/")
    handlers: dict[str, Any] = {method: grpc.unary_unary_rpc_method_handler(_empty)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve(*sys.argv[1:]))
