"""gRPC over HTTP/2 as its specification has it, by the http2 engine."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness import http2
from tests.harness.http2 import DATA, Frame, Wire, grpc_message
from tests.harness.servers import Server, serving

RAW = authorize.AuthorizeRequest(key="x", ip="1.2.3.4").SerializeToString()
QUESTION = grpc_message(RAW)
STREAM = "/ipgate.v1.AuthorizeService/StreamAuthorize"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("h"), "--engine", "http2") as running:
        running.client().ask("1.2.3.4", key="x")
        yield running


@pytest.fixture
def wire(target: Server) -> Iterator[Wire]:
    with Wire(target.address) as connection:
        connection.settings()
        yield connection


def answer(wire: Wire, message: bytes = QUESTION, **extra: str) -> list[Frame]:
    """The frames of the answer to a call."""
    wire.call(1, **extra)
    wire.send(DATA, http2.END_STREAM, 1, message)
    frames = []
    for frame in wire.frames():
        if frame.stream == 1:
            frames.append(frame)
            if frame.flags & http2.END_STREAM and frame.kind in (http2.HEADERS, DATA):
                break
    return frames


def test_an_answer_has_headers_a_message_and_trailers(wire: Wire) -> None:
    """In this order, the last with the status."""
    head, data, tail = answer(wire)
    assert (head.headers[":status"], head.headers["content-type"]) == ("200", "application/grpc")
    assert authorize.AuthorizeResponse.FromString(data.payload[5:]).reason
    assert tail.headers == {"grpc-status": "0"}


@pytest.mark.parametrize(
    ("extra", "status", "expected"),
    [
        ({":method": "GET"}, "405", {"allow": "POST"}),
        ({"content-type": "application/json"}, "415", {"accept": "application/grpc"}),
        ({"content-type": "application/grpc-web"}, "415", {"accept": "application/grpc"}),
    ],
)
def test_what_is_no_grpc_gets_a_status_of_http(
    wire: Wire, extra: dict[str, str], status: str, expected: dict[str, str]
) -> None:
    """405 for another method than POST, 415 for another content type."""
    (head,) = answer(wire, QUESTION, **extra)
    assert head.headers == {":status": status} | expected


@pytest.mark.parametrize("content_type", ["application/grpc+proto", "application/grpc;x=y"])
def test_content_types_of_grpc_are_taken(wire: Wire, content_type: str) -> None:
    """With a format, or with parameters."""
    *_, tail = answer(wire, QUESTION, **{"content-type": content_type})
    assert tail.headers["grpc-status"] == "0"


def test_an_encoding_that_is_not_supported_is_answered_with_those_that_are(wire: Wire) -> None:
    """UNIMPLEMENTED, also for a message that is not compressed."""
    (head,) = answer(wire, grpc_encoding="snappy")
    assert head.headers["grpc-status"] == "12"
    assert head.headers["grpc-accept-encoding"] == "identity, deflate, gzip"


@pytest.mark.parametrize(
    ("encoding", "packed"), [("gzip", gzip.compress(RAW, mtime=0)), ("deflate", zlib.compress(RAW))]
)
def test_compressed_messages_are_read(wire: Wire, encoding: str, packed: bytes) -> None:
    """By both encodings, and in pieces."""
    *_, tail = answer(wire, grpc_message(packed, compressed=True), grpc_encoding=encoding)
    assert tail.headers["grpc-status"] == "0"


@pytest.mark.parametrize(
    ("timeout", "status"),
    [("99999999H", "0"), ("5S", "0"), ("123456789n", "3"), ("1", "3"), ("S", "3"), ("1.5S", "3")],
)
def test_a_deadline_has_up_to_eight_digits(wire: Wire, timeout: str, status: str) -> None:
    """A ninth makes the call fail: it is no deadline of gRPC."""
    *_, tail = answer(wire, grpc_timeout=timeout)
    assert tail.headers["grpc-status"] == status


def test_a_second_message_of_a_unary_call_is_refused(wire: Wire) -> None:
    """UNIMPLEMENTED, as gRPC's list of statuses has it for the number of messages."""
    (head,) = answer(wire, QUESTION + QUESTION)
    assert head.headers["grpc-status"] == "12"


def test_metadata_over_the_limit_fails_its_call_alone(wire: Wire) -> None:
    """The limit is announced by SETTINGS; the connection goes on."""
    wire.call(1, **{f"x-{index}": "v" * 80 for index in range(150)})
    assert wire.status(1) == "8"
    wire.call(3)
    wire.send(DATA, http2.END_STREAM, 3, QUESTION)
    assert wire.status(3) == "0"


def test_limits_are_announced(target: Server) -> None:
    """Streams of a connection and bytes of metadata."""
    with Wire(target.address) as wire:
        settings = wire.first(http2.SETTINGS)
        assert settings is not None
        pairs = {
            int.from_bytes(settings.payload[at : at + 2], "big"): int.from_bytes(
                settings.payload[at + 2 : at + 6], "big"
            )
            for at in range(0, len(settings.payload), 6)
        }
    assert pairs[3] == 256
    assert pairs[6] == 16384


def test_a_cancelled_call_frees_its_place(tmp_path: Path) -> None:
    """Calls that wait and are reset leave room for others."""
    options = ("--engine", "http2", "--max-concurrent-calls", "3")
    with serving(tmp_path, *options) as server, Wire(server.address) as wire:
        wire.settings()
        for first in range(1, 61, 6):
            for stream in (first, first + 2, first + 4):
                wire.call(stream)
            for stream in (first, first + 2, first + 4):
                wire.send(http2.RST_STREAM, 0, stream, b"\0\0\0\x08")
        wire.call(101)
        wire.send(DATA, http2.END_STREAM, 101, QUESTION)
        assert wire.status(101) == "0"


def test_a_message_that_comes_byte_by_byte_is_read(wire: Wire) -> None:
    """However it is cut, with the end of the stream in a frame of its own."""
    wire.call(1)
    for byte in QUESTION:
        wire.send(DATA, 0, 1, bytes([byte]))
    wire.send(DATA, http2.END_STREAM, 1)
    assert wire.status(1) == "0"


def test_a_stream_answers_as_much_as_is_read(wire: Wire) -> None:
    """A caller that takes no answers of a stream is not read from beyond a bound, and all is answered once
    it takes them."""
    message = authorize.StreamAuthorizeRequest(
        id="1", request=authorize.AuthorizeRequest.FromString(RAW)
    )
    framed = grpc_message(message.SerializeToString())
    wire.settings((http2.INITIAL_WINDOW_SIZE, 0))
    wire.call(1, STREAM)
    count = 60_000 // len(framed)
    wire.send(DATA, 0, 1, framed * (16_000 // len(framed)))
    sent = 16_000 // len(framed)
    while sent + 400 < count:
        wire.send(DATA, 0, 1, framed * 400)
        sent += 400
    wire.send(DATA, http2.END_STREAM, 1)
    wire.send(http2.WINDOW_UPDATE, 0, 1, (1 << 24).to_bytes(4, "big"))
    wire.send(http2.WINDOW_UPDATE, 0, 0, (1 << 24).to_bytes(4, "big"))
    answers = b""
    for frame in wire.frames():
        if frame.kind == DATA:
            answers += frame.payload
        elif frame.kind == http2.HEADERS and frame.flags & http2.END_STREAM:
            assert frame.headers["grpc-status"] == "0"
            break
    taken = 0
    while answers:
        taken += 1
        answers = answers[5 + int.from_bytes(answers[1:5], "big") :]
    assert taken == sent
