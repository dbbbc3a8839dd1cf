"""How large a request may be: sizes and counts are looked at before anything in it."""

from typing import Any

import pytest
from google.protobuf.message_factory import GetMessageClass
from ipgate.rpc.access import RULES
from ipgate.rpc.pipeline import UNCOUNTED_BYTES, RequestSizes
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.servers import Client, RpcFailed

pytestmark = pytest.mark.engine

SIZES = RequestSizes()
METHODS = {
    method.name: (f"/{service.full_name}/{method.name}", GetMessageClass(method.input_type))
    for service in (
        admin.DESCRIPTOR.services_by_name["AdminService"],
        authorize.DESCRIPTOR.services_by_name["AuthorizeService"],
    )
    for method in service.methods
    if not method.client_streaming
}


def call(client: Client, method: str, raw: bytes) -> RpcFailed:
    """How an encoded request fails."""
    path, _ = METHODS[method]
    sent = client.channel.unary_unary(path)
    metadata = [("authorization", f"Bearer {client.token}")]
    with pytest.raises(Exception, match="StatusCode") as failed:
        sent(raw, metadata=metadata, timeout=30)
    return RpcFailed(failed.value)


def limits(method: str) -> tuple[int, int]:
    path, _ = METHODS[method]
    return SIZES.of(RULES[path[1:]].size)


@pytest.mark.parametrize("method", METHODS)
def test_a_request_is_not_decoded_beyond_its_size(client: Client, method: str) -> None:
    """A field that nobody knows makes it one byte too large; the error names both sizes."""
    max_bytes, _ = limits(method)
    if max_bytes > 1 << 20:
        return  # the engine's own limit is as low
    unknown = b"\xfa\x3f" + _varint(max_bytes) + bytes(max_bytes)
    failed = call(client, method, unknown)
    assert (failed.code, failed.reason) == ("RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED")
    assert f"{max_bytes:,}" in failed.message


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


@pytest.mark.parametrize("method", METHODS)
def test_the_number_of_entries_is_looked_at_before_them(client: Client, method: str) -> None:
    """As many empty entries as fit are rejected by their number, known or unknown ones."""
    max_bytes, max_fields = limits(method)
    if max_bytes <= UNCOUNTED_BYTES:
        return  # decoding as many as fit takes a few milliseconds
    for entry in (b"\x0a\x00", b"\x12\x00", b"\x7a\x00"):
        count = min(max_bytes, (4 << 20) - 64) // len(entry)
        failed = call(client, method, entry * count)
        assert (failed.code, failed.reason) == ("RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED")
        assert f"{max_fields:,}" in failed.message


def test_names_are_counted_before_they_are_looked_at(client: Client, workspace: str) -> None:
    """One more than 1,000 is named by its count alone."""
    names = ["nonsense"] * 1001
    requests: list[tuple[str, Any]] = [
        ("LinkApiKeys", admin.LinkApiKeysRequest(allow_list=f"{workspace}/allowLists/l", api_keys=names)),
        ("UnlinkApiKeys", admin.UnlinkApiKeysRequest(allow_list=f"{workspace}/allowLists/l", api_keys=names)),
        ("SetApiKeyAllowLists", admin.SetApiKeyAllowListsRequest(api_key=f"{workspace}/apiKeys/k", allow_lists=names)),
    ]  # fmt: skip
    for method, request in requests:
        with pytest.raises(RpcFailed, match="has 1001 names") as failed:
            client.call(method, request)
        assert len(failed.value.fields) == 1


def test_paths_are_counted_before_they_are_looked_at(client: Client, workspace: str) -> None:
    """A mask of more paths than a resource has fields is named by its count alone."""
    request = admin.UpdateWorkspaceRequest(workspace={"name": workspace})
    request.update_mask.paths.extend(["x"] * 40)
    with pytest.raises(RpcFailed, match="has 40 paths"):
        client.call("UpdateWorkspace", request)


@pytest.mark.parametrize("count", [1, 99, 100, 101, 300, 5000])
def test_the_number_of_bad_ranges_is_true(client: Client, workspace: str, count: int) -> None:
    """However many are bad, the message says how many, and nothing is made."""
    with pytest.raises(RpcFailed) as failed:
        client.allow_list(workspace, "l", ["192.0.2.1", *["x"] * count])
    more = f"(and {count - 1} more)" if count > 1 else ""
    assert failed.value.message.endswith(more or "CIDR range")
    assert len(failed.value.fields) <= min(count, 100)


def test_messages_that_are_refused_take_no_room_from_later_ones(client: Client) -> None:
    """However many a connection has sent of them, its next call is answered."""
    question = authorize.AuthorizeRequest(ip="1.2.3.4", key="x" * 70_000)
    for _ in range(120):
        with pytest.raises(RpcFailed) as failed:
            client.call("Authorize", question)
        assert failed.value.code == "RESOURCE_EXHAUSTED"
    assert client.ask("1.2.3.4", key="x")
