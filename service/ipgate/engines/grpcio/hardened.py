"""Keeps a grpc.aio server alive whatever path it is called with.

grpc.aio decodes the path of a call in its one accept loop. A path that is not UTF-8, from anybody, ends
that loop and with it the server. Only the paths of registered methods are not decoded: gRPC's core has
compared them already. So all methods are registered, and calls of other paths fail here, before anything
looks at their path. docs/adr/0002-grpcio.md says how to upgrade grpcio.
"""

import asyncio
from contextlib import suppress
from typing import Any

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]

from ipgate.engines.messages import NO_METHOD

# Private: grpc.aio has no other way to fail a call without looking at its path.
PRIVATE = (
    "AioServer",
    "AioServer._make_request_call_future",
    "AioServer._request_call",
    "_ServicerContext",
)
_Context: Any = cygrpc._ServicerContext  # noqa: SLF001


class _Server(cygrpc.AioServer):  # type: ignore[misc]
    def __init__(self, loop: asyncio.AbstractEventLoop, *args: Any) -> None:
        super().__init__(loop, *args)
        self._ipgate_loop = loop
        self._failing: set[asyncio.Task[None]] = set()

    def _make_request_call_future(self, method: bytes | None) -> Any:
        """Return the next call of a registered method; for None, of all other paths."""
        if method is None:
            return self._ipgate_loop.create_task(self._fail_unregistered())
        return super()._make_request_call_future(method)

    async def _fail_unregistered(self) -> None:
        """Go on until the server stops, which `_request_call` reports by an exception."""
        while True:
            state = await self._request_call()
            context = _Context(state, None, None, self._ipgate_loop)
            task = self._ipgate_loop.create_task(_fail(context))
            self._failing.add(task)
            task.add_done_callback(self._failing.discard)


async def _fail(context: Any) -> None:
    # The first is how abort ends, the second comes of a peer that is gone.
    with suppress(cygrpc.AbortError, cygrpc.ExecuteBatchError):
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, NO_METHOD.message)


def harden() -> None:
    """Make all servers of grpc.aio that this process creates from now on hardened ones."""
    cygrpc.AioServer = _Server
