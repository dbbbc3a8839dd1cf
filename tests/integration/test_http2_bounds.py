"""Who may stay connected to the http2 engine, and for how long."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import grpc
import pytest
import trustme
from ipgate.engines import http2 as http2_engine
from ipgate.engines import transport_limits
from ipgate.engines.health import CHECK
from ipgate.engines.http2.connection import Connection
from ipgate.engines.tls import TlsFiles
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness import http2
from tests.harness.engines import running_http2, started
from tests.harness.http2 import DATA, PREFACE, Wire, grpc_message
from tests.harness.waiting import eventually

QUESTION = grpc_message(authorize.AuthorizeRequest(key="x", ip="1.2.3.4").SerializeToString())


def ask(wire: Wire, stream: int = 1) -> str:
    wire.call(stream)
    wire.send(DATA, http2.END_STREAM, stream, QUESTION)
    return wire.status(stream)


def check(wire: Wire, stream: int = 1) -> str:
    wire.call(stream, CHECK, token=None)
    wire.send(DATA, http2.END_STREAM, stream, grpc_message(b""))
    return wire.status(stream)


def stranger(wire: Wire, stream: int = 1) -> str:
    wire.call(stream, token="x" * 40)
    wire.send(DATA, http2.END_STREAM, stream, QUESTION)
    return wire.status(stream)


def opened(stack: ExitStack, address: str, count: int = 1) -> list[Wire]:
    wires = [stack.enter_context(Wire(address)) for _ in range(count)]
    for wire in wires:
        with suppress(ConnectionError):
            wire.settings()
    return wires


def is_open(wire: Wire, use: Callable[[Wire, int], str], stream: int = 101) -> bool:
    try:
        return use(wire, stream) != ""
    except ConnectionError:
        return False


def test_a_connection_of_a_stranger_is_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One without calls, and one whose token is not known; not those with a good token or a health call."""
    monkeypatch.setattr(transport_limits, "AUTHENTICATION_TIMEOUT", 0.5)
    with running_http2() as address, ExitStack() as stack:
        idle, unknown, healthy, known = opened(stack, address, 4)
        assert stranger(unknown) == "16"
        assert check(healthy) == "0"
        assert ask(known) == "0"
        for wire in (idle, unknown):
            assert wire.first(http2.GOAWAY) is not None
            assert wire.first(DATA) is None, "it is closed"
        assert check(healthy, 3) == "0"
        assert ask(known, 3) == "0"


def test_a_peer_that_never_speaks_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a preface there is no connection to speak of."""
    monkeypatch.setattr(transport_limits, "HANDSHAKE_TIMEOUT", 0.5)
    with running_http2() as address, Wire(address, preface=PREFACE[:5]) as wire:
        assert wire.first(DATA) is None


def test_a_handshake_of_tls_that_does_not_go_on_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Half-open connections end in time, and fill no log; others are served in that time."""
    monkeypatch.setattr(transport_limits, "HANDSHAKE_TIMEOUT", 0.5)
    authority = trustme.CA()
    pair = authority.issue_cert("127.0.0.1")
    files = TlsFiles(
        pair.cert_chain_pems[0].bytes().decode(), pair.private_key_pem.bytes().decode()
    )
    with running_http2(tls=files) as address, ExitStack() as stack:
        host, _, port = address.rpartition(":")
        for said in (b"", b"\x16\x03\x01", b"nonsense"):
            half = stack.enter_context(socket.create_connection((host, int(port)), timeout=10))
            half.sendall(said)
            roots = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
            with grpc.secure_channel(address, roots) as channel:
                call: Any = channel.unary_unary(CHECK)
                assert call(b"", timeout=10)
            with suppress(ConnectionError):
                while half.recv(100):
                    pass  # an alert of TLS may come first
    assert caplog.text == ""


def test_strangers_make_room_for_callers() -> None:
    """When there are too many connections, the oldest of a stranger is closed for the next one."""
    with running_http2(max_connections=8) as address, ExitStack() as stack:
        known = opened(stack, address, 2)
        assert [ask(wire) for wire in known] == ["0", "0"]
        idle = opened(stack, address, 6)
        late = opened(stack, address, 6)
        assert [ask(wire) for wire in late] == ["0"] * 6
        assert [is_open(wire, ask) for wire in idle] == [False] * 6
        assert [ask(wire, 3) for wire in known] == ["0", "0"]


def test_health_is_answered_when_all_connections_are_taken() -> None:
    """By a few connections that are kept free for it, and for nothing else."""
    with running_http2(max_connections=4) as address, ExitStack() as stack:
        known = opened(stack, address, 4)
        assert [ask(wire) for wire in known] == ["0"] * 4
        spare = opened(stack, address, transport_limits.SPARE_CONNECTIONS)
        assert [check(wire) for wire in spare] == ["0"] * len(spare)
        assert ask(spare[0], 3) == "8"
        (over,) = opened(stack, address)
        assert not is_open(over, check)
        known.pop().socket.close()

        def works() -> bool:
            with Wire(address) as wire:
                wire.settings()
                return is_open(wire, ask)

        eventually(works, "a place that is free again is taken")


def test_strangers_of_one_address_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those beyond the bound are closed soon; callers with a good token are not counted by address."""
    monkeypatch.setattr(transport_limits, "MAX_UNAUTHENTICATED_PER_HOST", 3)
    with running_http2() as address, ExitStack() as stack:
        for wire in opened(stack, address, 3):
            assert ask(wire) == "0"
        idle = opened(stack, address, 6)
        for wire in idle[:3]:
            assert wire.first(DATA) is None, "it is closed"
        assert [ask(wire) for wire in idle[3:]] == ["0"] * 3


def test_many_callers_of_one_address_may_connect_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """As those behind a gateway do when ipgate was started again: each has time for its first call."""
    monkeypatch.setattr(transport_limits, "MAX_UNAUTHENTICATED_PER_HOST", 3)
    monkeypatch.setattr(transport_limits, "CROWDED_TIMEOUT", 60)
    with running_http2() as address, ExitStack() as stack:
        wires = opened(stack, address, 50)
        assert [ask(wire) for wire in wires] == ["0"] * 50


def test_a_flood_of_one_address_takes_no_places_from_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When there are too many connections, its own oldest ones make room."""
    monkeypatch.setattr(transport_limits, "MAX_UNAUTHENTICATED_PER_HOST", 3)
    monkeypatch.setattr(transport_limits, "CROWDED_TIMEOUT", 60)
    with running_http2(max_connections=8) as address, ExitStack() as stack:
        other = stack.enter_context(Wire(address, source="127.0.0.2"))
        other.settings()
        flood = opened(stack, address, 20)
        assert ask(other) == "0"
        assert ask(flood[-1]) == "0"
        assert not is_open(flood[0], ask)


def test_thousands_of_idle_connections_lock_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there may be, and more: the next caller is served."""
    monkeypatch.setattr(transport_limits, "MAX_UNAUTHENTICATED_PER_HOST", 10_000)
    with running_http2(max_connections=300) as address, ExitStack() as stack:
        opened(stack, address, 1000)
        for _ in range(20):
            (wire,) = opened(stack, address)
            assert ask(wire) == "0"


def test_a_connection_is_not_used_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is old it gets GOAWAY, and its calls end a while later; so does one without calls."""
    for bound, name in ((1.5, "MAX_AGE"), (1.5, "IDLE_TIMEOUT")):
        with monkeypatch.context() as patched:
            patched.setattr(transport_limits, name, bound)
            with running_http2() as address, Wire(address) as wire:
                wire.settings()
                assert ask(wire) == "0"
                assert wire.first(http2.GOAWAY) is not None
                assert wire.first(DATA) is None, "it is closed"


def test_a_peer_that_answers_no_ping_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is gone without a word; one that answers stays."""
    monkeypatch.setattr(transport_limits, "KEEPALIVE_TIME", 0.5)
    monkeypatch.setattr(transport_limits, "KEEPALIVE_TIMEOUT", 0.5)
    with running_http2() as address, Wire(address) as wire:
        wire.settings()
        assert ask(wire) == "0"
        assert wire.first(http2.PING) is not None
        wire.send(
            http2.PING, http2.ACK, 0, bytes(8)
        )  # by hand: `first` answers only what it passes
        assert wire.first(http2.PING) is not None
        silent = partial(wire.socket.recv, 1 << 16)  # which answers nothing
        eventually(lambda: silent() == b"", "it is closed")


def test_answers_that_are_not_read_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that leaves too much unread gets no more answers until it reads."""
    monkeypatch.setattr(transport_limits, "MAX_BACKLOG", 1000)
    with running_http2() as address, Wire(address) as wire:
        wire.settings((http2.INITIAL_WINDOW_SIZE, 0))
        for stream in range(1, 201, 2):
            wire.call(stream)
            wire.send(DATA, http2.END_STREAM, stream, QUESTION)
        assert wire.first(http2.HEADERS, 199) is not None
        wire.call(201)
        refused = wire.first(http2.HEADERS, 201)
        assert refused is not None
        assert refused.headers["grpc-status"] == "8"


async def test_an_engine_without_its_bounds_of_time_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its worker is replaced then, instead of serving strangers without end."""

    def fail(_connection: Connection, _now: float) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Connection, "check", fail)

    engine = await started(http2_engine.build)
    host, port = "127.0.0.1", engine.port
    _, writer = await asyncio.open_connection(host, port)
    async with asyncio.timeout(10):
        with pytest.raises(RuntimeError, match="a bug"):
            await engine.ended()
    writer.close()
    await engine.stop(0)
