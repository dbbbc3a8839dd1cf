"""A console with a real browser before it."""

from collections.abc import Iterator

import pytest

from tests.harness.console import console
from tests.harness.servers import Server


@pytest.fixture(scope="session")
def address(server: Server) -> Iterator[str]:
    """Of a console."""
    with console(server.address) as url:
        yield f"http://{url}"
