"""Access tokens: their ids, and how they appear in the log."""

import pytest
from ipgate.admin.tokens import RESERVED_IDS
from ipgate.v1 import admin_pb2 as admin

from tests.harness.servers import Client, RpcFailed, Server

pytestmark = pytest.mark.store


@pytest.mark.parametrize("identifier", sorted(RESERVED_IDS))
def test_no_token_is_called_like_ipgate_itself(
    client: Client, workspace: str, identifier: str
) -> None:
    """In a log or an audit trail it would look like the bootstrap token or the service."""
    request = admin.CreateAccessTokenRequest(
        access_token_id=identifier,
        access_token={"role": "ROLE_WORKSPACE_ADMIN", "workspace": workspace},
    )
    with pytest.raises(RpcFailed, match="is reserved; choose another id") as failed:
        client.call("CreateAccessToken", request)
    assert list(failed.value.fields) == ["access_token_id"]


def test_the_root_token_is_logged_as_no_id_can_be(server: Server, client: Client) -> None:
    """Angle brackets are in no id."""
    name = client.workspace()
    lines = [line for line in server.log.read_text().splitlines() if name in line]
    assert "actor=<root> " in lines[0]


def test_a_change_is_logged_with_the_callers_request_id(
    server: Server, client: Client, workspace: str
) -> None:
    """`x-request-id` as it came, if it reads as one word; else one is made. A token that came
    in it is not repeated."""
    method = client.channel.unary_unary("/ipgate.v1.AdminService/UpdateWorkspace")
    for sent, logged in (
        ("req-1", "request_id=req-1 "),
        ("a b", "request_id="),
        ("x" * 200, "request_id="),
        (f"ipgt_{'0' * 51}", "request_id=ipgt_… "),
    ):
        request = admin.UpdateWorkspaceRequest(
            workspace={"name": workspace, "display_name": f"n{len(sent)}"}
        )
        metadata = [("authorization", f"Bearer {client.token}"), ("x-request-id", sent)]
        method(request.SerializeToString(), metadata=metadata, timeout=10)
        line = [line for line in server.log.read_text().splitlines() if workspace in line][-1]
        assert logged in line
        assert sent not in line or sent == "req-1"
