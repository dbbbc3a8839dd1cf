"""An engine in this process, so that its bounds can be set."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvloop
from ipgate.domain.errors import Unauthenticated
from ipgate.domain.resources import ROOT, Caller
from ipgate.engines import http2
from ipgate.engines.engine import Build
from ipgate.engines.listen_address import ListenAddress
from ipgate.engines.tls import TlsFiles
from ipgate.rpc.call_info import CallInfo
from ipgate.rpc.pipeline import Method, RequestSizes
from ipgate.settings import Settings
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.http2 import AUTHORIZE
from tests.harness.servers import ROOT_TOKEN


class OnlyRoot:
    """Knows the root token of the tests."""

    def try_authenticate(self, authorization: str) -> Caller | None:
        return ROOT if authorization == f"Bearer {ROOT_TOKEN}" else None

    async def authenticate(self, _authorization: str) -> Caller:
        raise Unauthenticated("the access token is not valid", reason="TOKEN_INVALID")


def say_who(_request: Any, info: CallInfo) -> bytes:
    """An Authorize that answers with what is known of the call."""
    return authorize.AuthorizeResponse(
        api_key=info.peer(), allow_list=info.client_certificate(), revision=info.request_id()
    ).SerializeToString()


async def started(build: Build, tls: TlsFiles | None = None, **settings: Any) -> Any:
    """An engine with one method, on the loop that runs."""
    authenticator: Any = OnlyRoot()
    name = AUTHORIZE.removeprefix("/")
    method = Method(name, authenticator, authorize.AuthorizeRequest, say_who, sizes=RequestSizes())
    complete = Settings(**{"listen": "127.0.0.1:0"} | settings)
    engine = build(complete, ListenAddress(), {AUTHORIZE: method}, authenticator, tls)
    engine.health.report("", serving=True)
    await engine.start()
    return engine


@contextmanager
def running_http2(tls: TlsFiles | None = None, **settings: Any) -> Iterator[str]:
    """The address of an http2 engine with one method, in a thread of its own."""
    ready = threading.Event()
    engines: list[Any] = []
    loop = uvloop.new_event_loop()

    async def serve() -> None:
        engines.append(await started(http2.build, tls, **settings))
        ready.set()
        await engines[0].ended()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield f"127.0.0.1:{engines[0].port}"
    finally:
        asyncio.run_coroutine_threadsafe(engines[0].stop(0), loop).result(20)
        thread.join(20)
        loop.close()
