"""Peers that do not keep to HTTP/2 or gRPC, or keep to them in order to do harm."""

import gzip
import re
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from ipgate.engines import health
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness import http2
from tests.harness.http2 import AUTHORIZE, DATA, HEADERS, Wire, grpc_message, header_block
from tests.harness.servers import ENGINE, TIMEOUT, Server, serving
from tests.harness.waiting import eventually

pytestmark = pytest.mark.engine

CHECK = f"/{health.SERVICE}/Check"
WATCH = f"/{health.SERVICE}/Watch"
REFLECT = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
CREATE = "/ipgate.v1.AdminService/CreateAllowList"
BATCH = "/ipgate.v1.AuthorizeService/BatchAuthorize"
QUESTION = grpc_message(authorize.AuthorizeRequest(key="x", ip="1.2.3.4").SerializeToString())
EMPTY = grpc_message(b"")
GROWTH = 192 << 20
"""Bytes by which a worker may grow under an attack that sends several times as much."""
FLOOD = 256 << 20
"""Bytes that only a peer who reads can take: the kernel holds up to 37 MB for each direction."""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("t"), "--max-connections", "200") as running:
        # What is opened for the first call of its kind stays open.
        running.client().ask("1.2.3.4", key="x")
        running.client().workspace()
        yield running


@pytest.fixture(autouse=True)
def unharmed(target: Server) -> Iterator[None]:
    """After every attack the same worker serves others, as small as before, with no file left open
    and no traceback in its log."""
    (worker,) = target.workers()
    files, memory = open_files(worker), resident(worker)
    yield
    assert target.client().ask("1.2.3.4", key="x", timeout=TIMEOUT)
    assert target.workers() == [worker]
    eventually(lambda: open_files(worker) <= files + 2, "connections are closed")
    assert resident(worker) < memory + GROWTH
    assert "Traceback" not in target.log.read_text()


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match
    return int(match[1]) << 10


def answered(wire: Wire, stream: int) -> bool:
    """Whether a question on the stream of a hostile connection is answered."""
    wire.call(stream)
    wire.send(DATA, http2.END_STREAM, stream, QUESTION)
    return wire.status(stream) == "0"


@pytest.mark.parametrize(
    "preface",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" + bytes(300), bytes(64), b"PRI * HTTP/2.0"],
)
def test_a_peer_that_does_not_speak_http2_is_cut_off(target: Server, preface: bytes) -> None:
    """Another protocol ends the connection immediately, half a preface after the handshake time-out."""
    with Wire(target.address, preface=preface, timeout=20) as wire:
        with suppress(ConnectionError):
            wire.send(http2.SETTINGS)
        assert wire.first(DATA) is None


def test_a_frame_over_the_size_limit_ends_the_connection(target: Server) -> None:
    """A frame larger than was agreed upon is not read into memory."""
    with Wire(target.address) as wire:
        wire.settings()
        wire.call(1)
        wire.socket.sendall(b"\xff\xff\xff\0\0" + struct.pack(">I", 1) + bytes(1 << 15))
        assert wire.first(DATA) is None


def test_endless_headers_are_not_collected(target: Server) -> None:
    """250 MB of CONTINUATION frames take no memory, and end in a refusal or the connection's end."""
    with Wire(target.address) as wire:
        wire.settings()
        wire.send(HEADERS, 0, 1, http2.header_block(AUTHORIZE))
        block = b"".join(b"\0\x07x-%05d\x7f\x81\x01" % index + b"v" * 256 for index in range(50))
        with suppress(ConnectionError):
            for _ in range(200):
                wire.send(http2.CONTINUATION, 0, 1, block, times=100)
            wire.send(http2.CONTINUATION, http2.END_HEADERS, 1)
        assert wire.status(1) in ("8", "")


def test_headers_that_are_no_text_leave_no_trace_in_the_log(target: Server) -> None:
    """A header of any bytes is refused or ignored; neither it nor a traceback is logged."""
    block = http2.header_block(AUTHORIZE, token=None)
    for name in (b"authorization", b"x-made-up"):
        value = b"Bearer s3cret\xff\xfe\x1b[31m"
        field = b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
        with Wire(target.address) as wire:
            wire.settings()
            with suppress(ConnectionError):
                wire.send(HEADERS, http2.END_HEADERS, 1, block + field)
                wire.send(DATA, http2.END_STREAM, 1, QUESTION)
            assert wire.status(1) != "0"
    assert "s3cret" not in target.log.read_text()


@pytest.mark.parametrize("path", [b"/x\xff/y", b"\xff", b"", b"/ipgate.v1.AuthorizeService/\xc3"])
def test_no_path_stops_the_server(target: Server, path: bytes) -> None:
    """A call of whatever path is refused with UNIMPLEMENTED, also where it is no text at all."""
    with Wire(target.address) as wire:
        wire.settings()
        fields = ((b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"x"),
                  (b"te", b"trailers"), (b"content-type", b"application/grpc"))  # fmt: skip
        block = b"".join(
            b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
            for name, value in fields
        )
        wire.send(HEADERS, http2.END_HEADERS | http2.END_STREAM, 1, block)
        # Without a slash it is no path of HTTP: libnghttp2 resets the stream.
        assert wire.status(1) == "12" or (ENGINE == "http2" and not path.startswith(b"/"))
        assert answered(wire, 3)


@pytest.mark.parametrize("path", [CREATE, AUTHORIZE])
def test_what_one_caller_sends_does_harm_to_no_other(target: Server, path: str) -> None:
    """Headers that cannot be parsed, many enough to fill any table of them, end their own calls
    alone and not the next ones of somebody else."""
    with Wire(target.address) as wire:
        wire.settings()
        for stream in range(1, 241, 2):
            wire.call(stream, path, grpc_timeout=f"{stream}x")
            wire.send(DATA, http2.END_STREAM, stream, QUESTION)
        wire.status(stream)
    assert target.client().workspace()
    assert target.client().ask("1.2.3.4", key="x").reason == authorize.REASON_KEY_UNKNOWN


def test_calls_that_are_reset_at_once_leave_nothing(target: Server) -> None:
    """Rapid reset: thousands of calls, each cancelled when it has begun, and then an answer."""
    with Wire(target.address) as wire:
        wire.settings()
        try:
            for stream in range(1, 20_001, 2):
                wire.call(stream)
                wire.send(http2.RST_STREAM, 0, stream, struct.pack(">I", http2.CANCEL))
        except ConnectionError:
            return  # gRPC had enough of it
        streams = iter(range(20_001, 40_001, 2))
        eventually(lambda: answered(wire, next(streams)), "the calls are gone")


def flood(wire: Wire) -> None:
    """Settings without end, in pieces: each has to get through in time."""
    for _ in range(FLOOD // (9 * 10_000)):
        wire.send(http2.SETTINGS, times=10_000)


def test_frames_that_want_an_answer_are_not_queued_without_end(target: Server) -> None:
    """A flood of settings whose answers are never read is not read any more either, or the connection ends."""
    with Wire(target.address, timeout=2) as wire:
        wire.settings()
        with pytest.raises(OSError):  # noqa: PT011  a time-out or a broken connection
            flood(wire)


def test_a_peer_that_pings_without_end_is_cut_off(target: Server) -> None:
    """The third ping too many gets GOAWAY with ENHANCE_YOUR_CALM."""
    with Wire(target.address) as wire:
        wire.settings()
        assert wire.first(http2.SETTINGS) is not None
        with suppress(OSError):
            wire.send(http2.PING, 0, 0, bytes(8), times=200_000)
        goaway = wire.first(http2.GOAWAY)
    assert goaway is not None
    assert int.from_bytes(goaway.payload[4:8], "big") == http2.ENHANCE_YOUR_CALM
    assert goaway.payload.endswith(b"too_many_pings")


def test_a_peer_that_reads_nothing_holds_up_nobody(target: Server) -> None:
    """Answers wait for a window of zero while others are served, and are gone with the connection."""
    with Wire(target.address) as wire:
        wire.settings((http2.INITIAL_WINDOW_SIZE, 0))
        for stream in range(1, 200, 2):
            wire.call(stream)
            wire.send(DATA, http2.END_STREAM, stream, QUESTION)
        for _ in range(50):
            target.client().ask("1.2.3.4", key="x")


@pytest.mark.parametrize(
    ("message", "extra"),
    [
        (QUESTION[:7], {}),
        (grpc_message(b"x", length=1 << 31), {}),
        (grpc_message(b"abc", compressed=True), {}),
        (grpc_message(b"abc", compressed=True), {"grpc_encoding": "gzip"}),
        (grpc_message(b"abc", compressed=True), {"grpc_encoding": "snappy"}),
        (b"\x07" + QUESTION[1:], {}),
        (QUESTION, {"grpc_timeout": "1x"}),
        (QUESTION, {"grpc_timeout": "-1S"}),
        (QUESTION, {"grpc_encoding": "snappy"}),
        (QUESTION, {":method": "GET"}),
    ],
)
@pytest.mark.parametrize("path", [AUTHORIZE, CREATE])
def test_a_call_that_is_no_grpc_call_is_refused(
    target: Server, message: bytes, extra: dict[str, str], path: str
) -> None:
    """What is truncated, oversized, wrongly compressed or mislabelled ends the call alone."""
    with Wire(target.address) as wire:
        wire.settings()
        wire.call(1, path, **extra)
        wire.send(DATA, http2.END_STREAM, 1, message)
        assert wire.status(1) != "0"
        assert answered(wire, 3)


@pytest.mark.parametrize("path", [AUTHORIZE, BATCH, CREATE])
def test_a_call_that_ends_without_a_message_is_refused(target: Server, path: str) -> None:
    """That of a caller who is known already, too."""
    with Wire(target.address) as wire:
        wire.settings()
        wire.send(HEADERS, http2.END_HEADERS | http2.END_STREAM, 1, header_block(path))
        assert wire.status(1) == "3"


@pytest.mark.parametrize("path", [AUTHORIZE, BATCH, CREATE])
def test_a_deadline_holds_while_the_message_is_waited_for(target: Server, path: str) -> None:
    """From the headers on, for a caller who is known already, too."""
    with Wire(target.address) as wire:
        wire.settings()
        wire.call(1, path, grpc_timeout="300m")
        assert wire.status(1) == "4"


@pytest.mark.parametrize("path", [CHECK, CREATE, AUTHORIZE])
def test_a_small_message_that_inflates_is_refused(target: Server, path: str) -> None:
    """A compressed message counts with what it would become: 48 MB do not fit into 4 MiB."""
    bomb = gzip.compress(bytes(48 << 20))
    with Wire(target.address) as wire:
        wire.settings()
        wire.call(1, path, grpc_encoding="gzip")
        framed = grpc_message(bomb, compressed=True)
        for first in range(0, len(framed), 16384):
            wire.send(DATA, 0, 1, framed[first : first + 16384])
        wire.send(DATA, http2.END_STREAM, 1)
        assert wire.status(1) == "8"


@pytest.mark.parametrize("path", [AUTHORIZE, CREATE, REFLECT, CHECK])
def test_a_stranger_cannot_make_the_server_hold_messages(target: Server, path: str) -> None:
    """Without a token, many calls with a large message that never ends take no memory."""
    hold_messages(target, path, token=None)


def test_a_revoked_token_cannot_make_the_server_hold_messages(target: Server) -> None:
    """Not even one that was used before, so that its calls took the short way."""
    client = target.client()
    token = client.access_token("AUTHORIZER")
    for _ in range(3):
        client.as_(token.token).ask("1.2.3.4", key="x")
    name = token.access_token.name
    revoked = client.call("RevokeAccessToken", admin.RevokeAccessTokenRequest(name=name)).revision
    client.call("WaitForRevision", admin.WaitForRevisionRequest(revision=revoked))
    hold_messages(target, AUTHORIZE, token=token.token)


def hold_messages(target: Server, path: str, *, token: str | None) -> None:
    (worker,) = target.workers()
    before = resident(worker)
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(target.address)) for _ in range(4)]
        for wire in wires:
            wire.settings()
            for stream in range(1, 64, 2):
                wire.call(stream, path, token=token)
        for wire in wires:
            stuff(wire, range(1, 64, 2))
        assert resident(worker) < before + GROWTH


def stuff(wire: Wire, streams: range) -> None:
    """Sends 4 MB on each of the streams as far as the server lets it, for a while."""
    piece = grpc_message(bytes(16_000), length=4_000_000)
    window, mine, ended = 65_535, dict.fromkeys(streams, 65_535), set[int]()
    wire.socket.settimeout(0.02)
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline and len(ended) < len(streams):
        for stream in streams:
            if stream not in ended and min(window, mine[stream]) >= len(piece):
                wire.send(DATA, 0, stream, piece)
                window -= len(piece)
                mine[stream] -= len(piece)
        try:
            for frame in wire.frames():
                if frame.kind == http2.WINDOW_UPDATE:
                    more = int.from_bytes(frame.payload, "big")
                    window += more if not frame.stream else 0
                    mine[frame.stream] = mine.get(frame.stream, 0) + more
                elif frame.kind == http2.RST_STREAM or frame.flags & http2.END_STREAM:
                    ended.add(frame.stream)
        except TimeoutError:
            continue
        return
