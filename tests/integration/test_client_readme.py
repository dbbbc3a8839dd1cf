"""The README of the client library, done as it says by somebody who has nothing but Python."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness.examples import get
from tests.harness.groups import free_ports
from tests.harness.servers import ROOT_TOKEN
from tests.harness.sources import ROOT
from tests.harness.waiting import eventually

README = ROOT / "clients" / "python" / "README.md"
SERVER, WEB = "50051", "8000"
"""Ports of the README, of which each test run has others."""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both distributions, as a registry would have them."""
    directory = tmp_path_factory.mktemp("wheels")
    build = (Path(sys.executable).with_name("uv"), "build", "--quiet", "--wheel")
    for source in (ROOT, ROOT / "clients" / "python"):
        subprocess.run((*build, "--out-dir", directory, source), check=True)
    return directory


def blocks() -> list[str]:
    """The blocks of code of the section about FastAPI: install, set up, program, ask."""
    (section,) = re.findall(
        r"## Protect a FastAPI route\n(.*?)\n## ", README.read_text(), re.DOTALL
    )
    found = re.findall(r"```(?:sh|python|console)\n(.*?)```", section, re.DOTALL)
    assert len(found) == 4
    return found


class Shell:
    """A terminal: what is set in one block holds in the next."""

    def __init__(self, directory: Path, variables: dict[str, str]) -> None:
        with (directory / "errors").open("a") as errors:
            self.process = subprocess.Popen(
                ("bash", "--norc"),
                cwd=directory,
                env=variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )

    def run(self, commands: str) -> str:
        """The output of commands, the last of which must succeed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{commands}\necho; echo done $?\n")
        self.process.stdin.flush()
        lines: list[str] = []
        while not (line := self.process.stdout.readline()).startswith("done "):
            assert line, "the shell ended"
            lines.append(line)
        assert line == "done 0\n", "".join(lines)
        return "".join(lines).strip()


@contextmanager
def terminal(directory: Path, variables: dict[str, str]) -> Iterator[Shell]:
    shell = Shell(directory, variables)
    try:
        yield shell
    finally:
        os.killpg(shell.process.pid, signal.SIGTERM)
        shell.process.wait(timeout=30)
        for stream in (shell.process.stdin, shell.process.stdout):
            assert stream is not None
            stream.close()


@pytest.mark.timeout(600)
def test_a_fastapi_developer_protects_a_route_as_the_readme_says(
    wheels: Path, tmp_path: Path
) -> None:
    """Every command works, and prints what the README shows."""
    server, web = (str(port) for port in free_ports(2))
    variables = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"} | {
        "PATH": f"{Path(sys.executable).resolve().parent}:/usr/local/bin:/usr/bin:/bin",
        "PIP_FIND_LINKS": f"{os.environ.get('PIP_FIND_LINKS', '')} {wheels}".strip(),
        "PYTHONDONTWRITEBYTECODE": "",
        "IPGATE_LISTEN": f"127.0.0.1:{server}",
        "IPGATE_SERVER": f"127.0.0.1:{server}",
        "IPGATE_WORKERS": "1",
        "UVICORN_PORT": web,
    }
    install, setup, program, session = blocks()
    program = program.replace(SERVER, server)
    with terminal(tmp_path, variables) as first, terminal(tmp_path, variables) as second:
        assert install.endswith("\nipgate serve\n")
        first.run(install.replace("ipgate serve", "ipgate serve &"))
        second.run(". .venv/bin/activate")
        health = "ipgate health > /dev/null 2>&1 && echo serving || true"
        eventually(lambda: second.run(health) == "serving", "the server serves")
        second.run(setup)
        (tmp_path / "app.py").write_text(program)
        for command, shown in _commands(session):
            printed = second.run(command.replace(WEB, web))
            assert printed == shown, command
            if command.startswith("uvicorn"):
                eventually(lambda: _answers(int(web)), "the application answers")
    assert ROOT_TOKEN not in program


def _commands(session: str) -> list[tuple[str, str]]:
    """The commands of a session, each with what it prints."""
    parts = re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]
    return [(part.partition("\n")[0], part.partition("\n")[2].strip()) for part in parts]


def _answers(port: int) -> bool:
    try:
        return get(port, "/orders", [])[0] == 401
    except OSError:
        return False
