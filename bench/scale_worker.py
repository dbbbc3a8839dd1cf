"""A worker as `ipgate serve` starts it, with a probe of its event loop beside its services."""

import asyncio
import gc
import json
import time
from collections import defaultdict
from typing import Any

import grpc
import uvloop
from ipgate.app import worker
from ipgate.engines import grpcio

READ = "/bench.Probe/Read"
"""Answers what was seen since it was read last, as JSON."""

_PAUSE = 0.001


class Probe:
    """How long the event loop let a task wait that wakes up every millisecond.

    `late`: ms on the clock, with what other processes took of the cores. `held`: ms of CPU that
    the loop's own thread spent in between.
    """

    def __init__(self) -> None:
        self._began = 0.0
        self._reset()
        gc.callbacks.append(self._collected)

    def _reset(self) -> None:
        self._late = self._held = 0.0
        self._over = 0
        self._collections: defaultdict[int, float] = defaultdict(float)

    def _collected(self, phase: str, info: dict[str, Any]) -> None:
        now = time.thread_time()
        if phase == "start":
            self._began = now
        else:
            lasted = (now - self._began) * 1000
            generation = info["generation"]
            self._collections[generation] = max(self._collections[generation], lasted)

    async def run(self) -> None:
        while True:
            clock, cpu = time.perf_counter(), time.thread_time()
            await asyncio.sleep(_PAUSE)
            held = (time.thread_time() - cpu) * 1000
            late = (time.perf_counter() - clock - _PAUSE) * 1000
            self._late, self._held = max(self._late, late), max(self._held, held)
            self._over += held > 10

    async def read(self, _request: bytes, _context: Any) -> bytes:
        seen = {
            "late": self._late,
            "held": self._held,
            "over": self._over,
            "collections": self._collections,
        }
        self._reset()
        return json.dumps(seen).encode()


def _with_probe(build: Any) -> Any:
    def built(*args: Any, **kwargs: Any) -> grpcio.GrpcioEngine:
        engine: grpcio.GrpcioEngine = build(*args, **kwargs)
        probe = Probe()
        methods: dict[str, Any] = {"Read": grpc.unary_unary_rpc_method_handler(probe.read)}
        engine.server.add_paths(READ)
        engine.server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("bench.Probe", methods),)
        )
        _RUNNING.append(asyncio.get_running_loop().create_task(probe.run()))
        return engine

    return built


_RUNNING: list["asyncio.Task[None]"] = []

if __name__ == "__main__":
    grpcio.build = _with_probe(grpcio.build)
    uvloop.run(worker.main())
