"""A worker as `ipgate serve` starts it, with a probe of its event loop beside its services."""

import asyncio
import gc
import json
import time
from dataclasses import asdict, dataclass
from typing import Any

import uvloop
from ipgate.app import worker_process
from ipgate.engines import http2

READ = "/bench.Probe/Read"
"""Answers what was seen since it was read last, as JSON."""

_PAUSE = 0.001


@dataclass(slots=True)
class Seen:
    """The longest that the event loop let a task wait that wakes up every millisecond, in ms.

    `late`: on the clock, with what other processes took of the cores. `held`: CPU that the loop's own
    thread spent in between. `gc`: CPU of the garbage collector at a time, `held` has it too.
    """

    late: float = 0
    held: float = 0
    gc: float = 0


class Probe:
    def __init__(self) -> None:
        self._began = 0.0
        self._seen = Seen()
        gc.callbacks.append(self._collected)

    def _collected(self, phase: str, _info: dict[str, Any]) -> None:
        now = time.thread_time()
        if phase == "start":
            self._began = now
        else:
            self._seen.gc = max(self._seen.gc, (now - self._began) * 1000)

    async def run(self) -> None:
        while True:
            clock, cpu = time.perf_counter(), time.thread_time()
            await asyncio.sleep(_PAUSE)
            held = (time.thread_time() - cpu) * 1000
            late = (time.perf_counter() - clock - _PAUSE) * 1000
            seen = self._seen
            seen.late, seen.held = max(seen.late, late), max(seen.held, held)

    is_stream = False
    max_bytes = 1024

    def is_admitted(self, _info: Any) -> bool:
        """As of a method of ipgate's; anybody may ask."""
        return True

    def start(self, _info: Any, _raw: bytes) -> bytes:
        seen, self._seen = self._seen, Seen()
        return json.dumps(asdict(seen)).encode()


def _with_probe(build: Any) -> Any:
    def built(settings: Any, listen_address: Any, methods: dict[str, Any], *rest: Any) -> Any:
        probe = Probe()
        _RUNNING.append(asyncio.get_running_loop().create_task(probe.run()))
        return build(settings, listen_address, {**methods, READ: probe}, *rest)

    return built


_RUNNING: list["asyncio.Task[None]"] = []

if __name__ == "__main__":
    http2.build = _with_probe(http2.build)
    uvloop.run(worker_process.main())
