"""The guards of gRPC servers of grpcio, with threads and with asyncio.

    grpc.server(pool, interceptors=[IpgateInterceptor(Client(...))])
    grpc.aio.server(interceptors=[AsyncIpgateInterceptor(AsyncClient(...))])

README.md of the distribution has a whole example.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextvars import ContextVar
from typing import Any, Generic, TypeVar
from urllib.parse import unquote

import grpc
import grpc.aio
from ipgate.domain.forwarded import UNIX

from ipgate_client.async_client import AsyncClient
from ipgate_client.client import Client
from ipgate_client.guard import DEFAULT_KEY, Guard, KeySource, Rejection
from ipgate_client.questions import Question
from ipgate_client.verdict import Verdict

VERDICT: ContextVar[Verdict] = ContextVar("ipgate_verdict")
"""The verdict on the call that a method works on."""

_CODES = {
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    503: grpc.StatusCode.UNAVAILABLE,
}


_Client = TypeVar("_Client")


class _Interceptor(Generic[_Client]):
    """Finds the API key and the address of a call.

    `key`: see KeySource; a function gets the context of the call. `trusted_proxies`: CIDR ranges of the proxies whose
    metadata are believed, or `unix`. `exempt`: methods that need no API key, as in `/grpc.health.v1.Health/Check`.
    Raises ConfigError.
    """

    def __init__(
        self,
        client: _Client,
        *,
        key: KeySource = DEFAULT_KEY,
        trusted_proxies: Iterable[str] = (),
        exempt: Collection[str] = (),
    ) -> None:
        self._client = client
        self._guard = Guard(key, trusted_proxies, exempt)

    def _question(self, context: Any) -> Question | Verdict:
        return self._guard.question(
            context, lambda name: _values(context, name), peer=_peer(context.peer())
        )

    def _is_exempt(self, details: grpc.HandlerCallDetails) -> bool:
        return details.method in self._guard.exempt


class IpgateInterceptor(_Interceptor[Client], grpc.ServerInterceptor):
    """Lets calls of allowed end clients through to the methods of a server with threads."""

    def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        handler = continuation(details)
        if handler is None or self._is_exempt(details):
            return handler
        return _with_behavior(handler, self._guarded)

    def _guarded(self, behavior: Any) -> Any:
        def call(request: Any, context: grpc.ServicerContext) -> Any:
            question = self._question(context)
            verdict = question if isinstance(question, Verdict) else self._client.check(**question)
            rejection = self._guard.rejection(verdict)
            if rejection is not None:
                context.abort(*_status(rejection))
            VERDICT.set(verdict)
            return behavior(request, context)

        return call


class AsyncIpgateInterceptor(_Interceptor[AsyncClient], grpc.aio.ServerInterceptor):
    """Lets calls of allowed end clients through to the methods of a server with asyncio, which must be `async`."""

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Any:
        handler = await continuation(details)
        if handler is None or self._is_exempt(details):
            return handler
        return _with_behavior(handler, self._guarded)

    def _guarded(self, behavior: Any) -> Any:
        async def call(request: Any, context: Any) -> Any:
            await self._admit(context)
            return await behavior(request, context)

        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            await self._admit(context)
            async for response in behavior(request, context):
                yield response

        if inspect.isasyncgenfunction(behavior):
            return stream
        if not inspect.iscoroutinefunction(behavior):
            raise TypeError(
                f"{behavior!r} is not async; AsyncIpgateInterceptor guards async methods"
            )
        return call

    async def _admit(self, context: Any) -> None:
        question = self._question(context)
        verdict = (
            question if isinstance(question, Verdict) else await self._client.check(**question)
        )
        rejection = self._guard.rejection(verdict)
        if rejection is not None:
            await context.abort(*_status(rejection))
        VERDICT.set(verdict)


def _with_behavior(handler: Any, guarded: Callable[[Any], Any]) -> Any:
    """Return the handler of a method with a guard before its behavior."""
    kinds = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
    kind = next(kind for kind in kinds if getattr(handler, kind))
    make = getattr(grpc, f"{kind}_rpc_method_handler")
    return make(
        guarded(getattr(handler, kind)),
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def _status(rejection: Rejection) -> tuple[grpc.StatusCode, str]:
    return _CODES[rejection.status], rejection.phrase


def _values(context: Any, name: str) -> list[str]:
    return [str(value) for key, value in context.invocation_metadata() or () if key == name]


def _peer(text: str) -> str:
    """Return the address in gRPC's name of a peer, as in `ipv6:%5B::1%5D:50123`."""
    kind, _, address = text.partition(":")
    return UNIX if kind == "unix" else unquote(address)
