"""`grpc.reflection.v1alpha.ServerReflection`, for callers who have a token."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from grpc_reflection.v1alpha import reflection, reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

from ipgate.authorizer.identity import Identity
from ipgate.domain.errors import LimitExceeded, Unavailable
from ipgate.rpc.guard import Admit, Stream, Write

MOST_STREAMS = 64
"""Streams that may be open at a time."""

LONGEST_STREAM = 60.0
"""Seconds that such a stream may be open."""

_Request = reflection_pb2.ServerReflectionRequest


def reflecting(services: Sequence[str], identity: Identity) -> Stream:
    """The method, telling about `services`."""
    servicer = ReflectionServicer((*services, reflection.SERVICE_NAME))
    places = asyncio.Semaphore(MOST_STREAMS)

    async def answer(messages: AsyncIterator[bytes], _admit: Admit, write: Write) -> None:
        if places.locked():
            raise LimitExceeded(f"{MOST_STREAMS} such streams are open; try again later")
        requests = (_Request.FromString(each) async for each in messages)
        try:
            async with places, asyncio.timeout(LONGEST_STREAM):
                async for response in servicer.ServerReflectionInfo(requests, None):
                    await write(response.SerializeToString())
        except TimeoutError:
            text = f"the stream was open for {LONGEST_STREAM:g} s; open a new one"
            raise Unavailable(text, reason="REQUEST_TOO_SLOW") from None

    return Stream(f"{reflection.SERVICE_NAME}/ServerReflectionInfo", identity, _Request, answer)
