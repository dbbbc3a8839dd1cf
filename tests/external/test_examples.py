"""The examples in other languages, generated from protos/ alone, started and attacked."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.harness.examples import PROXY, get
from tests.harness.groups import free_ports
from tests.harness.proxy import Proxy
from tests.harness.servers import serving
from tests.harness.sources import ROOT
from tests.harness.waiting import eventually

EXAMPLES = ROOT / "examples"
INSIDE, OUTSIDE = "192.0.2.1", "198.51.100.1"
COMMANDS = {"go": ("./guard",), "node": ("node", "server.js")}


@pytest.fixture(scope="module", autouse=True)
def generated() -> None:
    """The stubs, and the program of Go."""
    subprocess.run(("make", "-s", "examples"), check=True, cwd=ROOT, timeout=280)
    subprocess.run(
        ("go", "build", "-o", "guard", "."), check=True, cwd=EXAMPLES / "go", timeout=280
    )


@contextmanager
def started(language: str, address: str, token_file: Path, port: int) -> Iterator[int]:
    """The port of a proxy before the example, from an address that ipgate trusts."""
    variables = {"IPGATE_SERVER": address, "IPGATE_TOKEN_FILE": str(token_file)}
    command = (*COMMANDS[language], f"127.0.0.1:{port}")
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(command, cwd=EXAMPLES / language, env=os.environ | variables)
        )
        stack.callback(process.terminate)
        proxy = Proxy(port, PROXY)
        stack.callback(proxy.stop)
        eventually(lambda: _answers(port), f"{language} answers")
        yield proxy.port


@pytest.mark.parametrize("engine", ["http2", "grpcio"])
@pytest.mark.parametrize("language", COMMANDS)
def test_an_example_lets_only_allowed_requests_through(
    language: str, engine: str, tmp_path: Path
) -> None:
    """The server finds the address behind its trusted proxies; whatever fails is a denial."""
    port, server_port = free_ports(2)
    address, token_file = f"127.0.0.1:{server_port}", tmp_path / "token"
    flags = ("--listen", address, "--trusted-proxies", PROXY, "--engine", engine)
    with serving(tmp_path / "server", *flags) as server:
        client = server.client()
        workspace = client.workspace()
        created = client.key(workspace, "ci")
        client.link(client.allow_list(workspace, "office", [INSIDE]).name, created.api_key.name)
        token_file.write_text(client.access_token("AUTHORIZER", workspace).token)
        key, inside = ("X-Api-Key", str(created.credential)), ("X-Forwarded-For", INSIDE)
        with started(language, address, token_file, port) as proxied:

            def ask(*headers: tuple[str, str], through: int = proxied) -> int:
                return get(through, "/", list(headers))[0]

            assert ask(key, inside) == 200
            assert ask(inside) == 401
            assert ask(key, key, inside) == 401
            assert ask(("X-Api-Key", "wrong"), inside) == 403
            assert ask(key) == 403
            assert ask(key, inside, through=port) == 403
            assert ask(key, ("X-Forwarded-For", f"{INSIDE}, {OUTSIDE}")) == 403
            assert ask(key, inside, ("X-Forwarded-For", OUTSIDE)) == 403
            assert ask(key, inside, ("Forwarded", f"for={OUTSIDE}")) == 403
            assert ask(("X-Api-Key", "k" * 9000), inside) == 503
            workers = server.workers()
            for worker in workers:
                os.kill(worker, signal.SIGSTOP)
            assert ask(key, inside) == 503
            for worker in workers:
                os.kill(worker, signal.SIGCONT)
            eventually(lambda: ask(key, inside) == 200, "it answers again")
            server.stop()
            assert ask(key, inside) == 503
            with serving(tmp_path / "server", *flags):
                eventually(lambda: ask(key, inside) == 200, "it answers again")


def _answers(port: int) -> bool:
    try:
        return get(port, "/", [])[0] == 401
    except OSError:
        return False
