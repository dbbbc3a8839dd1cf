"""The client of administrators, for asyncio."""

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, Self

import grpc.aio
from google.protobuf.message import Message
from ipgate.v1.admin_pb2_grpc import AdminServiceStub

from ipgate_client.admin import DEFAULT_TIMEOUT, PAGE_SIZE
from ipgate_client.channel import open_async_channel
from ipgate_client.errors import call_failed
from ipgate_client.tls import Tls
from ipgate_client.token import bearer


class AsyncAdminClient:
    """Calls AdminService over one channel, within one event loop.

    The methods are those of `AdminClient`.
    """

    def __init__(
        self, server: str, token: str, *, tls: Tls | None = None, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        self._metadata = bearer(token)
        self._timeout = timeout
        self._channel = open_async_channel(server, tls)
        self._admin = AdminServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the calls in flight, and the connection."""
        await self._channel.close()

    async def call(self, method: str, request: Message) -> Any:
        """Call a method by its name, and return its response.

        Raises: CallFailed.
        """
        return await self._call(getattr(self._admin, method), request)

    async def upload(self, method: str, requests: Iterable[Message]) -> Any:
        """Call a method that takes many messages, and return its response.

        Raises: CallFailed.
        """
        return await self._call(getattr(self._admin, method), iter(requests))

    async def pages(self, method: str, request: Any, field: str) -> AsyncIterator[Any]:
        """Yield the resources in `field` of all pages of a listing.

        Raises: CallFailed.
        """
        request.page_size = PAGE_SIZE
        while True:
            answer = await self.call(method, request)
            for resource in getattr(answer, field):
                yield resource
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    async def _call(self, method: Any, request: Message | Iterator[Message]) -> Any:
        try:
            return await method(request, timeout=self._timeout, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise call_failed(error) from error
