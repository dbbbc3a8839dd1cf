"""Clients of ipgate: a channel with TLS, an access token, and errors with their details.

    from ipgate.v1.authorize_pb2 import AuthorizeRequest
    from ipgate_client import CallFailed, Client

    with Client("127.0.0.1:50051", token) as client:
        answer = client.authorize(AuthorizeRequest(key=credential, ip=address))

A denial is an answer with `allowed = False`. CallFailed means that ipgate could not decide: treat it
as a denial.
"""

from ipgate_client.async_client import AsyncClient
from ipgate_client.channel import open_async_channel, open_channel
from ipgate_client.client import Client
from ipgate_client.errors import CallFailed, ConfigError, Violation, call_failed
from ipgate_client.tls import Tls
from ipgate_client.token import read_token

__all__ = [
    "AsyncClient",
    "CallFailed",
    "Client",
    "ConfigError",
    "Tls",
    "Violation",
    "call_failed",
    "open_async_channel",
    "open_channel",
    "read_token",
]
