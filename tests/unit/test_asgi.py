"""Calls of the ASGI application whose handling fails."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop
from ipgate.engines import asgi
from ipgate.engines.asgi import AsgiCalls
from ipgate.engines.messages import too_many_calls
from ipgate.engines.room import Room

TOKEN = "Bearer the-token-of-a-caller"
SCOPE = {"type": "http", "path": "/m", "headers": [(b"authorization", TOKEN.encode())]}
EMPTY = {"type": "http.request", "body": bytes(5), "more_body": False}


@pytest.mark.parametrize("at_once", [True, False])
def test_a_fault_is_answered_and_frees_its_place(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, at_once: bool
) -> None:
    """Whatever fails, on the short way or the long one: the caller gets INTERNAL, the next one has
    room, and the log has no token."""

    def failing(*_: object) -> Any:
        raise MemoryError

    async def fail_later(*_: object) -> Any:
        raise MemoryError

    async def call() -> list[asgi.Event]:
        method: Any = SimpleNamespace(
            name="m",
            is_admitted=lambda _: at_once,
            admit=fail_later,
            start=failing,
        )
        app: Any = AsgiCalls(failing)
        app.open({"/m": method}, Room(1, too_many_calls), most_bytes=100)
        loop, sent = asyncio.get_running_loop(), list[asgi.Event]()
        for _ in range(2):
            arriving = loop.create_future()
            loop.create_task(app(SCOPE, lambda given=arriving: given, sent.append))
            arriving.set_result(EMPTY)
            await asyncio.wait_for(app.idle(), 5)
        return sent

    sent = uvloop.run(call())
    statuses = [
        dict(event["headers"])[b"grpc-status"]
        for event in sent
        if event["type"] == "http.response.start"
    ]
    assert statuses == [b"13", b"13"]
    assert "MemoryError" in caplog.text
    assert "the-token" not in caplog.text + "".join(capfd.readouterr())
