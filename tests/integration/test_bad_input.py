"""Whatever a caller sends, the answer is a proper status and the server goes on."""

import random
import secrets
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.servers import ROOT_TOKEN, Client, RpcFailed, Server, serving
from tests.integration.test_access import METHODS, about

pytestmark = pytest.mark.engine

PROPER = {
    "OK", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "ABORTED",
    "RESOURCE_EXHAUSTED",
}  # fmt: skip


def raw(client: Client, method: str, data: bytes) -> str:
    """Calls a method with bytes as they are; returns the code, of a stream that in its answer."""
    service = "AuthorizeService" if "Authorize" in method else "AdminService"
    call = client.channel.unary_unary(f"/ipgate.v1.{service}/{method}")
    try:
        answer = call(data, metadata=[("authorization", f"Bearer {client.token}")], timeout=20)
        if method == "StreamAuthorize":
            code = authorize.StreamAuthorizeResponse.FromString(answer).error.code
            return next(status.name for status in grpc.StatusCode if status.value[0] == code)
        return "OK"
    except grpc.RpcError as error:
        return str(error.code().name)


@pytest.mark.parametrize("method", METHODS)
def test_random_bytes_get_a_proper_status(client: Client, method: str) -> None:
    """Raw bytes, truncated and mutated messages never end in UNKNOWN or INTERNAL."""
    source = random.Random(method)
    workspace = client.workspace()
    client.allow_list(workspace, "l", ["1.2.3.4", "5.6.7.8"])
    client.key(workspace, "k")
    sane = about(workspace).get(method, METHODS[method]()).SerializeToString()
    for _ in range(60):
        data = bytearray(sane or source.randbytes(20))
        for _ in range(source.randrange(1, 6)):
            data[source.randrange(len(data))] = source.randrange(256)
        for attempt in (bytes(data), sane[: source.randrange(len(sane) + 1)], source.randbytes(9)):
            assert raw(client, method, attempt) in PROPER


HOSTILE = ["", "\0", "a\nb", "../..", "%s%n", "'; FLUSHALL", "{s00}", "workspaces/", "é" * 300,
           "workspaces/a:b", "workspaces/A", "\u202e", " ", "(", "-", "+", "\x1b[31m"]  # fmt: skip


def fill(message: Message, text: str) -> None:
    """Puts the text into every string of a message, nested ones included."""
    for field in message.DESCRIPTOR.fields:
        if field.type == field.TYPE_STRING:
            if field.is_repeated:
                getattr(message, field.name).append(text)
            elif not field.containing_oneof:
                setattr(message, field.name, text)
        elif field.message_type and field.message_type.full_name.startswith("ipgate."):
            if field.is_repeated:
                continue
            fill(getattr(message, field.name), text)
            getattr(message, field.name).SetInParent()


@pytest.mark.parametrize("method", METHODS)
def test_hostile_texts_in_all_fields_are_refused(client: Client, method: str) -> None:
    """Every string of every request, filled with what breaks lesser parsers, is rejected properly."""
    for text in HOSTILE:
        request: Any = METHODS[method]()
        fill(request, text)
        # An empty text counts as missing, which some methods accept.
        wanted = PROPER - {"OK"} if text and request.ListFields() else PROPER
        assert raw(client, method, request.SerializeToString()) in wanted, text


def test_a_message_over_the_size_limit_is_refused(client: Client, workspace: str) -> None:
    """4 MiB are the limit; the connection and the server go on."""
    with pytest.raises(RpcFailed) as failed:
        client.allow_list(workspace, "l", ["1.2.3.4"], description="x" * (5 << 20))
    assert failed.value.code == "RESOURCE_EXHAUSTED"
    client.allow_list(workspace, "l", ["1.2.3.4"])


def test_metadata_over_the_size_limit_is_refused(client: Client) -> None:
    """Huge metadata do not reach the service."""
    with pytest.raises(RpcFailed) as failed:
        client.as_("x" * 100_000).ask("1.2.3.4", key="x")
    assert failed.value.code in ("RESOURCE_EXHAUSTED", "UNAVAILABLE", "INTERNAL")
    client.ask("1.2.3.4", key="x")


def test_authorize_needs_a_subject(client: Client) -> None:
    """Neither credential nor name is an error; an empty credential is one that nobody has."""
    with pytest.raises(RpcFailed) as failed:
        client.ask("1.2.3.4")
    assert list(failed.value.fields) == ["subject"]
    assert client.ask("1.2.3.4", key="").reason == authorize.REASON_KEY_UNKNOWN
    with pytest.raises(RpcFailed) as failed:
        client.ask("1.2.3.4", api_key="nonsense")
    assert list(failed.value.fields) == ["api_key"]


def test_a_public_name_is_no_credential(client: Client, workspace: str) -> None:
    """The resource name of a key, sent as a credential, is unknown."""
    name = client.key(workspace, "k").api_key.name
    assert client.ask("1.2.3.4", key=name).reason == authorize.REASON_KEY_UNKNOWN


@pytest.mark.parametrize("revision", ["x", "é", "A" * 600, "cjEuMS4w"])
def test_a_tampered_revision_is_refused(client: Client, revision: str) -> None:
    """`min_revision` must be one that ipgate made."""
    with pytest.raises(RpcFailed) as failed:
        client.ask("1.2.3.4", key="x", min_revision=revision)
    assert list(failed.value.fields) == ["min_revision"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"ip": "q"},
        {"ip": "q", "key": "x"},
        {"ip": "q", "api_key": "x"},
        {"ip": "1.2.3.4", "api_key": "x"},
        {"ip": "q", "api_key": "workspaces/w/apiKeys/none"},
        {"ip": "q", "api_key": "x", "min_revision": "x"},
    ],
)
def test_a_question_of_a_batch_fails_as_it_would_alone(
    client: Client, fields: dict[str, Any]
) -> None:
    """With the same code and the same words."""
    request = authorize.AuthorizeRequest(**fields)
    with pytest.raises(RpcFailed) as alone:
        client.call("Authorize", request)
    batch = authorize.BatchAuthorizeRequest(requests=[request])
    (result,) = client.call("BatchAuthorize", batch).results
    error = result.error
    assert grpc.StatusCode[alone.value.code].value[0] == error.code
    assert error.message == alone.value.status.message
    assert error.reason == alone.value.reason
    assert [violation.field for violation in error.field_violations] == list(alone.value.fields)


def test_an_error_never_repeats_a_credential_or_token(
    server: Server, client: Client, workspace: str
) -> None:
    """Secrets appear in no status and no line of the log."""
    credential = client.key(workspace, "k").credential
    token = client.access_token("AUTHORIZER", workspace).token
    made_up = f"made-up-{secrets.token_hex(8)}"
    for ip in ("nonsense", "1.2.3.4"):
        for bearer in (client, client.as_(token), client.as_(made_up)):
            for key in (credential, made_up):
                try:
                    status = str(bearer.ask(ip, key=key))
                except RpcFailed as failed:
                    status = f"{failed.message} {failed.status}"
                assert not any(secret in status for secret in (credential, token, made_up))
    log = server.log.read_text()
    assert not any(secret in log for secret in (credential, token, made_up, client.token))


def test_no_log_level_shows_secrets(tmp_path: Path) -> None:
    """Tokens, right or wrong, and credentials are not even in the log of DEBUG."""
    with serving(tmp_path, "--log-level", "DEBUG") as server:
        client = server.client()
        credential = client.key(client.workspace(), "k").credential
        assert client.ask("192.0.2.1", key=credential).allowed
        with pytest.raises(RpcFailed):
            server.client("wrong-but-somebodys").ask("192.0.2.1", key=credential)
    log = server.log.read_text()
    assert " DEBUG " in log
    assert not any(secret in log for secret in (ROOT_TOKEN, "wrong-but-somebodys", credential))


def test_every_change_is_logged_with_its_resource_and_its_caller(
    server: Server, client: Client, workspace: str
) -> None:
    """Who did what to which resource can be read from the log; reads leave no line."""
    token = client.access_token("WORKSPACE_ADMIN", workspace)
    bearer = client.as_(token.token)
    key = bearer.key(workspace, "k").api_key.name
    bearer.call("GetApiKey", admin.GetApiKeyRequest(name=key))
    who = token.access_token.name.removeprefix("accessTokens/")
    log = server.log.read_text()
    assert f"AdminService/CreateApiKey resource='{key}' actor={who} " in log
    assert (
        f"AdminService/CreateAccessToken resource='{token.access_token.name}' actor=<root> " in log
    )
    assert f"GetApiKey '{key}'" not in log


def test_a_name_cannot_forge_a_line_of_the_log(server: Server, client: Client) -> None:
    """Line breaks in names are shown escaped."""
    forged = f"workspaces/x\n2026-01-01T00:00:00.000Z INFO forged {secrets.token_hex(4)}"
    with pytest.raises(RpcFailed, match="INVALID_ARGUMENT") as failed:
        client.call("GetWorkspace", admin.GetWorkspaceRequest(name=forged))
    assert failed.value.message.isprintable()
    assert not any(line.startswith("2026-01-01T00") for line in server.log.read_text().splitlines())


def test_a_batch_answers_each_on_its_own(client: Client, workspace: str) -> None:
    """Results come in order; a bad request among them fails alone, with its details."""
    allow_list = client.allow_list(workspace, "l", ["192.0.2.0/24"])
    keys = [client.key(workspace, f"k{index}") for index in range(20)]
    client.link(allow_list.name, *(key.api_key.name for key in keys[::2]))
    requests = [
        authorize.AuthorizeRequest(
            ip="8.8.8.8", key=key.credential, min_revision=keys[-1].api_key.revision
        )
        for key in keys
    ]
    requests.insert(7, authorize.AuthorizeRequest(ip="bad", key="x"))
    requests.insert(9, authorize.AuthorizeRequest(ip="1.2.3.4"))
    requests.append(authorize.AuthorizeRequest(ip="1.2.3.4", key="nobody"))
    results = client.call(
        "BatchAuthorize", authorize.BatchAuthorizeRequest(requests=requests)
    ).results
    assert len(results) == len(requests)
    for request, result in zip(requests, results, strict=True):
        if request.ip == "bad" or request.WhichOneof("subject") is None:
            assert result.error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
            assert result.error.field_violations
        else:
            alone = client.call("Authorize", request)
            assert (result.response.allowed, result.response.reason, result.response.api_key) == (
                alone.allowed, alone.reason, alone.api_key,
            )  # fmt: skip


def test_a_batch_keeps_its_order_when_some_answers_must_wait(
    client: Client, workspace: str
) -> None:
    """Hits and misses of a batch come back in the order of the requests."""
    keys = [client.key(workspace, f"k{index}") for index in range(12)]
    names = [key.api_key.name for key in keys]
    requests = [
        authorize.AuthorizeRequest(
            ip="1.2.3.4",
            key=key.credential,
            min_revision=keys[-1].api_key.revision if index % 3 else "",
        )
        for index, key in enumerate(keys)
    ]
    for request in requests[::3]:
        assert client.call("Authorize", request).allowed  # held from now on
    batch = authorize.BatchAuthorizeRequest(requests=requests)
    results = client.call("BatchAuthorize", batch).results
    assert [result.response.api_key for result in results] == names


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_has_1_to_1000_requests(client: Client, count: int) -> None:
    """Fewer or more are refused, naming the field."""
    requests = [authorize.AuthorizeRequest(ip="1.2.3.4", key="x")] * count
    with pytest.raises(RpcFailed) as failed:
        client.call("BatchAuthorize", authorize.BatchAuthorizeRequest(requests=requests))
    assert list(failed.value.fields) == ["requests"]


def test_a_batch_of_1000_is_answered(client: Client, workspace: str) -> None:
    """The largest batch works, with many keys that are loaded for it."""
    names = [client.key(workspace, f"k{index}").api_key.name for index in range(50)]
    requests = [
        authorize.AuthorizeRequest(ip="1.2.3.4", api_key=names[index % 50]) for index in range(1000)
    ]
    answer = client.call("BatchAuthorize", authorize.BatchAuthorizeRequest(requests=requests))
    assert all(result.response.allowed for result in answer.results)
