"""The examples of the client library as running servers."""

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from tests.harness.proxy import Proxy
from tests.harness.sources import ROOT
from tests.harness.waiting import eventually

DIRECTORY = ROOT / "examples" / "python"
BIN = Path(sys.executable).parent
PROXY = "127.0.0.2"
"""The address of the proxy that the examples trust."""

COMMANDS = {
    "fastapi_app": ("uvicorn", "fastapi_app:app", "--no-proxy-headers", "--port", "PORT"),
    "starlette_app": ("uvicorn", "starlette_app:app", "--no-proxy-headers", "--port", "PORT"),
    "flask_app": ("flask", "--app", "flask_app", "run", "--port", "PORT"),
    "django_app": ("gunicorn", "django_app:guarded", "--threads", "4", "--bind", "127.0.0.1:PORT"),
    "grpc_server": ("python", "grpc_server.py", "127.0.0.1:PORT"),
    "grpc_aio_server": ("python", "grpc_aio_server.py", "127.0.0.1:PORT"),
}

Headers = list[tuple[str, str]]

_STATUS = {"OK": 200, "UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403, "UNAVAILABLE": 503}


@dataclass(frozen=True)
class Example:
    """`port`: of the example itself; `proxied`: of a proxy before it."""

    name: str
    port: int
    proxied: int
    log: Path

    @property
    def is_grpc(self) -> bool:
        return self.name.startswith("grpc")

    def ask(self, headers: Headers, *, proxied: bool = False) -> tuple[int, str]:
        """The HTTP status that it answers, or its like, and the body."""
        port = self.proxied if proxied else self.port
        return _call(port, headers) if self.is_grpc else get(port, "/orders", headers)


@contextmanager
def running(
    name: str, server: str, token_file: Path, port: int, directory: Path
) -> Iterator[Example]:
    """An example that asks `server`, once it answers."""
    program, *arguments = COMMANDS[name]
    command = [str(BIN / program), *(argument.replace("PORT", str(port)) for argument in arguments)]
    variables = {
        "IPGATE_SERVER": server,
        "IPGATE_TOKEN_FILE": str(token_file),
        "TRUSTED_PROXIES": PROXY,
    }
    log = directory / f"{name}.log"
    with ExitStack() as stack:
        output = stack.enter_context(log.open("w"))
        process = stack.enter_context(
            subprocess.Popen(
                command,
                cwd=DIRECTORY,
                env=os.environ | variables,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        )
        stack.callback(process.terminate)
        proxy = Proxy(port, PROXY)
        stack.callback(proxy.stop)
        example = Example(name, port, proxy.port, log)
        eventually(lambda: _answers(example, process), f"{name} answers")
        yield example


def get(port: int, path: str, headers: Headers) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest("GET", path)
        for header, value in headers:
            connection.putheader(header, value)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def _call(port: int, headers: Headers) -> tuple[int, str]:
    metadata = tuple((header.lower(), value) for header, value in headers)
    options = (("grpc.use_local_subchannel_pool", 1),)
    with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        try:
            call: Any = channel.unary_unary("/shop.Orders/List")
            answer = call(b"", timeout=10, metadata=metadata)
        except grpc.RpcError as error:
            return _STATUS.get(error.code().name, 0), error.details() or ""
        return 200, str(answer.decode())


def _answers(example: Example, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, example.log.read_text()
    try:
        return example.ask([])[0] == 401
    except OSError:
        return False
