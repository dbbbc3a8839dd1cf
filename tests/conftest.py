"""The server that most tests share: one process for the whole run, a workspace for each test."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.harness.servers import ENGINE, Client, Server, serving
from tests.harness.stores import EMBEDDED, KIND, StoreServer

settings.register_profile("ipgate", deadline=None, print_blob=True)
settings.load_profile("ipgate")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Names the engine and the store, so that a failure says where to look."""
    terminalreporter.write_line(f"engine {ENGINE}, store {KIND}")


@pytest.fixture(scope="session")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The store of the shared server; "" stands for the embedded one."""
    if KIND == EMBEDDED:
        yield ""
        return
    store = StoreServer(tmp_path_factory.mktemp("store")).start()
    yield store.url
    store.stop()


@pytest.fixture(scope="session")
def server_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s")


@pytest.fixture(scope="session")
def server(store_url: str, server_directory: Path) -> Iterator[Server]:
    options = ["--redis-url", store_url] if store_url else []
    with serving(server_directory, *options) as running:
        yield running


@pytest.fixture(scope="session")
def shared_url(server: Server, store_url: str, server_directory: Path) -> str:
    """The URL under which another server can use the shared server's store."""
    return store_url or f"unix://{server_directory}/store/valkey.sock"


@pytest.fixture
def free_port() -> int:
    """A TCP port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def client(server: Server) -> Client:
    """Root, at the shared server."""
    return server.client()


@pytest.fixture
def workspace(client: Client) -> str:
    """The resource name of a new workspace."""
    return client.workspace()
