"""The service that one writes in an afternoon, and its store."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from ipgate.v1 import authorize_pb2 as authorize

from bench import ranges
from bench.contenders.contender import Ask, Contender, Running
from bench.contenders.ipgate import SERVICE
from bench.h2load import grpc_call
from bench.processes import SERVER_CORE, free_address, launched, running_on
from tests.harness.servers import Client
from tests.harness.stores import EMBEDDED, StoreServer

ROWS = {count: f"naive service, {count:,} ranges" for count in (3, 100, 1000)}


@contextmanager
def start(directory: Path) -> Iterator[Running]:
    store = StoreServer(directory, program=EMBEDDED)
    address = free_address()
    command = [sys.executable, "-m", "bench.contenders.naive_server", address, store.url]
    try:
        with running_on(SERVER_CORE):
            store.start()
        for count, name in ROWS.items():
            store.client().rpush(f"ranges:{name}", *ranges.texts(count))
        with launched(command, address, directory / "output") as pid:
            assert store.process is not None
            pids = [pid, store.process.pid]
            client = Client(address, token="")
            yield Running(
                f"grpcio {grpc.__version__}, Valkey {store.client().info('server')['valkey_version']}",
                lambda: pids,
                {name: _ask(client, name, count, directory) for count, name in ROWS.items()},
            )
    finally:
        store.stop()


def _ask(client: Client, key: str, count: int, directory: Path) -> Ask:
    question = authorize.AuthorizeRequest(key=key, ip=ranges.inside(ranges.texts(count)))
    message = question.SerializeToString()
    return Ask(
        grpc_call(client.address, f"{SERVICE}/Authorize", message, directory),
        _decided(client, question),
    )


def _decided(client: Client, question: authorize.AuthorizeRequest) -> Callable[[], None]:
    def check() -> None:
        assert client.call("Authorize", question).allowed
        assert not client.ask(ranges.OUTSIDE, key=question.key).allowed

    return check


CONTENDER = Contender("naive service", tuple(ROWS.values()), start)
