"""Every YAML file in `admin` is a series of calls, and what each of them must answer."""

from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml
from google.protobuf.json_format import MessageToDict, ParseDict
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.servers import Client, RpcFailed

pytestmark = pytest.mark.store

CASES = sorted((Path(__file__).parent / "admin").glob("*.yaml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_case_answers_as_it_says(path: Path, client: Client, workspace: str) -> None:
    """Each call of the case has the wanted response, or fails with the wanted error."""
    values = {"workspace": workspace}
    for number, template in enumerate(yaml.safe_load(path.read_text())["steps"], 1):
        step = fill_in(template, values)
        where = f"{path.name}, step {number}: {step['call']}"
        try:
            response = MessageToDict(
                client.call(step["call"], request(step)), preserving_proto_field_name=True
            )
        except RpcFailed as error:
            assert outcome(error, step) == wanted(step), f"{where}: {error}"
            continue
        assert "code" not in step, f"{where} did not fail"
        assert_has(response, step.get("response", {}), where)
        for name, place in step.get("save", {}).items():
            values[name] = value_at(response, place)


def fill_in(value: Any, values: dict[str, str]) -> Any:
    """Returns a part of a case with its names replaced by the saved values."""
    match value:
        case str():
            return Template(value).substitute(values)
        case list():
            return [fill_in(item, values) for item in value]
        case dict():
            return {name: fill_in(item, values) for name, item in value.items()}
    return value


def request(step: dict[str, Any]) -> Any:
    module = authorize if step["call"] == "Authorize" else admin
    return ParseDict(step["request"], getattr(module, f"{step['call']}Request")())


def wanted(step: dict[str, Any]) -> dict[str, Any]:
    error = {name: step[name] for name in ("code", "reason", "subjects", "message") if name in step}
    return error | ({"fields": sorted(step["fields"])} if "fields" in step else {})


def outcome(error: RpcFailed, step: dict[str, Any]) -> dict[str, Any]:
    """What the call failed with, of the things that the step names."""
    details: dict[str, Any] = {"code": error.code, "reason": error.reason}
    if "fields" in step:
        details["fields"] = sorted(error.fields)
    if "subjects" in step:
        details["subjects"] = error.subjects
    if "message" in step:
        fields = error.fields.values() if error.code == "INVALID_ARGUMENT" else ()
        texts = "\n".join([error.message, *fields])
        details["message"] = step["message"] if step["message"] in texts else texts
    return {name: value for name, value in details.items() if name in (*step, "code")}


def assert_has(response: Any, expected: Any, where: str) -> None:
    """Fails unless the response has what is expected, and maybe more."""
    if not isinstance(expected, dict):
        assert response == expected, where
        return
    for name, value in expected.items():
        assert_has(response.get(name) if response else None, value, f"{where}: {name}")


def value_at(response: dict[str, Any], path: str) -> str:
    value: Any = response
    for name in path.split("."):
        value = value[name]
    return str(value)
