"""Mutated messages and frames, from a fixed seed. `IPGATE_FUZZ_ROUNDS` makes it longer (1 is the
suite's), `IPGATE_FUZZ_SEED` takes it elsewhere."""

import os
import random
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from google.protobuf.message import Message

from tests.harness import http2
from tests.harness.http2 import DATA, HEADERS, Wire, grpc_message
from tests.harness.servers import Client, Server
from tests.harness.waiting import eventually
from tests.integration.test_access import METHODS, about
from tests.integration.test_bad_input import HOSTILE, PROPER, raw
from tests.integration.test_wire import open_files, resident

pytestmark = pytest.mark.engine

ROUNDS = int(os.environ.get("IPGATE_FUZZ_ROUNDS", "1"))
SEED = int(os.environ.get("IPGATE_FUZZ_SEED", "20250530"))
PERMITTED = PROPER | {"UNAUTHENTICATED", "PERMISSION_DENIED", "UNAVAILABLE"}
TEXTS = [*HOSTILE, "1.2.3.4", "10.0.0.0/8", "0.0.0.0/0", "\u2028x", "x" * 70_000, "workspaces/-",
         "accessTokens/root", "*", "ranges", "ipg_x", "\U0001f600", "٣.٣.٣.٣"]  # fmt: skip
POOL = 64
"""Connections to the store that a worker may have opened in that time; it keeps them."""
NUMBERS = [0, 1, -1, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 10**9, 253402300800]


@pytest.fixture(autouse=True)
def unharmed(server: Server) -> Iterator[None]:
    """The same worker serves afterwards, has closed what it opened, and logged no traceback."""
    (worker,) = server.workers()
    files, memory = open_files(worker), resident(worker)
    yield
    server.client().ask("1.2.3.4", key="x")
    assert server.workers() == [worker]
    eventually(lambda: open_files(worker) <= files + POOL, "connections are closed")
    assert resident(worker) < memory + (128 << 20)
    log = server.log.read_text()
    assert "Traceback" not in log
    assert "unexpected error" not in log


def sane(workspace: str) -> dict[str, Any]:
    """A request for each method, most of which would succeed."""
    return {name: kind() for name, kind in METHODS.items()} | about(workspace)


@pytest.mark.parametrize("method", METHODS)
def test_mutated_requests_get_a_proper_status(client: Client, method: str) -> None:
    """Well-formed requests with any values in any fields never end in UNKNOWN or INTERNAL."""
    source = random.Random(f"{SEED} {method}")
    workspace = client.workspace()
    client.allow_list(workspace, "l", ["1.2.3.4", "5.6.7.8"])
    client.key(workspace, "k")
    for _ in range(40 * ROUNDS):
        request = METHODS[method]()
        request.CopyFrom(sane(workspace)[method])
        for _ in range(source.randrange(1, 5)):
            mutate(request, source)
        assert raw(client, method, request.SerializeToString()) in PERMITTED, request


def mutate(message: Message, source: random.Random) -> None:
    """Sets, clears or repeats one field of a message, or of a message in it."""
    if not message.DESCRIPTOR.fields:
        return
    field: Any = source.choice(list(message.DESCRIPTOR.fields))
    if source.random() < 0.1:
        message.ClearField(field.name)
    elif field.message_type:
        if not field.is_repeated:
            mutate(getattr(message, field.name), source)
        elif len(getattr(message, field.name)) < 50:
            mutate(getattr(message, field.name).add(), source)
    elif field.is_repeated:
        getattr(message, field.name).extend(source.choices(TEXTS, k=source.choice((1, 3, 300))))
    else:
        with suppress(ValueError):  # out of the range of its type
            setattr(message, field.name, value(field, source))


def value(field: Any, source: random.Random) -> Any:
    if field.type == field.TYPE_STRING:
        return source.choice(TEXTS)
    if field.type == field.TYPE_BOOL:
        return source.random() < 0.5
    return source.choice(NUMBERS)


def test_random_frames_harm_nobody(server: Server) -> None:
    """Frames of all kinds with random flags, streams, lengths and payloads end a connection at most."""
    source = random.Random(SEED)
    paths = [*(f"/ipgate.v1.AdminService/{name}" for name in METHODS), http2.AUTHORIZE, "/x", ""]
    for _ in range(150 * ROUNDS):
        with Wire(server.address) as wire, suppress(OSError):
            wire.settings()
            for _ in range(source.randrange(1, 30)):
                stream = source.choice((0, 1, 3, 5, 7, 2, 2**31 - 1, source.randrange(100)))
                if source.random() < 0.4:
                    wire.call(stream, source.choice(paths))
                    wire.send(DATA, source.choice((0, 1)), stream, grpc_message(b"\x0a\x01x"))
                else:
                    payload = source.randbytes(source.choice((0, 4, 5, 6, 8, 8, 100, 20_000)))
                    wire.send(source.randrange(12), source.randrange(256), stream, payload)


def test_damaged_calls_harm_nobody(server: Server) -> None:
    """A sound call, with some of its bytes changed on the wire, ends a connection at most."""
    source = random.Random(SEED)
    block = http2.header_block(http2.AUTHORIZE)
    message = grpc_message(b"\x0a\x01x\x1a\x071.2.3.4")
    call = _frame(HEADERS, http2.END_HEADERS, block) + _frame(DATA, http2.END_STREAM, message)
    for _ in range(300 * ROUNDS):
        damaged = bytearray(call)
        for _ in range(source.randrange(1, 4)):
            damaged[source.randrange(len(damaged))] = source.randrange(256)
        with Wire(server.address) as wire, suppress(OSError):
            wire.settings()
            wire.socket.sendall(damaged)


def _frame(kind: int, flags: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, 1) + payload
