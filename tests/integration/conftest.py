"""The `ipgate` command, run as its users run it; an empty store and an export for it."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.backups import Lines, exported
from tests.harness.console import Browser, console
from tests.harness.damage import filled
from tests.harness.servers import IPGATE, ROOT_TOKEN, Server
from tests.harness.stores import StoreServer, running

Run = Any


@pytest.fixture
def run(server: Server, workspace: str) -> Run:
    """Runs `ipgate` as root, in the test's workspace; checks the exit code."""

    def call(*arguments: str, code: int = 0, stdin: str = "", **variables: str) -> str:
        environment = os.environ | {
            "IPGATE_SERVER": server.address,
            "IPGATE_TOKEN": ROOT_TOKEN,
            "IPGATE_WORKSPACE": workspace.rpartition("/")[2],
        }
        done = subprocess.run(
            [IPGATE, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=environment | variables,
            check=False,
        )
        output = done.stdout + done.stderr
        assert done.returncode == code, output
        assert "Traceback" not in output
        assert ".cc:" not in output, "gRPC's core adds lines of its own"
        return output

    return call


@pytest.fixture(scope="module")
def console_address(server: Server) -> Iterator[str]:
    """Of a console for the tests of a module."""
    with console(server.address) as url:
        yield url


@pytest.fixture
def browser(console_address: str) -> Browser:
    """Logged in as root."""
    opened = Browser(console_address)
    opened.log_in(ROOT_TOKEN)
    return opened


@pytest.fixture
def place(workspace: str) -> str:
    """The address of the workspace's pages in the console."""
    return f"/w/{workspace.rpartition('/')[2]}"


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[StoreServer]:
    """A store of the test's own in which nothing is."""
    with running(tmp_path / "empty") as store:
        yield store


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Lines:
    """An export of some of everything."""
    directory = tmp_path_factory.mktemp("sample")
    with filled(directory) as store:
        return exported(store.url, directory / "sample.jsonl")
