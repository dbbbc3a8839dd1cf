"""Where a server listens."""

import socket
import stat
import subprocess
from pathlib import Path

import pytest

from tests.harness.servers import IPGATE, ROOT_TOKEN, Client, serving

pytestmark = pytest.mark.engine


@pytest.mark.parametrize(("engine", "workers"), [("grpcio", 1), ("http2", 2)])
def test_a_unix_socket_is_for_user_and_group_and_goes_with_the_server(
    tmp_path: Path, engine: str, workers: int
) -> None:
    """It is made with mode 0660, also where a killed server left one, and removed at the stop."""
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    options = ("--engine", engine, "--workers", str(workers), "--listen", f"unix:{path}")
    with serving(tmp_path / "d", *options) as server:
        assert server.address == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        for _ in range(6):
            client = Client(f"unix:{path}")
            assert client.ask("1.2.3.4", key="x")
            client.channel.close()
        command = [str(IPGATE), "--server", f"unix:{path}", "workspace", "ls"]
        environment = {"IPGATE_TOKEN": ROOT_TOKEN, "PATH": ""}
        subprocess.run(command, check=True, timeout=30, capture_output=True, env=environment)
        assert server.stop() == 0
    assert not path.exists()


def rejection(*options: str) -> str:
    done = subprocess.run(
        [str(IPGATE), "serve", *options], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_unix_socket_that_cannot_be_had_is_an_error(tmp_path: Path) -> None:
    """One of another server, a file that is none, a directory that is not there, several workers of the
    grpcio engine; a path in use is left alone."""
    directory = ("--data-dir", str(tmp_path / "d"), "--engine", "http2")
    (tmp_path / "file").write_text("kept")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "taken"))
        other.listen()
        for name, reason in (
            ("taken", "another program listens there; choose another"),
            ("file", "there is a file that is no socket; choose another"),
            ("none/x", "No such file or directory; choose another"),
            ("x" * 200, "AF_UNIX path too long; choose another"),
        ):
            assert reason in rejection("--listen", f"unix:{tmp_path}/{name}", *directory)
        assert (tmp_path / "taken").is_socket()
    assert (tmp_path / "file").read_text() == "kept"
    several = ("--listen", f"unix:{tmp_path}/s", "--workers", "2")
    said = rejection(*several, "--engine", "grpcio", "--data-dir", str(tmp_path / "d"))
    assert "give --workers 1, or --engine http2" in said
    for fix in (("--workers", "1", "--engine", "grpcio"), ("--workers", "2", "--engine", "http2")):
        with serving(tmp_path / "d", "--listen", f"unix:{tmp_path}/s", *fix):
            pass


def test_a_port_that_another_program_has_just_left_is_taken(tmp_path: Path) -> None:
    """Its last connections are in TIME_WAIT for a minute, which must not delay a start."""
    with socket.create_server(("127.0.0.1", 0)) as former:
        port = former.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as caller:
            accepted, _ = former.accept()
            accepted.close()  # the first to close is the one that waits
            assert caller.recv(1) == b""
    with serving(tmp_path, "--listen", f"127.0.0.1:{port}") as server:
        server.client().workspace()
