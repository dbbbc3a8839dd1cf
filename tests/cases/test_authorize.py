"""Every YAML file in `authorize` is a workspace and the decisions that it must give."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf.timestamp_pb2 import Timestamp
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.servers import Client, RpcFailed

pytestmark = pytest.mark.engine

CASES = sorted((Path(__file__).parent / "authorize").glob("*.yaml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_case_decides_as_it_says(path: Path, client: Client) -> None:
    """Each question of the case gets the wanted answer, by resource name and by credential."""
    case = yaml.safe_load(path.read_text())
    state = case["given"]
    settings = {name: state.get(name, False) for name in ("require_allow_list", "ipv6_enabled")}
    workspace = client.workspace(**settings)
    credentials = set_up(client, workspace, state)
    assert case["ask"], "a case asks something"
    for question in case["ask"]:
        wanted = {name: value for name, value in question.items() if name not in ("key", "ip")}
        subjects: list[dict[str, Any]] = [{"api_key": f"{workspace}/apiKeys/{question['key']}"}]
        if question["key"] in credentials:
            subjects.append({"key": credentials[question["key"]]})
        for subject in subjects:
            answered = answer(client, question["ip"], subject, wanted)
            assert answered == wanted, f"{path.name}: {question}, asked by {next(iter(subject))}"


def set_up(client: Client, workspace: str, state: dict[str, Any]) -> dict[str, str]:
    """Creates what `given` says; returns the credentials by key id."""
    for name, fields in state.get("allow_lists", {}).items():
        client.allow_list(workspace, name, **({"display_name": name} | fields))
    credentials = {}
    for name, fields in state.get("api_keys", {}).items():
        links = fields.pop("links", [])
        if "expire_time" in fields:
            time = Timestamp()
            time.FromJsonString(fields.pop("expire_time"))
            fields["expire_time"] = time
        created = client.key(workspace, name, **fields)
        credentials[name] = created.credential
        for link in links:
            client.link(f"{workspace}/allowLists/{link}", created.api_key.name)
    if "default" in state:
        default = state["default"]
        client.default(
            workspace,
            f"{workspace}/allowLists/{default['allow_list']}",
            enabled=default["enabled"],
            report_only=default.get("report_only", False),
        )
    return credentials


def answer(
    client: Client, ip: str, subject: dict[str, Any], wanted: dict[str, Any]
) -> dict[str, Any]:
    """What the server says, of the things that the case names."""
    try:
        said = client.ask(ip, **subject)
    except RpcFailed as failed:
        return {"error": failed.code}
    answer = {
        "allowed": said.allowed,
        "reason": authorize.Reason.Name(said.reason).removeprefix("REASON_"),
        "allow_list": said.allow_list.rpartition("/")[2],
        "range": said.range,
        "report_only": said.report_only,
    }
    return {name: value for name, value in answer.items() if name in wanted}
