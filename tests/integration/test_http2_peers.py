"""Peers of the http2 engine that a review thought of: each once did harm, or was harmed."""

import gzip
import ssl
import struct
from contextlib import ExitStack, suppress
from itertools import count

import pytest
import trustme
from ipgate.engines import health, transport_limits
from ipgate.engines.health import CHECK, WATCH
from ipgate.engines.tls import TlsFiles
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness import http2
from tests.harness.engines import running_http2
from tests.harness.http2 import DATA, HEADERS, Wire, grpc_message
from tests.harness.servers import Server
from tests.harness.waiting import eventually
from tests.integration.test_wire import resident

STREAM = "/ipgate.v1.AuthorizeService/StreamAuthorize"
CREATE = "/ipgate.v1.AdminService/CreateAllowList"
RAW = authorize.AuthorizeRequest(key="x", ip="1.2.3.4")
QUESTION = grpc_message(RAW.SerializeToString())
EMPTY = grpc_message(b"")


def ask(wire: Wire, stream: int) -> str:
    wire.call(stream)
    wire.send(DATA, http2.END_STREAM, stream, QUESTION)
    return wire.status(stream)


def test_pings_between_answers_of_a_stream_are_no_flood(server: Server) -> None:
    """Clients measure the way with them while they get answers."""
    message = authorize.StreamAuthorizeRequest(id="1", request=RAW).SerializeToString()
    with Wire(server.address) as wire:
        wire.settings()
        wire.call(1, STREAM)
        for _ in range(20):
            wire.send(DATA, 0, 1, grpc_message(message))
            assert wire.first(DATA, 1) is not None
            wire.send(http2.PING, 0, 0, bytes(8))
        wire.send(DATA, http2.END_STREAM, 1)
        assert wire.status(1) == "0"


def test_messages_of_strangers_are_not_inflated(server: Server) -> None:
    """Not before their token is known: 4 KB would become 4 MB, on every stream."""
    (worker,) = server.workers()
    bomb = grpc_message(gzip.compress(bytes(4_000_000)), compressed=True)
    before = resident(worker)
    with ExitStack() as stack:
        for _ in range(8):
            wire = stack.enter_context(Wire(server.address))
            wire.settings()
            for stream in range(1, 30, 2):
                wire.call(stream, CREATE, token="x" * 40, grpc_encoding="gzip")
                wire.send(DATA, 0, stream, bomb)
        assert server.client().ask("1.2.3.4", key="x")
        assert resident(worker) < before + (32 << 20)


def test_a_resumed_session_does_not_outlive_its_authority() -> None:
    """With mutual TLS no session can be resumed, since resuming verifies no certificate."""
    authority, clients = trustme.CA(), trustme.CA()
    pair, mine = authority.issue_cert("127.0.0.1"), clients.issue_cert("me@example.org")
    files = TlsFiles(
        pair.cert_chain_pems[0].bytes().decode(),
        pair.private_key_pem.bytes().decode(),
        clients.cert_pem.bytes().decode(),
    )
    context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    context.set_alpn_protocols(["h2"])
    with mine.private_key_and_cert_chain_pem.tempfile() as path:
        context.load_cert_chain(path)
    server = files.context()
    session = None
    for _ in range(2):
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        peer = context.wrap_bio(to_client, to_server, server_hostname="127.0.0.1", session=session)
        ours = server.wrap_bio(to_server, to_client, server_side=True)
        for _ in range(4):
            for side in (peer, ours):
                with suppress(ssl.SSLWantReadError):
                    side.do_handshake()
        ours.write(b"x")
        assert peer.read(1) == b"x"
        session = peer.session
        assert not peer.session_reused
    assert peer.version() == "TLSv1.3"


def test_a_stranger_that_reads_nothing_is_ended_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a GOAWAY gets through to it, and its connection is closed all the same."""
    monkeypatch.setattr(transport_limits, "AUTHENTICATION_TIMEOUT", 0.5)
    monkeypatch.setattr(transport_limits, "AUTHENTICATION_GRACE", 0.5)
    with running_http2() as address, Wire(address, timeout=1) as wire:
        wire.settings()
        with suppress(OSError):
            for _ in range(2000):
                wire.send(http2.SETTINGS, times=10_000)

        def is_closed() -> bool:
            try:
                wire.send(http2.SETTINGS)
            except TimeoutError:
                return False
            except OSError:
                return True
            return False

        eventually(is_closed, "it is closed")


def test_a_watcher_that_is_given_up_gives_its_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that leaves its statuses unread is reset, and others may watch."""
    monkeypatch.setattr(health, "MAX_WATCHERS", 1)
    changes = []
    report = health.Health.report

    def noted(self: health.Health, service: str, *, serving: bool) -> None:
        changes.append(self)
        report(self, service, serving=serving)

    monkeypatch.setattr(health.Health, "report", noted)
    with running_http2() as address, Wire(address) as wire, Wire(address) as other:
        wire.settings((http2.INITIAL_WINDOW_SIZE, 0))
        other.settings()
        wire.call(1, WATCH, token=None)
        wire.send(DATA, http2.END_STREAM, 1, EMPTY)
        assert wire.first(HEADERS, 1) is not None
        streams = iter(range(1, 10_001, 2))

        def is_let_in() -> bool:
            changes[0].report("", serving=len(changes) % 2 == 0)
            stream = next(streams)
            other.call(stream, WATCH, token=None)
            other.send(DATA, http2.END_STREAM, stream, EMPTY)
            head = other.first(HEADERS, stream)
            return head is not None and "grpc-status" not in head.headers

        eventually(is_let_in, "its place is free")


def test_health_checks_that_never_come_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are places for a few; they are free again when the checks are given up."""
    with running_http2() as address, Wire(address) as wire, Wire(address) as other:
        wire.settings()
        other.settings()
        calls = count(1, 2)
        for _ in range(health.MAX_CHECKS):
            wire.call(next(calls), CHECK, token=None)
        streams = count(1, 2)

        def check() -> str:
            stream = next(streams)
            other.call(stream, CHECK, token=None)
            other.send(DATA, http2.END_STREAM, stream, EMPTY)
            return other.status(stream)

        def are_taken() -> bool:
            """Else takes one more: this check may have had the place of a call, which was refused."""
            if check() == "8":
                return True
            wire.call(next(calls), CHECK, token=None)
            return False

        eventually(are_taken, "all places are taken")
        eventually(lambda: check() == "0", "they are free again")


def test_a_watch_has_a_deadline_and_takes_no_room(server: Server) -> None:
    """What a watcher goes on sending is thrown away, and its deadline ends it."""
    with Wire(server.address) as wire:
        wire.settings()
        for stream in range(1, 1201, 4):
            wire.call(stream, WATCH, token=None)
            wire.send(DATA, 0, stream, EMPTY)
            wire.send(DATA, 0, stream, bytes(8000))
            wire.send(http2.RST_STREAM, 0, stream, struct.pack(">I", http2.CANCEL))
            assert ask(wire, stream + 2) == "0"
        wire.call(2001, WATCH, token=None, grpc_timeout="300m")
        wire.send(DATA, http2.END_STREAM, 2001, EMPTY)
        assert wire.status(2001) == "4"


def test_a_spare_connection_is_left_for_a_better_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is drained in time, even if health is asked over it, since its calls fail."""
    monkeypatch.setattr(transport_limits, "AUTHENTICATION_TIMEOUT", 0.5)
    with running_http2(max_connections=1) as address, Wire(address) as first:
        first.settings()
        assert ask(first, 1) == "0"
        with Wire(address) as spare:
            spare.settings()
            spare.call(1, CHECK, token=None)
            spare.send(DATA, http2.END_STREAM, 1, EMPTY)
            assert spare.status(1) == "0"
            assert spare.first(http2.GOAWAY) is not None


def test_nothing_is_done_for_a_peer_that_was_just_cut_off(server: Server) -> None:
    """A call that follows a flood of pings in one read is not begun."""
    block = http2.header_block(http2.AUTHORIZE)
    frames = b"".join(
        struct.pack(">I", len(payload))[1:]
        + bytes([kind, flags])
        + struct.pack(">I", stream)
        + payload
        for kind, flags, stream, payload in (
            *[(http2.PING, 0, 0, bytes(8))] * 10,
            (HEADERS, http2.END_HEADERS, 1, block),
            (DATA, http2.END_STREAM, 1, QUESTION),
        )
    )
    with Wire(server.address) as wire:
        wire.settings()
        assert wire.first(http2.SETTINGS) is not None
        wire.socket.sendall(frames)
        kinds = {frame.kind for frame in wire.frames()}
    assert http2.GOAWAY in kinds
    assert HEADERS not in kinds
