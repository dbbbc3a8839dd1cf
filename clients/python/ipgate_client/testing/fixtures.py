"""Fixtures of pytest: put `pytest_plugins = ["ipgate_client.testing.fixtures"]` into your conftest.py."""

from collections.abc import Iterator

import pytest

from ipgate_client.testing.server import IpgateServer


@pytest.fixture(scope="session")
def ipgate_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IpgateServer]:
    """Run a real server with an empty store, for all tests of a run."""
    with IpgateServer(tmp_path_factory.mktemp("ipgate")) as server:
        yield server
