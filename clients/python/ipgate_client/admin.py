"""The client of administrators, for threads."""

from collections.abc import Iterable, Iterator
from typing import Any, Self

import grpc
from google.protobuf.message import Message
from ipgate.v1.admin_pb2_grpc import AdminServiceStub

from ipgate_client.channel import open_channel
from ipgate_client.errors import call_failed
from ipgate_client.tls import Tls
from ipgate_client.token import bearer

DEFAULT_TIMEOUT = 30.0
"""Seconds that a call may take."""

PAGE_SIZE = 1000


class AdminClient:
    """Calls AdminService over one channel, from any thread.

    Use it as a context manager, or close it.

    `server` is HOST:PORT or `unix:PATH`. Without `tls` the channel is plaintext. `timeout` is in seconds.
    Raises ConfigError for a token that cannot be sent, and for unusable files of TLS.
    """

    def __init__(
        self, server: str, token: str, *, tls: Tls | None = None, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        self._metadata = bearer(token)
        self._timeout = timeout
        self._channel = open_channel(server, tls)
        self._admin = AdminServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the calls in flight, and the connection."""
        self._channel.close()

    def call(self, method: str, request: Message) -> Any:
        """Call a method by its name, and return its response.

        Raises: CallFailed.
        """
        return self._call(getattr(self._admin, method), request)

    def upload(self, method: str, requests: Iterable[Message]) -> Any:
        """Call a method that takes many messages, and return its response.

        Raises: CallFailed.
        """
        return self._call(getattr(self._admin, method), iter(requests))

    def pages(self, method: str, request: Any, field: str) -> Iterator[Any]:
        """Yield the resources in `field` of all pages of a listing.

        Raises: CallFailed.
        """
        request.page_size = PAGE_SIZE
        while True:
            answer = self.call(method, request)
            yield from getattr(answer, field)
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    def _call(self, method: Any, request: Message | Iterator[Message]) -> Any:
        try:
            return method(request, timeout=self._timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            raise call_failed(error) from error
