"""What an engine knows about a call, next to its messages."""

from abc import abstractmethod

from ipgate.domain.resources import Caller


class CallInfo:
    """Read lazily: on a cache hit the pipeline needs `authorization` alone.

    `caller` is set by the pipeline once it has checked the token.
    """

    __slots__ = ("authorization", "caller")

    authorization: str
    """The `authorization` metadata; several values are joined by commas, as HTTP has it, so that none of
    them is taken for the token."""

    caller: Caller

    @abstractmethod
    def metadata(self, name: str) -> str:
        """Return the first value of a metadata entry; "" if there is none."""

    @abstractmethod
    def peer(self) -> str:
        """Return the address and port of the connection's other end, or `unix`."""

    @abstractmethod
    def client_certificate(self) -> str:
        """Return the certificate of the client as PEM; "" without mutual TLS."""

    @abstractmethod
    def time_remaining(self) -> float | None:
        """Seconds until the caller's deadline; None if there is none."""

    def request_id(self) -> str:
        """Return the `x-request-id` of the call; "" if there is none."""
        return self.metadata("x-request-id")
