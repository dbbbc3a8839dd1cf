"""HTTP/2 frames over a plain socket, for what no gRPC library would send (RFC 9113)."""

import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Self

from hpack import Decoder

from tests.harness.servers import ROOT_TOKEN

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0, 1, 3, 4, 6, 7, 8, 9,
)  # fmt: skip
END_STREAM = ACK = 1
END_HEADERS = 4
INITIAL_WINDOW_SIZE = 4
ENHANCE_YOUR_CALM = 11
CANCEL = 8
AUTHORIZE = "/ipgate.v1.AuthorizeService/Authorize"


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes
    headers: dict[str, str]
    """Of a header frame."""


def grpc_message(message: bytes, *, compressed: bool = False, length: int | None = None) -> bytes:
    """A message as gRPC frames it; `length` is what it says of itself, if that is to be a lie."""
    return struct.pack(">BI", compressed, len(message) if length is None else length) + message


def header_block(
    path: str, *, token: str | None = ROOT_TOKEN, extra: Sequence[tuple[str, str]] = ()
) -> bytes:
    """Headers of a gRPC call, each as a literal that is not indexed (RFC 7541, 6.2.2)."""
    others = dict(extra)
    method = others.pop(":method", "POST")
    fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "x")]
    fields += [("content-type", others.pop("content-type", "application/grpc")), ("te", "trailers")]
    if token is not None:
        fields.append(("authorization", f"Bearer {token}"))
    return b"".join(
        b"\0" + _text(name.encode()) + _text(value.encode())
        for name, value in fields + list(others.items())
    )


def _text(raw: bytes) -> bytes:
    """A string of HPACK, without Huffman coding; its length is an integer of a 7-bit prefix."""
    size, length = len(raw), bytearray()
    if size < 127:
        return bytes([size]) + raw
    size -= 127
    length.append(127)
    while size >= 128:
        length.append(size % 128 | 128)
        size //= 128
    return bytes(length) + bytes([size]) + raw


class Wire:
    """One connection. Reads and writes are bounded by `timeout` seconds."""

    def __init__(
        self, address: str, *, preface: bytes = PREFACE, timeout: float = 10, source: str = ""
    ) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = b""
        self._decoder = Decoder()
        self._window = 65_535
        self.socket.sendall(preface)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.socket.close()

    def send(
        self, kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"", *, times: int = 1
    ) -> None:
        head = (
            struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream)
        )
        self.socket.sendall((head + payload) * times)

    def settings(self, *pairs: tuple[int, int]) -> None:
        self.send(SETTINGS, payload=b"".join(struct.pack(">HI", *pair) for pair in pairs))

    def call(
        self, stream: int, path: str = AUTHORIZE, *, token: str | None = ROOT_TOKEN, **extra: str
    ) -> None:
        """The headers of a call; its message does not come yet."""
        named = [(name.replace("_", "-"), value) for name, value in extra.items()]
        self.send(HEADERS, END_HEADERS, stream, header_block(path, token=token, extra=named))

    def frames(self) -> Iterator[Frame]:
        """What the server sends, until it closes the connection; pings and settings are answered.
        Raises TimeoutError."""
        while True:
            while len(self._read) < 9 or len(self._read) < 9 + self._size():
                try:
                    more = self.socket.recv(1 << 16)
                except ConnectionError:
                    return
                if not more:
                    return
                self._read += more
            size = self._size()
            kind, flags = self._read[3:5]
            (stream,) = struct.unpack(">I", self._read[5:9])
            payload, self._read = self._read[9 : 9 + size], self._read[9 + size :]
            if kind in (PING, SETTINGS) and not flags & ACK:
                with suppress(
                    ConnectionError
                ):  # the server may close it; there may be more to read
                    self.send(kind, ACK, 0, payload if kind == PING else b"")
            headers = self._decoder.decode(payload) if kind == HEADERS else ()
            yield Frame(kind, flags, stream, payload, {str(k): str(v) for k, v in headers})

    def first(self, kind: int, stream: int | None = None) -> Frame | None:
        """The next frame of a kind, None if the connection ends without one."""
        return next(
            (
                frame
                for frame in self.frames()
                if frame.kind == kind and stream in (None, frame.stream)
            ),
            None,
        )

    def granted(self) -> tuple[int, int]:
        """The next room that the server makes for data: on which stream (0 for the connection, -1 for
        each stream), and how many bytes. Raises TimeoutError."""
        for frame in self.frames():
            if frame.kind == WINDOW_UPDATE:
                return frame.stream, int.from_bytes(frame.payload, "big")
            if frame.kind == SETTINGS:
                for setting, value in struct.iter_unpack(">HI", frame.payload):
                    if setting == INITIAL_WINDOW_SIZE:
                        before, self._window = self._window, value
                        return -1, value - before
        raise ConnectionError("the connection ended")

    def status(self, stream: int) -> str:
        """The `grpc-status` with which a stream ends; "" if it is reset, or ends without one."""
        for frame in self.frames():
            if frame.stream == stream:
                if frame.kind == RST_STREAM:
                    return ""
                if frame.kind == HEADERS and frame.flags & END_STREAM:
                    return frame.headers.get("grpc-status", "")
        return ""

    def _size(self) -> int:
        return int.from_bytes(self._read[:3], "big")
