"""Questions of Envoy, as it puts them."""

from collections.abc import Mapping

from google.protobuf.timestamp_pb2 import Timestamp
from ipgate.ext_authz.v3 import check_pb2

PATH = "/envoy.service.auth.v3.Authorization/Check"

BROWSER = {
    ":authority": "api.example.com",
    ":method": "GET",
    ":path": "/orders?page=2",
    ":scheme": "https",
    "accept": "application/json, text/plain, */*",
    "accept-encoding": "gzip, deflate, br",
    "accept-language": "en-GB,en;q=0.9",
    "cookie": "session=3f1d0c2b9a8e7f6d5c4b3a2918070605; theme=dark",
    "origin": "https://app.example.com",
    "referer": "https://app.example.com/orders",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
    "x-forwarded-proto": "https",
    "x-request-id": "82b26510-edcf-4bcd-8572-84319e6566d2",
}
"""With a key and an address they are 15 headers."""


def check_request(
    headers: Mapping[str, str | bytes], *, peer: str = "192.0.2.1", path: str = "/", **context: str
) -> check_pb2.CheckRequest:
    """A question with all that Envoy sends, also what ipgate does not read."""
    source = check_pb2.Peer()
    if peer == "unix":
        source.address.pipe.SetInParent()
    else:
        source.address.socket_address.address = peer
    http = check_pb2.HttpRequest(
        headers={
            name: value if isinstance(value, bytes) else value.encode()
            for name, value in headers.items()
        },
        path=path.encode(),
    )
    unread = (
        _field(1, b"1234567890123456789"),
        _field(2, b"GET"),
        _field(5, b"api.example.com"),
        _field(6, b"https"),
        _field(10, b"HTTP/2"),
    )
    http.MergeFromString(b"".join(unread))
    request = check_pb2.Request(http=http)
    request.MergeFromString(
        _field(1, Timestamp(seconds=1_795_000_000, nanos=1).SerializeToString())
    )
    attributes = check_pb2.AttributeContext(
        source=source, request=request, context_extensions=context
    )
    attributes.MergeFromString(_field(2, source.SerializeToString()) + _field(11, b""))
    return check_pb2.CheckRequest(attributes=attributes)


def _field(number: int, value: bytes) -> bytes:
    """The encoding of a field that is a text or a message of fewer than 128 bytes."""
    return bytes((number << 3 | 2, len(value))) + value
