"""A worker as `ipgate serve` starts it, with an empty handler beside its services: the floor that
Authorize is compared with, in the same process."""

from typing import Any

import grpc
import uvloop
from ipgate.app import worker
from ipgate.engines import grpcio

EMPTY = "/bench.Floor/Empty"


async def _empty(_request: bytes, _context: Any) -> bytes:
    return b""


def _with_floor(build: Any) -> Any:
    def built(*args: Any, **kwargs: Any) -> grpcio.GrpcioEngine:
        engine: grpcio.GrpcioEngine = build(*args, **kwargs)
        methods: dict[str, Any] = {"Empty": grpc.unary_unary_rpc_method_handler(_empty)}
        floor = grpc.method_handlers_generic_handler("bench.Floor", methods)
        engine.server.add_paths(EMPTY)
        engine.server.add_generic_rpc_handlers((floor,))
        return engine

    return built


if __name__ == "__main__":
    grpcio.build = _with_floor(grpcio.build)
    uvloop.run(worker.main())
