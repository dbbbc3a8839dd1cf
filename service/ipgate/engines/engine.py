"""What every engine is to the worker that runs it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from ipgate.authorizer.authentication import Authenticator
from ipgate.engines.health import Health
from ipgate.engines.listen_address import ListenAddress
from ipgate.engines.tls import TlsFiles
from ipgate.rpc.pipeline import Method
from ipgate.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What is open, and what was rejected since the start. `connections`: 0 if the engine does not know."""

    connections: int
    calls: int
    streams: int
    refused_connections: int = 0
    refused_calls: int
    refused_streams: int


class Engine(Protocol):
    """A server that is built, but not started."""

    @property
    def health(self) -> Health: ...

    def usage(self) -> Usage: ...

    async def start(self) -> None:
        """Return when callers can reach it."""

    def replace_tls(self, files: TlsFiles) -> None:
        """Serve new connections with these.

        Raises: OSError.
        """

    async def stop(self, grace: float) -> None:
        """Take no more calls; those in flight get `grace` seconds."""

    async def ended(self) -> None:
        """Return when the server has ended, by `stop` or unexpectedly."""


Build = Callable[
    [Settings, ListenAddress, Mapping[str, Method], Authenticator, TlsFiles | None], Engine
]
"""Builds an engine for settings, where to listen, the methods by their paths, who calls, and TLS. Raises
RuntimeError if it cannot listen there."""
