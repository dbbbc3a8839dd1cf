"""Real clients in other languages, installed when they are first needed."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.npm import INSTALLED
from tests.harness.npm import install as install_npm
from tests.harness.servers import Server, serving


@pytest.fixture(scope="session", params=["http2", "grpcio"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("e"), "--engine", request.param) as running:
        yield running


@pytest.fixture(scope="session")
def go() -> Callable[[str], str]:
    """The path of a program of a Go module, `path@version`."""

    def install(package: str) -> str:
        target = INSTALLED / "go"
        # The last part of a path may be the major version of its module.
        program = target / re.sub("/v[0-9]+$", "", package.partition("@")[0]).rpartition("/")[2]
        if not program.exists():
            assert shutil.which("go"), "go is not installed; on Debian: apt-get install golang"
            target.mkdir(parents=True, exist_ok=True)
            environment = os.environ | {"GOBIN": str(target)}
            command = ["go", "install", package]
            subprocess.run(command, check=True, timeout=290, env=environment, cwd=target)
        return str(program)

    return install


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The folder of the packages that tests/external/npm locks."""
    return install_npm(Path(__file__).parent / "npm")
