"""Channels to a server, `HOST:PORT` or `unix:PATH`; plaintext without `tls`."""

import grpc
import grpc.aio

from ipgate_client.tls import Tls

_OPTIONS = (("grpc.max_receive_message_length", 64 << 20),)
"""The largest allow list must fit into a message."""


def open_channel(server: str, tls: Tls | None = None) -> grpc.Channel:
    """Return a channel for threads, which connects with its first call.

    Raises: ConfigError.
    """
    if tls is None:
        return grpc.insecure_channel(server, _OPTIONS)
    return grpc.secure_channel(server, tls.credentials(), _OPTIONS)


def open_async_channel(server: str, tls: Tls | None = None) -> grpc.aio.Channel:
    """Return a channel for asyncio, which connects with its first call.

    Raises: ConfigError.
    """
    if tls is None:
        return grpc.aio.insecure_channel(server, _OPTIONS)
    return grpc.aio.secure_channel(server, tls.credentials(), _OPTIONS)
