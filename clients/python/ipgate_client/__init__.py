"""Asks ipgate whether an API key may be used from an IP address.

    from ipgate_client import Client

    with Client("127.0.0.1:50051", token_file="token") as client:
        verdict = client.check(key=credential, ip=address)

A verdict is true if it allows. Whatever fails is a verdict that denies, with its error. `ipgate_client.admin` and
`ipgate_client.async_admin` have the clients of administrators.
"""

from ipgate.v1.authorize_pb2 import Forwarded

from ipgate_client.async_client import AsyncClient
from ipgate_client.channel import open_async_channel, open_channel
from ipgate_client.client import Client
from ipgate_client.errors import CallFailed, ConfigError, Violation, call_failed
from ipgate_client.tls import Tls
from ipgate_client.token import read_token
from ipgate_client.verdict import Denied, Verdict

__all__ = [
    "AsyncClient",
    "CallFailed",
    "Client",
    "ConfigError",
    "Denied",
    "Forwarded",
    "Tls",
    "Verdict",
    "Violation",
    "call_failed",
    "open_async_channel",
    "open_channel",
    "read_token",
]
