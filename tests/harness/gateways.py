"""Real gateways before an upstream that shows what it gets."""

import http.client
import http.server
import json
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.harness.servers import Client
from tests.harness.waiting import eventually

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """`upstream`: the headers that reached the upstream, each with its values; None if none did."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def upstream(self) -> dict[str, list[str]] | None:
        if self.status != 200:
            return None
        received: dict[str, list[str]] = json.loads(self.body)
        return received


def ask(
    port: int,
    headers: Headers,
    *,
    path: str = "/",
    source: str = "127.0.0.1",
    raw: Iterable[bytes] = (),
) -> Answer:
    """Ask a gateway from an address of loopback. `raw`: lines of headers as they are."""
    connection = http.client.HTTPConnection("127.0.0.1", port, 10, source_address=(source, 0))
    try:
        connection.putrequest("GET", path)
        for name, value in headers:
            connection.putheader(name, value)
        connection._buffer.extend(raw)  # type: ignore[attr-defined]
        connection.endheaders()
        response = connection.getresponse()
        return Answer(
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            response.read().decode("utf-8", "replace"),
        )
    finally:
        connection.close()


def create_keys(client: Client, workspace: str, inside: str) -> dict[str, str]:
    """The credentials of new keys: all but `open` may be used from one address only."""
    office = client.allow_list(workspace, "office", [inside]).name
    fields: dict[str, dict[str, bool]] = {
        "ci": {},
        "off": {"disabled": True},
        "reporting": {"report_only": True},
        "open": {},
    }
    created = {name: client.key(workspace, name, **of_key) for name, of_key in fields.items()}
    client.link(office, *(created[name].api_key.name for name in ("ci", "off", "reporting")))
    return {name: str(response.credential) for name, response in created.items()}


class _Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        received: dict[str, list[str]] = {"seen-path": [self.path]}
        for name, value in self.headers.items():
            received.setdefault(name.lower(), []).append(value)
        body = json.dumps(received).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def upstream() -> Iterator[int]:
    """The port of an upstream that answers with the headers it got."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def running(command: list[str | Path], port: int, log: Path) -> Iterator[None]:
    """A gateway, once it answers."""
    with ExitStack() as stack:
        output = stack.enter_context(log.open("w"))
        process = stack.enter_context(
            subprocess.Popen(
                [str(word) for word in command],
                cwd=log.parent,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        )
        stack.callback(process.terminate)

        def answers() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                return ask(port, []).status > 0
            except OSError:
                return False

        eventually(answers, f"{command[0]} answers")
        yield
