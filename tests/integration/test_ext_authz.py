"""External authorization as Envoy asks for it, here by a plain gRPC client; test_envoy.py has Envoy itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from ipgate.ext_authz.v3 import check_pb2

from tests.harness.ext_authz import BROWSER, PATH, check_request
from tests.harness.forwarded import cases, files
from tests.harness.servers import ROOT_TOKEN, Client, Server, serving

pytestmark = pytest.mark.engine

INSIDE, OUTSIDE = "192.0.2.1", "198.51.100.1"


def check(
    client: Client, request: check_pb2.CheckRequest | bytes, *, token: str = ROOT_TOKEN
) -> Any:
    """The answer; RpcError if there is none."""
    raw = request if isinstance(request, bytes) else request.SerializeToString()
    ask = client.channel.unary_unary(PATH, response_deserializer=check_pb2.CheckResponse.FromString)
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    return ask(raw, metadata=metadata, timeout=10)


def verdict(response: Any) -> tuple[int, str]:
    return response.status.code, response.dynamic_metadata["reason"]


@pytest.fixture
def credential(client: Client, workspace: str) -> str:
    """Of a key that may be used from INSIDE."""
    key = client.key(workspace, "ci")
    client.link(client.allow_list(workspace, "office", [INSIDE]).name, key.api_key.name)
    return str(key.credential)


def test_a_request_passes_from_an_allowed_address_only(client: Client, credential: str) -> None:
    """Decided by its own headers; the upstream learns the verdict, the client nothing."""
    allowed = check(client, check_request({**BROWSER, "x-api-key": credential}, peer=INSIDE))
    assert verdict(allowed) == (0, "LINKED_LIST_MATCH")
    assert [option.header.key for option in allowed.ok_response.headers] == [
        "x-ipgate-reason",
        "x-ipgate-allow-list",
        "x-ipgate-api-key",
    ]
    denied = check(client, check_request({"x-api-key": credential}, peer=OUTSIDE))
    assert verdict(denied) == (7, "NOT_IN_LINKED_LISTS")
    assert denied.denied_response.body == '{"detail":"Forbidden"}'
    unknown = check(client, check_request({"x-api-key": "wrong"}, peer=INSIDE))
    assert verdict(unknown) == (7, "KEY_UNKNOWN")


@pytest.mark.parametrize(
    "request_",
    [
        check_request({}),
        check_request({"x-api-key": ""}),
        check_request({"authorization": "Bearer k"}),
        check_request({}, path="/?x-api-key=k"),
        check_pb2.CheckRequest(),
        b"",
    ],
)
def test_a_request_without_a_key_is_denied(client: Client, request_: Any) -> None:
    """With 403, unless 401 is wanted."""
    response = check(client, request_)
    assert verdict(response) == (7, "KEY_MISSING")
    assert response.denied_response.status.code == 403


def test_a_key_that_only_reports_passes(client: Client, workspace: str) -> None:
    """Upstream and metadata say what would be denied."""
    key = client.key(workspace, "reporting", report_only=True)
    client.link(client.allow_list(workspace, "l", [INSIDE]).name, key.api_key.name)
    response = check(client, check_request({"x-api-key": key.credential}, peer=OUTSIDE))
    assert verdict(response) == (0, "NOT_IN_LINKED_LISTS")
    assert response.dynamic_metadata["report_only"] is True
    assert list(response.ok_response.headers_to_remove) == ["x-ipgate-allow-list"]


def test_the_configuration_of_envoy_can_name_the_key(
    client: Client, workspace: str, credential: str
) -> None:
    """Then the request's own key does not count; a name that is none is an error."""
    for key in ({}, {"x-api-key": "wrong"}, {"x-api-key": credential}):
        for peer, code in ((INSIDE, 0), (OUTSIDE, 7)):
            request = check_request(key, peer=peer, api_key=f"{workspace}/apiKeys/ci")
            assert check(client, request).status.code == code
    unknown = check_request(
        {"x-api-key": credential}, peer=INSIDE, api_key=f"{workspace}/apiKeys/x"
    )
    assert verdict(check(client, unknown)) == (7, "KEY_UNKNOWN")
    for name in ("", "nonsense", credential):
        with pytest.raises(grpc.RpcError) as error:
            check(client, check_request({"x-api-key": credential}, peer=INSIDE, api_key=name))
        assert error.value.code().name == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("headers", "peer"),
    [
        ({"x-api-key": b"\xff\xfe"}, INSIDE),
        ({"x-api-key": "k" * 60_000}, INSIDE),
        ({"x-api-key": "k,k"}, INSIDE),
        ({"x-api-key": "OK"}, ""),
        ({"x-api-key": "OK"}, "nowhere"),
        ({"x-api-key": "OK"}, "unix"),
        ({"x-api-key": "OK", "x-envoy-external-address": INSIDE}, OUTSIDE),
        ({"x-api-key": "OK", "x-forwarded-for": INSIDE}, OUTSIDE),
        ({"x-api-key": "OK", "forwarded": f"for={INSIDE}"}, OUTSIDE),
    ],
    ids=str,
)
def test_bad_and_spoofed_requests_are_denied(
    client: Client, credential: str, headers: dict[str, Any], peer: str
) -> None:
    """Whatever a client sends."""
    if headers["x-api-key"] == "OK":
        headers = {**headers, "x-api-key": credential}
    assert check(client, check_request(headers, peer=peer)).status.code == 7


def test_other_headers_may_hold_anything(client: Client, credential: str) -> None:
    """Bytes that are no text in a header that nobody reads deny nobody."""
    headers: dict[str, Any] = {
        "x-api-key": credential,
        "user-agent": b"\xff\xfe",
        "x": b"\0" * 9999,
    }
    response = check(client, check_request(headers, peer=INSIDE))
    assert response.status.code == 0


def test_a_malformed_question_is_an_error(client: Client) -> None:
    """And one that is too large; Envoy denies then."""
    for raw, code in (
        (b"\xff" * 10, "INVALID_ARGUMENT"),
        (check_request({"x": "x" * 200_000}).SerializeToString(), "RESOURCE_EXHAUSTED"),
    ):
        with pytest.raises(grpc.RpcError) as error:
            check(client, raw)
        assert error.value.code().name == code


def test_only_authorizers_may_ask(client: Client, workspace: str, credential: str) -> None:
    """By the call's own token; the key of another workspace is unknown to it."""
    request = check_request(
        {"x-api-key": credential, "authorization": f"Bearer {ROOT_TOKEN}"}, peer=INSIDE
    )
    viewer = client.access_token("WORKSPACE_VIEWER", workspace).token
    for token, code in (
        ("", "UNAUTHENTICATED"),
        ("wrong", "UNAUTHENTICATED"),
        (viewer, "PERMISSION_DENIED"),
    ):
        with pytest.raises(grpc.RpcError) as error:
            check(client, request, token=token)
        assert error.value.code().name == code
    own = client.access_token("AUTHORIZER", workspace).token
    assert check(client, request, token=own).status.code == 0
    foreign = client.access_token("AUTHORIZER", client.workspace()).token
    assert verdict(check(client, request, token=foreign)) == (7, "KEY_UNKNOWN")


@pytest.fixture
def configured(tmp_path: Path) -> Iterator[Server]:
    """A server whose gateways are Envoys at the edge, with keys in several places."""
    flags = ("--envoy-external-address", "--envoy-challenge", "--trusted-proxies", "10.0.0.0/8")
    with serving(tmp_path, "--gateway-key", "x-my-key, authorization, ?k", *flags) as server:
        yield server


def test_the_settings_say_where_key_and_address_are(configured: Server) -> None:
    """The external address counts before all others, where Envoy sets it."""
    client = configured.client()
    workspace = client.workspace()
    key = client.key(workspace, "ci")
    client.link(client.allow_list(workspace, "l", [INSIDE]).name, key.api_key.name)
    external = {"x-envoy-external-address": INSIDE}
    for headers, path in (
        ({"x-my-key": key.credential}, "/"),
        ({"authorization": f"Bearer {key.credential}"}, "/"),
        ({}, f"/a?k={key.credential}"),
    ):
        assert (
            check(
                client, check_request({**headers, **external}, peer=OUTSIDE, path=path)
            ).status.code
            == 0
        )
    mine = {"x-my-key": key.credential}
    for headers, peer, code in (
        ({"x-envoy-external-address": OUTSIDE, "x-forwarded-for": INSIDE}, INSIDE, 7),
        ({"x-envoy-external-address": f"{INSIDE},{INSIDE}"}, INSIDE, 7),
        ({"x-envoy-external-address": ""}, INSIDE, 7),
        ({"x-envoy-external-address": "nowhere"}, INSIDE, 7),
        ({"x-envoy-external-address": INSIDE, "x-envoy-internal": "true"}, OUTSIDE, 7),
        ({"x-forwarded-for": INSIDE}, "10.0.0.1", 0),
        ({"x-forwarded-for": INSIDE}, OUTSIDE, 7),
        ({}, INSIDE, 0),
    ):
        response = check(client, check_request({**mine, **headers}, peer=peer))
        assert response.status.code == code, headers
    missing = check(client, check_request({"x-api-key": key.credential}, peer=INSIDE))
    assert missing.denied_response.status.code == 401


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_the_address_follows_as_everywhere(path: Path, tmp_path: Path) -> None:
    """By the cases that server, client library and gateways share; Envoy joins headers by commas."""
    wanted = cases(path)
    with serving(tmp_path, "--trusted-proxies", ",".join(wanted[0].trusted_proxies)) as server:
        client = server.client()
        workspace = client.workspace()
        key = client.key(workspace, "ci")
        for case in wanted:
            headers: dict[str, str | bytes] = {"x-api-key": key.credential}
            for name, value in case.headers():
                before = headers.get(name.lower())
                headers[name.lower()] = value if before is None else f"{before!s},{value}"
            response = check(client, check_request(headers, peer=case.peer))
            reason = "UNRESTRICTED" if case.address else "NO_CLIENT_ADDRESS"
            assert verdict(response) == (0 if case.address else 7, reason), case.name
