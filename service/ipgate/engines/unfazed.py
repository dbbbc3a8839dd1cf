"""A grpc.aio server that no path can stop, and that takes up calls at little cost.

grpc.aio decodes the path of a call in the one loop that takes up calls: a path that is not UTF-8,
from anybody, ends that loop and with it the server (grpcio 1.85 and before). Only the calls of
registered methods are not decoded, since gRPC's core has compared their paths already. So all
methods are registered here, and all other calls are refused before anything looks at their path.

That loop waits for the next call of any method by asyncio.wait, which goes through all methods for each
call. So each method is waited for by itself here, and the loop is left with one future: that of the end.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence, Sized
from contextlib import suppress
from typing import Any

import grpc
from grpc._cython import cygrpc
from grpc.aio import _server

from ipgate.engines.calls import missing, refuse

# What grpc.aio has for it is private: there is no other way to refuse a call, or to take one up.
_Context: Any = cygrpc._ServicerContext  # noqa: SLF001
_Resolver: Any = cygrpc._MethodResolver  # noqa: SLF001
_NotTaken: Any = cygrpc._RequestCallError  # noqa: SLF001
_handle: Any = cygrpc._handle_rpc  # noqa: SLF001
_watch: Any = cygrpc._schedule_rpc_coro  # noqa: SLF001

Options = tuple[tuple[str, Any], ...]


class Server(_server.Server):
    """As of `grpc.aio.server`; its methods must be made known by `add_paths` before it starts."""

    def __init__(self, options: Options, most_calls: int) -> None:
        self._loop = cygrpc.get_working_loop()
        self._server = _Core(self._loop, options, most_calls)

    def add_paths(self, *paths: str) -> None:
        """Lets calls of these paths reach the generic handlers."""
        # Registered without a handler, so that the generic ones are asked.
        self._server.add_registered_method_handlers(dict.fromkeys(paths))

    @property
    def calls(self) -> Sized:
        """The calls under way."""
        calls: Sized = self._server.calls
        return calls

    def count_beside(self, others: Callable[[], int]) -> None:
        """Lets the limit of calls hold for these together with others."""
        self._server.others = others


class _Core(cygrpc.AioServer):  # type: ignore[misc]
    def __init__(self, loop: asyncio.AbstractEventLoop, options: Options, most_calls: int) -> None:
        self._handlers: list[grpc.GenericRpcHandler] = []
        super().__init__(loop, None, (), None, options, None)
        self._running = loop
        self._most_calls = most_calls
        self._end: asyncio.Future[None] = loop.create_future()
        self._takers: set[asyncio.Task[None]] = set()
        self.calls: set[asyncio.Task[None]] = set()
        self.others: Callable[[], int] = lambda: 0
        self._refusals: set[asyncio.Task[None]] = set()

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        self._handlers += handlers

    def _make_request_call_future(self, method: bytes | None) -> "asyncio.Future[None]":
        """Begins to take up the calls of a registered method; None stands for all that are not. The
        future is the same for all of them."""
        taking = self._refuse_all() if method is None else self._take(method)
        taker = self._running.create_task(taking)
        self._takers.add(taker)
        taker.add_done_callback(self._ended)
        return self._end

    def _ended(self, taker: "asyncio.Task[None]") -> None:
        """Whatever ends the taking up of a method's calls ends the server."""
        self._takers.discard(taker)
        if self._end.done():
            return
        if self.is_running():
            fault = None if taker.cancelled() else taker.exception()
            self._end.set_exception(fault or RuntimeError("calls of a method are not taken up"))
        else:
            self._end.set_exception(_NotTaken())
        self._end.exception()  # it is no fault if nobody asks for it

    async def _take(self, method: bytes) -> None:
        path, resolver = method.decode(), _Resolver(self._handlers, {})
        loop, calls, refusals, most = self._running, self.calls, self._refusals, self._most_calls
        while self.is_running():
            try:
                state = await self._request_registered_call(method)
            except _NotTaken:
                continue
            full = len(calls) + self.others() >= most
            handling = _handled(_handle(path, resolver, (), state, loop, full), state, loop)
            task = loop.create_task(_watch(handling, state, loop, path))
            kept = refusals if full else calls
            kept.add(task)
            task.add_done_callback(kept.discard)

    async def _refuse_all(self) -> None:
        while self.is_running():
            try:
                state = await self._request_call()
            except _NotTaken:
                continue
            task = self._running.create_task(_refuse(_Context(state, None, None, self._running)))
            self._refusals.add(task)
            task.add_done_callback(self._refusals.discard)


async def _handled(handling: Coroutine[Any, Any, None], state: Any, loop: Any) -> None:
    """As grpc.aio handles a call, which gives no status to one that ended without a message."""
    await handling
    context = _Context(state, None, None, loop)
    if not context.done():
        await refuse(context, missing())


async def _refuse(context: Any) -> None:
    # The first is how abort ends, the second comes of a peer that is gone.
    with suppress(cygrpc.AbortError, cygrpc.ExecuteBatchError):
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "there is no such method")
