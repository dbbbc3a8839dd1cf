"""The headers of a request: what an engine looks at, and what is wrong with them.

Source: the protocol document of gRPC, "gRPC over HTTP2".
"""

import re

from google.rpc import code_pb2
from google.rpc.status_pb2 import Status

from ipgate.domain.errors import InvalidArgument
from ipgate.engines import transport_limits
from ipgate.engines.http2.codec import START, Headers
from ipgate.engines.http2.framing import ENCODINGS, status_headers
from ipgate.rpc.status import to_status

PATH, AUTHORIZATION, TIMEOUT, ENCODING, _METHOD, _CONTENT_TYPE = range(6)
_WANTED = {
    b":path": PATH,
    b"authorization": AUTHORIZATION,
    b"grpc-timeout": TIMEOUT,
    b"grpc-encoding": ENCODING,
    b":method": _METHOD,
    b"content-type": _CONTENT_TYPE,
}

_VALID_TIMEOUT = re.compile(rb"[0-9]{1,8}[HMSmun]")
_VALID_ENCODINGS = (b"", b"identity", b"gzip", b"deflate")
_ENTRY = 32
"""Bytes that HTTP/2 counts for an entry of the metadata, its name and value aside (RFC 9113, 6.5.2)."""


def read(headers: Headers) -> tuple[list[bytes], int]:
    """Return the values of the headers that are looked at, by PATH and so on, and the bytes of all headers."""
    values = [b"", b"", b"", b"", b"", b""]
    size = _ENTRY * len(headers)
    for name, value in headers:
        size += len(name) + len(value)
        wanted = _WANTED.get(name)
        if wanted is not None:
            if wanted == AUTHORIZATION and values[AUTHORIZATION]:
                # Joined as in HTTP, so two tokens are invalid: a proxy may have checked only one of them.
                values[AUTHORIZATION] += b"," + value
            else:
                values[wanted] = value
    return values, size


def rejection(values: list[bytes]) -> Headers | None:
    """Return the headers that answer what is no proper request of gRPC."""
    if values[_METHOD] != b"POST":
        return ((b":status", b"405"), (b"allow", b"POST"))
    content_type = values[_CONTENT_TYPE]
    if content_type != b"application/grpc" and not content_type.startswith(
        (b"application/grpc+", b"application/grpc;")
    ):
        return ((b":status", b"415"), (b"accept", b"application/grpc"))
    timeout = values[TIMEOUT]
    if timeout and not _VALID_TIMEOUT.fullmatch(timeout):
        text = "is not a number of up to 8 digits and a unit; send it as in 100m"
        return trailers_only(to_status(InvalidArgument.of("grpc-timeout", text)))
    if values[ENCODING] not in _VALID_ENCODINGS:
        text = f"the encoding is not supported; use {ENCODINGS.decode()}"
        status = Status(code=code_pb2.UNIMPLEMENTED, message=text)
        return (*trailers_only(status), (b"grpc-accept-encoding", ENCODINGS))
    return None


def oversized(size: int) -> Headers | None:
    """Return the headers that answer a request with more metadata than is permitted."""
    if size <= transport_limits.MAX_METADATA:
        return None
    text = f"the metadata has {size:,} bytes; send at most {transport_limits.MAX_METADATA:,}"
    return trailers_only(Status(code=code_pb2.RESOURCE_EXHAUSTED, message=text))


def trailers_only(status: Status) -> Headers:
    """Return the headers of an answer that is a status alone."""
    return (*START, *status_headers(status))


def status_code(headers: Headers) -> int:
    """Return the status of an answer that is a status alone; what is no request of gRPC has UNIMPLEMENTED."""
    return int(dict(headers).get(b"grpc-status", code_pb2.UNIMPLEMENTED))
