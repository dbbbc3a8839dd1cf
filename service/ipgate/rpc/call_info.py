"""What an engine knows about a call, next to its messages."""

import re
import secrets
from abc import abstractmethod
from contextvars import ContextVar

from ipgate.domain.errors import quoted
from ipgate.domain.resources import Caller

_REQUEST_ID = re.compile("[!-~]{1,128}")


class CallInfo:
    """Read lazily: on a cache hit the pipeline needs `authorization` alone.

    `caller` is set by the pipeline once it has checked the token.
    """

    __slots__ = ("_request_id", "authorization", "caller")

    authorization: str
    """The `authorization` metadata; several values are joined by commas, as HTTP has it, so that none of
    them is taken for the token."""

    caller: Caller

    _request_id: str

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
        """Return the `x-request-id` of the call.

        One is made where it is missing, or does not read as one word in a log.
        """
        try:
            return self._request_id
        except AttributeError:
            text = self.metadata("x-request-id")
            is_word = _REQUEST_ID.fullmatch(text)
            self._request_id = quoted(text).strip("'") if is_word else secrets.token_hex(8)
            return self._request_id


CALL: ContextVar[CallInfo | None] = ContextVar("call", default=None)
"""The call that is worked on, for the log."""
