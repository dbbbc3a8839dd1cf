"""The operations port: metrics and probes over HTTP, for Prometheus and for what restarts the server.

It is served by threads of the supervisor, so it answers while workers are full or hang.
"""

import logging
import socket
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from threading import BoundedSemaphore, Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.registry import Collector

from ipgate.settings import BadSetting

log = logging.getLogger(__name__)

_READ_TIMEOUT = 5.0
_MAX_THREADS = 32
"""Requests that are answered at a time; further ones are closed."""

_TEXT = ("Content-Type", "text/plain; charset=utf-8")

Probe = Callable[[], str]
"""Returns what is wrong, "" for nothing."""


class OperationsServer:
    """Serves `/metrics`, `/livez` and `/readyz`."""

    def __init__(
        self, listen: tuple[str, int], collectors: Iterable[Collector], live: Probe, ready: Probe
    ) -> None:
        """Listen.

        Raises: BadSetting.
        """
        registry = CollectorRegistry()
        for collector in collectors:
            registry.register(collector)
        self._metrics: Any = make_wsgi_app(registry)
        self._probes = {"/livez": live, "/readyz": ready}
        host, port = listen
        try:
            self._server = _Server(host, port)
        except OSError as error:
            shown = f"[{host}]" if ":" in host else host
            raise BadSetting(
                f"--ops-listen {shown}:{port}: {error.strerror}; choose another, or leave it out"
            ) from error
        self._server.set_app(self._answer)
        self._thread = Thread(target=self._server.serve_forever, name="operations", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            start("405 Method Not Allowed", [_TEXT, ("Allow", "GET, HEAD")])
            return [b"use GET\n"]
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics(environ, start)
            return answer
        probe = self._probes.get(path)
        if probe is None:
            start("404 Not Found", [_TEXT])
            return [b"there are /metrics, /livez and /readyz\n"]
        problem = probe()
        start("503 Service Unavailable" if problem else "200 OK", [_TEXT])
        return [f"{problem or 'ok'}\n".encode()]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._free = BoundedSemaphore(_MAX_THREADS)
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # WSGIServer would look up the name of the host, which may take long.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def verify_request(self, _request: Any, _client: Any) -> bool:
        """Return whether there is room for one more."""
        return self._free.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, _request: Any, client_address: Any) -> None:
        log.debug("request of the operations port failed peer=%s", client_address)


class _Handler(WSGIRequestHandler):
    timeout = _READ_TIMEOUT

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name in the library
        """Say nothing: probes come every few seconds."""
