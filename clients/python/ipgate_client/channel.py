"""Channels to a server, `HOST:PORT` or `unix:PATH`; plaintext without `tls`.

A host with several addresses is one server of many: calls go to all of them in turn.
"""

import json

import grpc
import grpc.aio

from ipgate_client.tls import Tls

_SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            # A change may have been made although its answer was lost, so only questions are asked again.
            "name": [{"service": "ipgate.v1.AuthorizeService"}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.01s",
                "maxBackoff": "0.05s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    # While most calls fail, no more are made of each.
    "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.5},
}

_OPTIONS = (
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    # The largest allow list must fit into a message.
    ("grpc.max_receive_message_length", 64 << 20),
    # A server that restarted is found again soon, not within two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    # Questions, with their token, belong to ipgate and not to a proxy of the environment.
    ("grpc.enable_http_proxy", 0),
    # A machine that vanished is noticed by what it does not acknowledge. The server permits a ping in 10 s.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 3000),
)


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
