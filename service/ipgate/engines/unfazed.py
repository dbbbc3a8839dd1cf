"""A grpc.aio server that no path can stop.

grpc.aio decodes the path of a call in the one loop that takes up calls: a path that is not UTF-8,
from anybody, ends that loop and with it the server (grpcio 1.85 and before). Only the calls of
registered methods are not decoded, since gRPC's core has compared their paths already. So all
methods are registered here, and all other calls are refused before anything looks at their path.
"""

import asyncio
from contextlib import suppress
from typing import Any

import grpc
from grpc._cython import cygrpc
from grpc.aio import _server

_Context: Any = cygrpc._ServicerContext  # noqa: SLF001  there is no other way to refuse a call


class Server(_server.Server):
    """As of `grpc.aio.server`; its methods must be made known by `add_paths` before it starts."""

    def __init__(self, options: tuple[tuple[str, Any], ...], most_calls: int) -> None:
        self._loop = cygrpc.get_working_loop()
        self._server = _Core(self._loop, None, (), None, options, most_calls)

    def add_paths(self, *paths: str) -> None:
        """Lets calls of these paths reach the generic handlers."""
        # Registered without a handler, so that the generic ones are asked.
        self._server.add_registered_method_handlers(dict.fromkeys(paths))


class _Core(cygrpc.AioServer):  # type: ignore[misc]
    def __init__(self, loop: asyncio.AbstractEventLoop, *args: Any) -> None:
        super().__init__(loop, *args)
        self._running = loop
        self._refusals: set[asyncio.Task[None]] = set()

    def _make_request_call_future(self, method: bytes | None) -> Any:
        """The next call of a registered method; of all others none, ever."""
        if method is not None:
            return super()._make_request_call_future(method)
        return asyncio.create_task(self._refuse_all())

    async def _refuse_all(self) -> None:
        while True:
            state = await self._request_call()
            task = asyncio.create_task(_refuse(_Context(state, None, None, self._running)))
            self._refusals.add(task)
            task.add_done_callback(self._refusals.discard)


async def _refuse(context: Any) -> None:
    # The first is how abort ends, the second comes of a peer that is gone.
    with suppress(cygrpc.AbortError, cygrpc.ExecuteBatchError):
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "there is no such method")
