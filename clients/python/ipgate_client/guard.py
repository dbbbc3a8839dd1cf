"""What the guards of all frameworks do: where a request has its API key and address, and what is answered."""

import logging
from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

from ipgate.domain.addresses import format_address
from ipgate.domain.forwarded import TrustedProxies, client_address
from ipgate.domain.key_source import DEFAULT, KeySources, Values

from ipgate_client.errors import ConfigError
from ipgate_client.questions import Question
from ipgate_client.verdict import KEY_MISSING, NO_CLIENT_ADDRESS, Verdict, denied

log = logging.getLogger("ipgate_client")

KeySource = str | Callable[[Any], str | None]
"""Names of headers, as in `x-api-key`; `authorization` stands for a Bearer token, `?name` for a parameter of the
query. Or a function that gets the framework's request."""

DEFAULT_KEY = DEFAULT


class Rejection(NamedTuple):
    """What an end client gets instead of an answer. It says no more than that."""

    status: int
    phrase: str
    challenge: str = ""

    @property
    def body(self) -> bytes:
        """JSON, as FastAPI has it."""
        return b'{"detail":"%s"}' % self.phrase.encode()

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers of the response."""
        headers = [("content-type", "application/json"), ("content-length", str(len(self.body)))]
        return headers + [("www-authenticate", self.challenge)] * bool(self.challenge)


class Guard:
    """Finds the API key and the address of a request.

    `trusted_proxies`: CIDR ranges of the proxies whose headers are believed, or `unix`. `exempt`: paths that need no
    key. Raises ConfigError.
    """

    def __init__(
        self, key: KeySource, trusted_proxies: Iterable[str], exempt: Collection[str] = ()
    ) -> None:
        self.exempt = frozenset(_texts("exempt", exempt))
        for path in self.exempt:
            if not path.startswith("/"):
                raise ConfigError("exempt", f"exempt: {path!r} is no path; begin it with a slash")
        self._key = key if callable(key) else None
        try:
            self._sources = KeySources(DEFAULT if callable(key) else key)
        except ValueError as error:
            raise ConfigError("key", f"key: {error}") from error
        proxies = _texts("trusted_proxies", trusted_proxies)
        try:
            self._trusted = TrustedProxies(proxies)
        except ValueError as error:
            raise ConfigError("trusted_proxies", f"trusted_proxies: {error}") from error

    def question(
        self, request: Any, values: Values, *, query: str = "", peer: str
    ) -> Question | Verdict:
        """Return the question about a request, or the verdict where there is nothing to ask."""
        key = self._key(request) if self._key else self._sources.find(values, query)
        if not key:
            return denied(KEY_MISSING)
        address = client_address(
            peer, values("x-forwarded-for"), values("forwarded"), self._trusted
        )
        if address is None:
            return denied(NO_CLIENT_ADDRESS)
        return Question(key=key, ip=format_address(address))

    def rejection(self, verdict: Verdict) -> Rejection | None:
        """Return what the end client gets instead of an answer, None if it is allowed. The log has the reason."""
        if verdict.allowed:
            return None
        if verdict.error is not None:
            log.warning("not decided error=%r", str(verdict.error))
            return Rejection(503, "Service Unavailable")
        log.info(
            "denied reason=%s api_key=%s address=%s",
            verdict.reason,
            verdict.api_key,
            verdict.address,
        )
        if verdict.reason == KEY_MISSING:
            return Rejection(401, "Unauthorized", self._sources.challenge())
        return Rejection(403, "Forbidden")


def _texts(argument: str, texts: Iterable[str]) -> Iterable[str]:
    # A single text is a collection of texts, too: of its characters.
    if isinstance(texts, str):
        raise ConfigError(argument, f"{argument}: {texts!r} is one text; give a list of them")
    return texts
