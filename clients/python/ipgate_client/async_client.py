"""The client of backends with asyncio."""

import asyncio
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, Unpack

import grpc
import grpc.aio
from ipgate.v1.authorize_pb2 import AuthorizeRequest, Forwarded
from ipgate.v1.authorize_pb2_grpc import AuthorizeServiceStub

from ipgate_client.channel import open_async_channel
from ipgate_client.client import DEFAULT_TIMEOUT, check_timeout
from ipgate_client.errors import CallFailed, call_failed, closed, unexpected
from ipgate_client.pending import Pending
from ipgate_client.questions import (
    Question,
    Result,
    batch_of,
    may_be_gathered,
    question_of,
    results_of,
)
from ipgate_client.task_batches import TaskBatches
from ipgate_client.tls import Tls
from ipgate_client.token import AccessToken
from ipgate_client.verdict import Verdict, enforced, verdict_of


class AsyncClient:
    """Asks a server, within the event loop of its first question. Its words are those of `Client`.

    It may be made before there is a loop. Once that loop is closed, it may be used in another one.
    """

    def __init__(
        self,
        server: str,
        *,
        token: str = "",
        token_file: Path | str = "",
        tls: Tls | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        self._server = server
        self._token = AccessToken(token, token_file)
        self._tls = tls
        if tls is not None:
            tls.credentials()
        self._timeout = check_timeout(timeout)
        self._lock = threading.Lock()
        self._is_closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._channel: grpc.aio.Channel | None = None
        self._stub: Any = None
        self._batches = TaskBatches(self._send)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the questions in flight, and the connection."""
        self._is_closed = True
        if self._channel is not None:
            await self._channel.close()

    def check(
        self,
        *,
        key: str = "",
        api_key: str = "",
        ip: str = "",
        forwarded: Forwarded | None = None,
        min_revision: str = "",
        timeout: float | None = None,
    ) -> Pending[Verdict]:
        """Return whether an API key may be used from an address, as `Client.check` does. It must be awaited."""
        request = question_of(
            key=key, api_key=api_key, ip=ip, forwarded=forwarded, min_revision=min_revision
        )
        return Pending(self._verdict(request, ip, timeout))

    async def _verdict(
        self, request: AuthorizeRequest | Verdict, ip: str, timeout: float | None
    ) -> Verdict:
        if isinstance(request, Verdict):
            return request
        return verdict_of(await self._ask(request, timeout), ip)

    def authorize(self, **question: Unpack[Question]) -> Pending[Verdict]:
        """Return the verdict of `check` if it allows. It must be awaited.

        Raises: Denied, and CallFailed if ipgate could not decide.
        """
        return Pending(self._enforced(self.check(**question)))

    async def _enforced(self, pending: Pending[Verdict]) -> Verdict:
        return enforced(await pending)

    async def _ask(self, request: AuthorizeRequest, timeout: float | None) -> Result:
        try:
            self._opened()
        except CallFailed as error:
            return error.copy()
        except Exception as error:  # noqa: BLE001  files of TLS may be gone since the client was made
            return unexpected(error)
        if timeout is None and may_be_gathered(request):
            return await self._batches.ask(request)
        return (await self._send([request], timeout))[0]

    async def _send(
        self, requests: Sequence[AuthorizeRequest], timeout: float | None = None
    ) -> list[Result]:
        try:
            stub = self._opened()
            if len(requests) == 1:
                return [await self._call(stub.Authorize, requests[0], timeout)]
            answer = await self._call(stub.BatchAuthorize, batch_of(requests), timeout)
            return results_of(answer, len(requests))
        except CallFailed as error:
            failure = error
        except Exception as error:  # noqa: BLE001  whatever it is, nobody is allowed
            failure = unexpected(error)
        # Each question has a failure of its own: nobody's traceback must show the questions of others.
        return [failure.copy() for _ in requests]

    async def _call(self, method: Any, request: Any, timeout: float | None) -> Any:
        deadline = time.monotonic() + (self._timeout if timeout is None else timeout)
        while True:
            token = self._token.metadata()
            try:
                left = deadline - time.monotonic()
                return await method(request, timeout=left, metadata=token)
            except grpc.aio.AioRpcError as error:
                rejected = error.code() is grpc.StatusCode.UNAUTHENTICATED
                if not (rejected and self._token.replaces(token)):
                    raise call_failed(error) from error
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                raise closed() from None  # gRPC cancels the calls of a channel that is closed

    def _opened(self) -> Any:
        loop = asyncio.get_running_loop()
        if self._is_closed:
            raise closed()
        if self._loop is not loop:
            with self._lock:  # of several threads with loops, one is first
                self._begin(loop)
        return self._stub

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is not None and not self._loop.is_closed():
            text = "the client is used in another event loop; make one for each"
            raise CallFailed(grpc.StatusCode.FAILED_PRECONDITION, text)
        self._channel = open_async_channel(self._server, self._tls)
        self._stub = AuthorizeServiceStub(self._channel)
        # Questions of a loop that ended before it sent them are not asked.
        self._batches = TaskBatches(self._send)
        self._loop = loop
