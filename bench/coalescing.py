"""What the client library saves by asking together: CPU of a decision, at the client and at the server."""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.figures import Figure
from bench.processes import LOAD_CORE, SERVER_CORE, cpu, running_on, tree
from tests.harness.servers import ROOT_TOKEN, Server, serving
from tests.harness.sources import ROOT

IN_FLIGHT = (1, 8, 64)
KINDS = ("asyncio", "threads")
IP = "192.0.2.1"
_COUNTS = {1: 2000, 8: 4000, 64: 6400}
_ROUNDS = 5


def what(side: str, kind: str, in_flight: int, *, unary: bool) -> str:
    """The name of a figure."""
    way = "unary" if unary else "client library"
    return f"CPU of a decision, {side}, {kind}, {in_flight} in flight, {way}"


def measure(_count: int = 0) -> list[Figure]:
    """Unary and gathered in turns, so that both have the same noise."""
    figures = []
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        with running_on(SERVER_CORE):
            server = stack.enter_context(serving(Path(directory)))
        key = _key(server)
        for kind in KINDS:
            for in_flight in IN_FLIGHT:
                figures += _compared(server, key, kind, in_flight)
    return figures


def _key(server: Server) -> str:
    client = server.client()
    workspace = client.workspace()
    created = client.key(workspace, "k")
    client.link(client.allow_list(workspace, "l", [IP]).name, created.api_key.name)
    return str(created.credential)


def _compared(server: Server, key: str, kind: str, in_flight: int) -> list[Figure]:
    count = _COUNTS[in_flight]
    spent: dict[tuple[str, bool], list[float]] = {}
    with ExitStack() as stack:
        loads = {
            unary: stack.enter_context(_load(kind + "-unary" * unary, server, key, in_flight))
            for unary in (True, False)
        }
        for load in loads.values():
            _ask(load, count)  # warm
        for _ in range(_ROUNDS):
            for unary, load in loads.items():
                before = cpu(tree(server.process.pid))
                client = _ask(load, count)
                spent.setdefault(("client", unary), []).append(client)
                used = cpu(tree(server.process.pid)) - before
                spent.setdefault(("server", unary), []).append(used)
    return [
        Figure(
            what(side, kind, in_flight, unary=unary),
            statistics.median(seconds) / count * 1e6,
            "µs",
        )
        for (side, unary), seconds in spent.items()
    ]


@contextmanager
def _load(kind: str, server: Server, key: str, in_flight: int) -> Iterator[subprocess.Popen[str]]:
    command = (sys.executable, "-m", "bench.client_load")
    arguments = (kind, server.address, ROOT_TOKEN, key, IP, str(in_flight))
    with running_on(LOAD_CORE):
        process = subprocess.Popen(
            (*command, *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def _ask(load: subprocess.Popen[str], count: int) -> float:
    """Seconds of CPU that the client took for so many questions."""
    assert load.stdin is not None
    assert load.stdout is not None
    print(count, file=load.stdin, flush=True)
    return float(load.stdout.readline())
