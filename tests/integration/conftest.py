"""The `ipgate` command, run as its users run it."""

import os
import subprocess
from typing import Any

import pytest

from tests.harness.servers import IPGATE, ROOT_TOKEN, Server

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
