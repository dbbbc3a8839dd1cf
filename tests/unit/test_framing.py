"""gRPC's framing of the http2 engine."""

import base64
import gzip
import zlib
from collections.abc import Iterator
from urllib.parse import unquote

import pytest
from google.rpc import code_pb2, error_details_pb2
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st
from ipgate.engines.http2.framing import Frames, framed, seconds, status_headers
from ipgate.rpc.pipeline import CallAborted

MOST = 1000


def taken(frames: Frames) -> Iterator[bytes]:
    while (message := frames.take()) is not None:
        yield message


@given(st.lists(st.binary(max_size=50)), st.lists(st.integers(1, 40), min_size=1))
def test_messages_come_out_as_they_went_in_however_they_are_cut(
    messages: list[bytes], cuts: list[int]
) -> None:
    """Whole, in order, as soon as their last byte is there."""
    frames, whole = Frames("", MOST), b"".join(map(framed, messages))
    read, at, turn = list[bytes](), 0, 0
    while at < len(whole):
        size = cuts[turn % len(cuts)]
        frames.feed(whole[at : at + size])
        at, turn = at + size, turn + 1
        read += taken(frames)
    assert read == messages
    frames.end()


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [("gzip", gzip.compress(b"x" * MOST, mtime=0)), ("deflate", zlib.compress(b"x" * MOST))],
)
def test_compressed_messages_are_unpacked(encoding: str, packed: bytes) -> None:
    """Up to the size that a message may have."""
    frames = Frames(encoding, MOST)
    frames.feed(b"\x01" + framed(packed)[1:])
    assert frames.take() == b"x" * MOST


@pytest.mark.parametrize(
    ("encoding", "data", "code"),
    [
        ("", framed(b"x" * (MOST + 1)), code_pb2.RESOURCE_EXHAUSTED),
        ("", b"\0\xff\xff\xff\xff", code_pb2.RESOURCE_EXHAUSTED),
        (
            "gzip",
            b"\x01" + framed(gzip.compress(bytes(MOST + 1), mtime=0))[1:],
            code_pb2.RESOURCE_EXHAUSTED,
        ),
        ("gzip", b"\x01" + framed(b"no gzip")[1:], code_pb2.INTERNAL),
        ("gzip", b"\x01" + framed(gzip.compress(b"x", mtime=0)[:-1])[1:], code_pb2.INTERNAL),
        ("snappy", b"\x01" + framed(b"x")[1:], code_pb2.UNIMPLEMENTED),
        ("", b"\x01" + framed(b"x")[1:], code_pb2.UNIMPLEMENTED),
        ("", b"\x02" + framed(b"x")[1:], code_pb2.INTERNAL),
    ],
)
def test_what_is_no_message_is_refused(encoding: str, data: bytes, code: int) -> None:
    """Too large, also when unpacked; damaged; compressed in an unknown way."""
    frames = Frames(encoding, MOST)
    frames.feed(data)
    with pytest.raises(CallAborted) as failed:
        frames.take()
    assert failed.value.status.code == code


def test_half_a_message_at_the_end_is_refused() -> None:
    """An incomplete request decides nothing."""
    frames = Frames("", MOST)
    frames.feed(framed(b"abc")[:-1])
    assert frames.take() is None
    with pytest.raises(CallAborted):
        frames.end()


@pytest.mark.parametrize(
    ("text", "value"),
    [("1H", 3600), ("2M", 120), ("20S", 20), ("5m", 0.005), ("7u", 7e-6), ("9n", 9e-9)],
)
def test_deadlines_are_read_in_all_units(text: str, value: float) -> None:
    """As gRPC's protocol has them."""
    assert seconds(text) == pytest.approx(value)


@pytest.mark.parametrize(
    "text", ["", "1", "S", "1x", "-1S", "1.5S", "123456789S", "1S ", "\u0661S"]
)
def test_what_is_no_deadline_is_none(text: str) -> None:
    """At most 8 digits and a unit."""
    assert seconds(text) is None


@given(st.text())
def test_a_message_of_a_status_is_text_that_a_header_can_hold(text: str) -> None:
    """Printable ASCII, from which the text can be had again."""

    named = dict(status_headers(Status(code=code_pb2.INTERNAL, message=text)))
    assert all(0x20 <= byte < 0x7F for byte in named[b"grpc-message"])
    assert unquote(named[b"grpc-message"].decode()) == text
    assert named[b"grpc-status"] == b"13"
    assert b"grpc-status-details-bin" not in named


def test_details_travel_in_base_64() -> None:
    """The whole status, without padding."""

    status = Status(code=code_pb2.UNAVAILABLE, message="x")
    detail = status.details.add()
    detail.Pack(error_details_pb2.ErrorInfo(reason="STALE"))
    packed = dict(status_headers(status))[b"grpc-status-details-bin"]
    assert not packed.endswith(b"=")
    assert Status.FromString(base64.b64decode(packed + b"==")) == status
