"""`serve --console`: the console comes and goes with its server, and keeps it from nothing."""

import os
import signal
import socket
from pathlib import Path

import trustme

from tests.harness.console import Browser, address_in, console
from tests.harness.servers import ROOT_TOKEN, Server, rejection, serving
from tests.harness.waiting import eventually

OPTIONS = ("--console", "--console-listen", "127.0.0.1:0")


def consoles(server: Server) -> list[int]:
    return [
        pid
        for pid in server.children()
        if b"\0console\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def printed(server: Server) -> str:
    """The address of the console, which the server's output has after its own."""
    assert server.process.stdout is not None
    return next(address_in(line) for line in server.process.stdout if "the console is at" in line)


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_a_server_serves_the_console_too(tmp_path: Path) -> None:
    """It has none of the server's secrets, is started again after it was killed, and ends with the server."""
    with serving(tmp_path, *OPTIONS) as server:
        browser = Browser(printed(server))
        assert "Workspaces" in browser.log_in(ROOT_TOKEN).text
        (first,) = consoles(server)
        environment = Path(f"/proc/{first}/environ").read_bytes()
        assert ROOT_TOKEN.encode() not in environment
        assert b"IPGATE_" not in environment
        os.kill(first, signal.SIGKILL)
        assert Browser(printed(server)).open("/login").status == 200
        (second,) = consoles(server)
        server.process.kill()
        server.process.wait()
        eventually(lambda: not is_alive(second), "it ends with its server")


def test_a_console_that_cannot_start_is_one_warning(tmp_path: Path) -> None:
    """Of a port that is taken; the server serves."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with serving(tmp_path, "--console", "--console-listen", address) as server:
            eventually(lambda: "serving without the console" in server.log.read_text(), "it warns")
            assert server.client().workspace()
            assert not consoles(server)
            assert server.log.read_text().count("serving without the console") == 1
            assert server.stop() == 0


def test_a_console_beside_a_server_with_tls_is_refused(tmp_path: Path) -> None:
    """As the console would need its certificates; `ipgate console` takes them."""
    certificates = (
        "--tls-cert",
        str(tmp_path / "cert.pem"),
        "--tls-key",
        str(tmp_path / "key.pem"),
    )
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    said = rejection("--data-dir", str(tmp_path / "d"), "--console", *certificates)
    assert "run 'ipgate console --tls-ca CA.pem' beside it instead" in said
    with (
        serving(tmp_path / "d", *certificates) as server,
        console(server.address, "--tls-ca", str(tmp_path / "ca.pem")) as url,
    ):
        assert "Workspaces" in Browser(url).log_in(ROOT_TOKEN).text
