"""Unary gRPC calls as an ASGI server hands them over, with gRPC's framing written by hand.

Source: ASGI's HTTP protocol 2.5 with its extension for trailers. More than ASGI promises is relied on
of the server, pyvoy: it takes an event when `send` is called, so that nobody need await it, and it
makes the task of a call by the event loop, so that `task` may tell it that none is needed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from google.rpc.status_pb2 import Status

from ipgate.engines.http2.framing import ENCODINGS, PREFIX, Frames, framed, seconds, status_headers
from ipgate.engines.messages import LATE, LONGEST_READ, missing, too_slow
from ipgate.engines.room import Room
from ipgate.rpc.call_info import CallInfo
from ipgate.rpc.pipeline import Method, Refusal
from ipgate.rpc.status import internal, to_status

_POLL = 0.02

Event = dict[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
_Hosted = tuple[Method, "_Call", Send]

_HEADERS = [(b"content-type", b"application/grpc"), (b"grpc-accept-encoding", ENCODINGS)]
_START: Event = {
    "type": "http.response.start",
    "status": 200,
    "headers": _HEADERS,
    "trailers": True,
}
_OK: Event = {"type": "http.response.trailers", "headers": [(b"grpc-status", b"0")]}


class _Answered:
    """Stands for the task of a call that is answered when its message arrives, without one."""

    def add_done_callback(self, _ended: object) -> None:
        """Nothing is left to be told."""


_NO_TASK = _Answered()


def task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
    """The factory of tasks of the event loop that runs the application."""
    return _NO_TASK if coroutine is _NO_TASK else asyncio.Task(coroutine, loop=loop, **options)


class AsgiCalls:
    """The ASGI application. It serves from `open` on; what `lifespan` does is up to its maker."""

    # For pyvoy, which would take what is no coroutine function for an application of ASGI 2.
    _asgi_single_callable = True

    def __init__(self, lifespan: Callable[[Receive, Send], Awaitable[None]]) -> None:
        self._lifespan = lifespan
        self._methods: Mapping[str, Method] = {}
        self._calls = self._most_bytes = 0
        self._waiting: set[asyncio.Task[None]] = set()

    def open(
        self,
        methods: Mapping[str, Method],
        room: Room,
        *,
        most_bytes: int,
    ) -> None:
        """Begins to serve, with messages of up to `most_bytes`."""
        self._methods = methods
        self._room = room
        self._most_bytes = most_bytes
        asyncio.get_running_loop().set_task_factory(task)

    async def idle(self) -> None:
        """Returns when no call is under way."""
        while self._calls:  # noqa: ASYNC110  an event would cost each call more than this
            await asyncio.sleep(_POLL)

    def __call__(self, scope: Event, receive: Receive, send: Send) -> Awaitable[None] | _Answered:
        if scope["type"] != "http":
            return self._lifespan(receive, send)
        if self._room.left <= 0:
            _refuse(to_status(self._room.refusal()), send)
            return _NO_TASK
        method = self._methods[scope["path"]]
        self._calls += 1
        self._room.left -= 1
        call = (method, _Call(scope, self._most_bytes, receive), send)
        # The message of a caller whose token was good before may be read at once.
        if method.is_admitted(call[1]):
            arriving = receive()
            if isinstance(arriving, asyncio.Future):
                # Not a partial: if it failed, the loop would log its arguments, the token among them.
                arriving.add_done_callback(lambda arrived: self._arrived(call, arrived))
                return _NO_TASK
        return self._answer(call)

    def _arrived(self, call: _Hosted, arrived: "asyncio.Future[Event]") -> None:
        """Answers at once if that can be, else by a task. There is nobody to tell of a fault but the
        caller."""
        method, info, send = call
        try:
            event = arrived.result()
            body = event.get("body", b"")
            size = len(body) - PREFIX
            if body[:1] == b"\0" and int.from_bytes(body[1:PREFIX]) == size <= self._most_bytes:
                answer = method.start(info, body[PREFIX:])
                if isinstance(answer, bytes):
                    _give(answer, send)
                    self._ended()
                    return
                waiting = asyncio.create_task(self._answer(call, answer))
            else:
                info.begun = event
                waiting = asyncio.create_task(self._answer(call))
        except Refusal as refusal:
            self._ended()
            _refuse(refusal.status, send)
            return
        except Exception as fault:  # noqa: BLE001
            self._ended()
            _refuse(internal(method.name, fault), send)
            return
        self._waiting.add(waiting)
        waiting.add_done_callback(self._waiting.discard)

    def _ended(self) -> None:
        self._calls -= 1
        self._room.left += 1

    async def _answer(self, call: _Hosted, answer: Awaitable[bytes] | None = None) -> None:
        """Answers on the long way. `answer`: what the pipeline began already."""
        method, info, send = call
        try:
            _give(await self._answer_in_time(method, info, answer), send)
        except Refusal as refusal:
            _refuse(refusal.status, send)
        except Exception as fault:  # noqa: BLE001  a call without an answer would wait for ever
            _refuse(internal(method.name, fault), send)
        finally:
            self._ended()

    async def _answer_in_time(
        self, method: Method, info: "_Call", answer: Awaitable[bytes] | None
    ) -> bytes:
        """Raises Refusal."""
        try:
            async with asyncio.timeout(info.time_remaining()):
                if answer is None:
                    if not method.is_admitted(info):
                        await method.admit(info)
                    started = method.start(info, await info.message())
                    if isinstance(started, bytes):
                        return started
                    answer = started
                return await answer
        except TimeoutError:
            raise Refusal(LATE) from None


class _Call(CallInfo):
    """`begun`: what of its message was received already."""

    __slots__ = ("_arrived_at", "_frames", "_receive", "_scope", "begun")

    def __init__(self, scope: Event, most_bytes: int, receive: Receive) -> None:
        self._scope = scope
        self.authorization = _header(scope, b"authorization")
        self._receive = receive
        self._frames = Frames(_header(scope, b"grpc-encoding"), most_bytes)
        self.begun: Event | None = None
        self._arrived_at = asyncio.get_running_loop().time()

    def metadata(self, name: str) -> str:
        return _header(self._scope, name.encode())

    def peer(self) -> str:
        host, port = self._scope["client"]
        return f"{host}:{port}"

    def client_certificate(self) -> str:
        return ""  # Envoy keeps it

    def time_remaining(self) -> float | None:
        timeout = seconds(_header(self._scope, b"grpc-timeout"))
        if timeout is None:
            return None
        return max(0.0, self._arrived_at + timeout - asyncio.get_running_loop().time())

    async def message(self) -> bytes:
        """The message of the call. Raises Refusal."""
        try:
            async with asyncio.timeout(LONGEST_READ):
                return await self._message()
        except TimeoutError:
            raise Refusal(to_status(too_slow(LONGEST_READ))) from None

    async def _message(self) -> bytes:
        while True:
            event, self.begun = self.begun, None
            if event is None:
                # The server keeps the future to set it, so a time-out must not cancel it.
                event = await asyncio.shield(asyncio.ensure_future(self._receive()))
            self._frames.feed(event.get("body", b""))
            message = self._frames.take()
            if message is not None:
                return message
            if not event.get("more_body"):
                self._frames.end()
                raise Refusal(to_status(missing()))


def _give(answer: bytes, send: Send) -> None:
    send(_START)
    send({"type": "http.response.body", "body": framed(answer)})
    send(_OK)


def _refuse(status: Status, send: Send) -> None:
    headers = [*_HEADERS, *status_headers(status)]
    send({"type": "http.response.start", "status": 200, "headers": headers})
    send({"type": "http.response.body"})


def _header(scope: Event, wanted: bytes) -> str:
    """The first header of that name, "" if there is none."""
    for name, value in scope["headers"]:
        if name == wanted:
            return str(value, "latin-1")
    return ""
