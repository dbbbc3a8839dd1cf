"""What the message about a wrong request says to do works when it is done to the letter."""

import json
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.servers import Client, RpcFailed

pytestmark = pytest.mark.engine

LIST, KEY = "WS/allowLists/l", "WS/apiKeys/k"
NEW_LIST = {"display_name": "N", "description": "d", "ranges": [{"cidr": "192.0.2.9"}]}
OF_LIST = {"parent": "WS", "allow_list_id": "n"}
TEXT = "é" * 2001

CASES: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    (
        "CreateApiKey",
        {"parent": "WS", "credential_sha256": "abc"},
        "send 64 hexadecimal digits",
        {"parent": "WS", "credential_sha256": "0a" * 32},
    ),
    (
        "CreateApiKey",
        {"parent": "WS", "api_key_id": "Ümlaut"},
        "use 1 to 63 of a-z, 0-9 and '-', beginning with a letter",
        {"parent": "WS", "api_key_id": "u" * 63},
    ),
    (
        "CreateAllowList",
        OF_LIST | {"allow_list": NEW_LIST | {"ranges": []}},
        "give at least one IP address or CIDR range",
        OF_LIST | {"allow_list": NEW_LIST},
    ),
    (
        "CreateAllowList",
        OF_LIST | {"allow_list": NEW_LIST | {"display_name": ""}},
        "give a text",
        OF_LIST | {"allow_list": NEW_LIST | {"display_name": "x"}},
    ),
    (
        "CreateAllowList",
        OF_LIST | {"allow_list": NEW_LIST | {"description": TEXT}},
        "use at most 2000",
        OF_LIST | {"allow_list": NEW_LIST | {"description": TEXT[:2000]}},
    ),
    (
        "CreateAllowList",
        OF_LIST | {"allow_list": NEW_LIST | {"display_name": "a\u202eb"}},
        "invisible character U+202E; remove it",
        OF_LIST | {"allow_list": NEW_LIST | {"display_name": "ab"}},
    ),
    (
        "CreateAllowList",
        OF_LIST | {"allow_list": NEW_LIST | {"display_name": " ab"}},
        "begins or ends with a space; remove it",
        OF_LIST | {"allow_list": NEW_LIST | {"display_name": "ab"}},
    ),
    (
        "CreateAccessToken",
        {"access_token_id": "root", "access_token": {"role": "ROLE_AUTHORIZER"}},
        "root is reserved; choose another id",
        {"access_token": {"role": "ROLE_AUTHORIZER"}},
    ),
    (
        "CreateAccessToken",
        {"access_token": {"role": "ROLE_WORKSPACE_ADMIN"}},
        "only root can mint a token for all workspaces, for an authorizer",
        {"access_token": {"role": "ROLE_WORKSPACE_ADMIN", "workspace": "WS"}},
    ),
    (
        "CreateAccessToken",
        {"access_token": {"workspace": "WS"}},
        "use ROLE_WORKSPACE_ADMIN, ROLE_WORKSPACE_VIEWER or ROLE_AUTHORIZER",
        {"access_token": {"workspace": "WS", "role": "ROLE_WORKSPACE_VIEWER"}},
    ),
    (
        "UpdateDefaultAllowList",
        {"workspace": "WS", "default_allow_list": {"enabled": True}},
        "name a list",
        {"workspace": "WS", "default_allow_list": {"enabled": True, "allow_list": LIST}},
    ),
    (
        "UpdateDefaultAllowList",
        {
            "workspace": "WS",
            "default_allow_list": {"enabled": True, "allow_list": "workspaces/x/allowLists/l"},
        },
        "use WS/allowLists/{id}",
        {"workspace": "WS", "default_allow_list": {"enabled": True, "allow_list": LIST}},
    ),
    (
        "UpdateDefaultAllowList",
        {"workspace": "WS"},
        "give the new default",
        {"workspace": "WS", "default_allow_list": {"enabled": False}},
    ),
    (
        "LinkApiKeys",
        {"allow_list": LIST},
        "name at least one API key",
        {"allow_list": LIST, "api_keys": [KEY]},
    ),
    (
        "LinkApiKeys",
        {"allow_list": LIST, "api_keys": [KEY] * 1001},
        "send at most 1000",
        {"allow_list": LIST, "api_keys": [KEY]},
    ),
    (
        "UpdateApiKey",
        {"api_key": {"name": KEY, "disabled": True}, "update_mask": "createTime"},
        "cannot be changed here; use display_name, disabled, report_only, expire_time or *",
        {"api_key": {"name": KEY, "disabled": True}, "update_mask": "disabled"},
    ),
    (
        "UpdateApiKey",
        {"api_key": {"name": KEY}},
        "names nothing to change; use display_name",
        {"api_key": {"name": KEY}, "update_mask": "displayName"},
    ),
    (
        "ListApiKeys",
        {"parent": "WS", "page_size": -1},
        "use 1 to 1000",
        {"parent": "WS", "page_size": 1000},
    ),
    (
        "ListApiKeys",
        {"parent": "WS", "page_token": "x"},
        "send one as the page before returned it",
        {"parent": "WS", "page_token": ""},
    ),
    ("WaitForRevision", {}, "send one as a change returned it", {"revision": "REVISION"}),
    (
        "WaitForRevision",
        {"revision": "1"},
        "send one as a change returned it",
        {"revision": "REVISION"},
    ),
    (
        "Authorize",
        {"ip": "1.2.3", "api_key": KEY},
        "send a dotted quad or an IPv6 address",
        {"ip": "1.2.3.4", "api_key": KEY},
    ),
    (
        "Authorize",
        {"ip": "1.2.3.4"},
        "send the credential as key, or api_key",
        {"ip": "1.2.3.4", "key": "x"},
    ),
    (
        "BatchAuthorize",
        {"requests": []},
        "send 1 to 1000",
        {"requests": [{"ip": "::1", "key": "x"}] * 1000},
    ),
    (
        "CreateWorkspace",
        {"workspace": {"default_allow_list": {"enabled": True, "allow_list": LIST}}},
        "use UpdateDefaultAllowList later",
        {"workspace": {}},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}: {case[2]}")
def test_the_remedy_for_a_wrong_request_works(
    client: Client, workspace: str, case: tuple[str, dict[str, Any], str, dict[str, Any]]
) -> None:
    """The request fails with the remedy in its message; the request that follows it succeeds."""
    method, wrong, remedy, right = case
    client.allow_list(workspace, "l", ["192.0.2.1", "192.0.2.2"])
    revision = client.key(workspace, "k").revision

    def call(fields: dict[str, Any]) -> Any:
        text = json.dumps(fields).replace("WS", workspace).replace("REVISION", revision)
        kind = getattr(admin, f"{method}Request", None) or getattr(authorize, f"{method}Request")
        return client.call(method, ParseDict(json.loads(text), kind()))

    with pytest.raises(RpcFailed) as failed:
        call(wrong)
    said = " ".join([failed.value.message, *failed.value.fields.values()])
    assert remedy.replace("WS", workspace) in said
    assert call(right) is not None
