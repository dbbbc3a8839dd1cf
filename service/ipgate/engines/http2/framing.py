"""gRPC over HTTP/2, as far as it is written by hand: message frames, deadlines and statuses.

Source: the protocol document of gRPC, "gRPC over HTTP2".
"""

import base64
import re
import zlib
from urllib.parse import quote

from google.rpc import code_pb2
from google.rpc.status_pb2 import Status

from ipgate.domain.errors import LimitExceeded
from ipgate.engines.messages import no_message
from ipgate.rpc.pipeline import CallAborted
from ipgate.rpc.status import to_status

ANSWER = b"\0"
"""The first byte of a message that is not compressed."""

PREFIX = 5
"""Bytes before a message: whether it is compressed, and its length."""

ENCODINGS = b"identity, deflate, gzip"

_WINDOW = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}

_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])")
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}

_SECOND_MESSAGE = Status(
    code=code_pb2.UNIMPLEMENTED, message="the call has two messages; this method takes one"
)

_UNESCAPED = "".join(chr(code) for code in range(0x20, 0x7F) if code != ord("%"))


class Frames:
    """Takes bytes as they arrive and gives whole messages."""

    def __init__(self, encoding: str, most: int) -> None:
        """Begin without data. `encoding`: of compressed messages. `most`: maximum bytes of a message."""
        self._encoding = encoding
        self._most = most
        self._held = bytearray()
        self.only: bytes | None = None
        """The message of a call that has one, as far as `take_only` has found it."""

    def feed(self, data: bytes) -> None:
        self._held += data

    def take(self) -> bytes | None:
        """Return the next message, None if it is not here as a whole.

        Raises: CallAborted.
        """
        held = self._held
        if len(held) < PREFIX:
            return None
        length = int.from_bytes(held[1:PREFIX], "big")
        if length > self._most:
            raise _too_large(length, self._most)
        end = PREFIX + length
        if len(held) < end:
            return None
        flag, message = held[0], bytes(held[PREFIX:end])
        del held[:end]
        if flag == 0:
            return message
        if flag > 1:
            raise _bad(code_pb2.INTERNAL, f"the frame's first byte is {flag}; send 0 or 1")
        return self._unpacked(message)

    def take_only(self, *, ended: bool) -> bytes | None:
        """Return the message of a call that has one, when nothing more arrives.

        Raises: CallAborted.
        """
        message = self.take()
        while message is not None:
            if self.only is not None:
                raise CallAborted(_SECOND_MESSAGE)
            self.only, message = message, self.take()
        if not ended:
            return None
        self.end()
        if self.only is None:
            raise CallAborted(to_status(no_message()))
        return self.only

    def end(self) -> None:
        """Nothing more arrives.

        Raises: CallAborted if there is half a message.
        """
        if self._held:
            raise _bad(code_pb2.INTERNAL, "the request ended in the middle of a message")

    def _unpacked(self, message: bytes) -> bytes:
        window = _WINDOW.get(self._encoding)
        if window is None:
            text = f"messages are compressed as grpc-encoding says; use {ENCODINGS.decode()}"
            raise _bad(code_pb2.UNIMPLEMENTED, text)
        unpacking = zlib.decompressobj(window)
        try:
            inflated = unpacking.decompress(message, self._most + 1)
        except zlib.error:
            inflated = b""
        if len(inflated) > self._most:
            raise _too_large(len(inflated), self._most)
        if not unpacking.eof:
            raise _bad(code_pb2.INTERNAL, f"the message is no {self._encoding} data")
        return inflated


def _too_large(length: int, most: int) -> CallAborted:
    text = f"the request has {length:,} bytes or more; this method takes at most {most:,}"
    return CallAborted(to_status(LimitExceeded(text)))


def _bad(code: int, text: str) -> CallAborted:
    return CallAborted(Status(code=code, message=text))


def framed(message: bytes) -> bytes:
    """Return a message as it is sent, not compressed."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def seconds(timeout: str) -> float | None:
    """Seconds of a `grpc-timeout`, None if it is malformed."""
    match = _TIMEOUT.fullmatch(timeout)
    return float(match[1]) * _UNITS[match[2]] if match else None


def status_headers(status: Status) -> list[tuple[bytes, bytes]]:
    """Return the headers that say how a call ended, with the details if there are any."""
    headers = [
        (b"grpc-status", b"%d" % status.code),
        (b"grpc-message", quote(status.message, safe=_UNESCAPED).encode()),
    ]
    if status.details:
        packed = base64.b64encode(status.SerializeToString()).rstrip(b"=")
        headers.append((b"grpc-status-details-bin", packed))
    return headers
