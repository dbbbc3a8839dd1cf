"""The client library as its users install it: its wheel alone, next to the oldest and newest libraries."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.servers import ROOT_TOKEN, Client, Server
from tests.harness.sources import ROOT

BIN = Path(sys.executable).parent
PROGRAM = ROOT / "tests" / "harness" / "client_program.py"
INSIDE, OUTSIDE = "192.0.2.1", "198.51.100.1"


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    source = ROOT / "clients" / "python"
    run(BIN / "uv", "build", "--quiet", "--wheel", "--out-dir", directory, source)
    (path,) = directory.glob("*.whl")
    return path


@pytest.fixture
def credential(client: Client, workspace: str) -> str:
    """The credential of a key that may be used from INSIDE."""
    allow_list = client.allow_list(workspace, "office", [f"{INSIDE}/32"])
    key = client.key(workspace, "ci")
    client.link(allow_list.name, key.api_key.name)
    return str(key.credential)


@pytest.mark.parametrize(
    "libraries",
    [("--resolution=lowest-direct",), ("protobuf<7",), ("protobuf",)],
    ids=["lowest", "protobuf 6", "newest"],
)
def test_the_wheel_of_the_client_alone_asks_a_server(
    server: Server, credential: str, wheel: Path, tmp_path: Path, libraries: list[str]
) -> None:
    """Sync and async, with answers, errors and their details; strictly typed for its users."""
    uv, python = BIN / "uv", tmp_path / "venv" / "bin" / "python"
    run(uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
    run(uv, "pip", "install", "--quiet", "--python", python, wheel, *libraries)
    printed = run(python, PROGRAM, server.address, ROOT_TOKEN, credential, INSIDE, OUTSIDE)

    answers = ["True LINKED_LIST_MATCH", "False NOT_IN_LINKED_LISTS"]
    assert printed.splitlines() == [
        *answers,
        "NOT_IN_LINKED_LISTS",
        "NOT_FOUND RESOURCE_NOT_FOUND",
        *answers,
        "INVALID_ARGUMENT INVALID_ARGUMENT ip",
        "NOT_FOUND RESOURCE_NOT_FOUND",
    ]
    installed = run(uv, "pip", "freeze", "--python", python).splitlines()
    names = {line.split()[0].partition("==")[0] for line in installed}
    assert names <= {
        "ipgate-client",
        "grpcio",
        "protobuf",
        "googleapis-common-protos",
        "typing-extensions",
    }


def test_a_program_over_the_client_is_typed(wheel: Path, tmp_path: Path) -> None:
    """mypy --strict knows every name that the wheel exports, without the source tree."""
    uv, python = BIN / "uv", tmp_path / "venv" / "bin" / "python"
    run(uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
    stubs = ("types-grpcio", "types-protobuf")
    run(uv, "pip", "install", "--quiet", "--python", python, wheel, *stubs)
    config = tmp_path / "mypy.ini"
    config.write_text("[mypy]\nstrict = true\n")
    mypy = (BIN / "mypy", "--config-file", config, "--cache-dir", tmp_path / "cache")
    run(*mypy, "--python-executable", python, PROGRAM)
