"""The guard of WSGI applications: Flask, Django and others.

    app.wsgi_app = IpgateMiddleware(app.wsgi_app, Client(...), trusted_proxies=["10.0.0.0/8"])

README.md of the distribution has a whole example.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from ipgate.domain.forwarded import UNIX

from ipgate_client.client import Client
from ipgate_client.guard import DEFAULT_KEY, Guard, KeySource
from ipgate_client.verdict import Verdict

Environ = dict[str, Any]
_UNIX_PEERS = ("", "localhost")
"""What servers call the peer at the other end of a Unix socket."""

App = Callable[[Environ, Any], Iterable[bytes]]


class IpgateMiddleware:
    """Lets requests of allowed end clients through to `app`, which finds the verdict in `environ["ipgate"]`.

    `key`: see KeySource; a function gets the environ. `trusted_proxies`: CIDR ranges of the proxies whose headers
    are believed, or `unix`. `exempt`: paths that need no API key. Raises ConfigError.
    """

    def __init__(
        self,
        app: App,
        client: Client,
        *,
        key: KeySource = DEFAULT_KEY,
        trusted_proxies: Iterable[str] = (),
        exempt: Collection[str] = (),
    ) -> None:
        self._app = app
        self._client = client
        self._guard = Guard(key, trusted_proxies, exempt)

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        if environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "") in self._guard.exempt:
            return self._app(environ, start_response)
        verdict = self._verdict(environ)
        rejection = self._guard.rejection(verdict)
        if rejection is None:
            environ["ipgate"] = verdict
            return self._app(environ, start_response)
        start_response(f"{rejection.status} {rejection.phrase}", rejection.headers)
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [rejection.body]

    def _verdict(self, environ: Environ) -> Verdict:
        peer = environ.get("REMOTE_ADDR", "")
        question = self._guard.question(
            environ,
            lambda name: _values(environ, name),
            query=environ.get("QUERY_STRING", ""),
            peer=UNIX if peer in _UNIX_PEERS else peer,
        )
        return question if isinstance(question, Verdict) else self._client.check(**question)


def _values(environ: Environ, name: str) -> list[str]:
    """Return the values of a header. WSGI joins several by commas."""
    value = environ.get("HTTP_" + name.upper().replace("-", "_"))
    # Servers decode it as latin-1, whatever it is.
    return [] if value is None else [value.encode("latin-1", "replace").decode("utf-8", "replace")]
