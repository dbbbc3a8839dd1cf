"""The client of backends with threads."""

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, Unpack

import grpc
from ipgate.v1.authorize_pb2 import AuthorizeRequest, Forwarded
from ipgate.v1.authorize_pb2_grpc import AuthorizeServiceStub

from ipgate_client.channel import open_channel
from ipgate_client.errors import CallFailed, ConfigError, call_failed, closed, unexpected
from ipgate_client.questions import (
    Question,
    Result,
    batch_of,
    may_be_gathered,
    question_of,
    results_of,
)
from ipgate_client.thread_batches import ThreadBatches
from ipgate_client.tls import Tls
from ipgate_client.token import AccessToken
from ipgate_client.verdict import Verdict, enforced, verdict_of

DEFAULT_TIMEOUT = 0.2
"""Seconds that a question may take."""

MAX_TIMEOUT = 3600.0


class Client:
    """Asks a server, from any thread. Use it as a context manager, or close it.

    `server` is HOST:PORT, `unix:PATH` or another target of gRPC. `token` or `token_file` gives the access token; a file
    is read again when it changes. Without `tls` the channel is plaintext. `timeout` is in seconds.

    The channel is opened with the first question, so a client may be made before a process forks. After a fork the child
    opens its own; gRPC itself needs that no question is in flight then.

    Raises ConfigError for a token that cannot be sent, a timeout that is none, and unusable files.
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
        self._is_closed = False
        self._begin()

    def _begin(self) -> None:
        """Begin in this process."""
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
        self._stub: Any = None
        self._batches = ThreadBatches(self._send, self._timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the questions in flight, and the connection."""
        with self._lock:
            self._is_closed = True
            if self._channel is not None:
                self._channel.close()

    def check(
        self,
        *,
        key: str = "",
        api_key: str = "",
        ip: str = "",
        forwarded: Forwarded | None = None,
        min_revision: str = "",
        timeout: float | None = None,
    ) -> Verdict:
        """Return whether an API key may be used from an address. Every failure is a verdict that denies.

        `key`: the credential that an end client presented; or `api_key`: the resource name of a key.
        `ip`: its address; or `forwarded`: what proxies said of it, by which the server finds the address.
        `min_revision`: of a change that the verdict must reflect. `timeout`: seconds, instead of the client's.
        """
        request = question_of(
            key=key, api_key=api_key, ip=ip, forwarded=forwarded, min_revision=min_revision
        )
        if isinstance(request, Verdict):
            return request
        return verdict_of(self._ask(request, timeout), ip)

    def authorize(self, **question: Unpack[Question]) -> Verdict:
        """Return the verdict of `check` if it allows.

        Raises: Denied, and CallFailed if ipgate could not decide.
        """
        return enforced(self.check(**question))

    def _ask(self, request: AuthorizeRequest, timeout: float | None) -> Result:
        if self._process != os.getpid():
            self._begin()
        if timeout is None and may_be_gathered(request):
            return self._batches.ask(request)
        return self._send([request], timeout)[0]

    def _send(
        self, requests: Sequence[AuthorizeRequest], timeout: float | None = None
    ) -> list[Result]:
        try:
            stub = self._opened()
            if len(requests) == 1:
                return [self._call(stub.Authorize, requests[0], timeout)]
            answer = self._call(stub.BatchAuthorize, batch_of(requests), timeout)
            return results_of(answer, len(requests))
        except CallFailed as error:
            failure = error
        except Exception as error:  # noqa: BLE001  whatever it is, nobody is allowed
            failure = unexpected(error)
        # Each question has a failure of its own: nobody's traceback must show the questions of others.
        return [failure.copy() for _ in requests]

    def _call(self, method: Any, request: Any, timeout: float | None) -> Any:
        deadline = time.monotonic() + (self._timeout if timeout is None else timeout)
        while True:
            token = self._token.metadata()
            try:
                left = deadline - time.monotonic()
                return method(request, timeout=left, metadata=token)
            except grpc.RpcError as error:
                rejected = error.code() is grpc.StatusCode.UNAUTHENTICATED
                if not (rejected and self._token.replaces(token)):
                    raise call_failed(error) from error

    def _opened(self) -> Any:
        with self._lock:
            if self._is_closed:
                raise closed()
            if self._channel is None:
                self._channel = open_channel(self._server, self._tls)
                self._stub = AuthorizeServiceStub(self._channel)
            return self._stub


def check_timeout(timeout: float) -> float:
    """Return a number of seconds that can be waited for.

    Raises: ConfigError.
    """
    if not isinstance(timeout, (int, float)) or not 0 < timeout < MAX_TIMEOUT:
        raise ConfigError(
            "timeout", f"timeout: {timeout!r} cannot be waited for; give seconds, as in 0.2"
        )
    return timeout
