"""Access control: every role with every method, and workspaces that cannot see each other."""

from typing import Any

import grpc
import pytest
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from ipgate.rpc.access import RULES
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.ranges import plain
from tests.harness.servers import ENGINE, Client, RpcFailed

pytestmark = pytest.mark.engine

READS = {
    "GetWorkspace", "ListWorkspaces", "GetAllowList", "ListAllowLists", "ListLinkedApiKeys",
    "GetApiKey", "ListApiKeys", "ListRanges", "CheckAccess", "ListAuditEvents", "ListAccessTokens", "WaitForRevision",
    "GetRevisionStatus",
}  # fmt: skip
ROOT_ONLY = {"CreateWorkspace", "DeleteWorkspace"}
AUTHORIZE = {"Authorize", "BatchAuthorize", "StreamAuthorize"}
METHODS = {
    method.name: GetMessageClass(method.input_type)
    for service in (
        admin.DESCRIPTOR.services_by_name["AdminService"],
        authorize.DESCRIPTOR.services_by_name["AuthorizeService"],
    )
    for method in service.methods
}


def permitted(role: str, method: str) -> bool:
    """The table of the contract, said another way than in the server."""
    if method == "GetCaller":
        return True
    if role == "WORKSPACE_ADMIN":
        return method not in ROOT_ONLY
    if role == "WORKSPACE_VIEWER":
        return method in READS
    return method in AUTHORIZE


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("role", ["WORKSPACE_ADMIN", "WORKSPACE_VIEWER", "AUTHORIZER"])
def test_a_role_may_call_what_the_contract_says(client: Client, role: str, method: str) -> None:
    """With an empty request, a permitted call gets past access control and another does not."""
    bearer = client.as_(client.access_token(role, client.workspace()).token)
    try:
        bearer.call(method, METHODS[method]())
        code = "OK"
    except RpcFailed as failed:
        code = failed.code
    if permitted(role, method):
        assert code in ("OK", "INVALID_ARGUMENT")
    else:
        assert code == "PERMISSION_DENIED"


def test_every_method_has_an_access_rule() -> None:
    """A method that is added to the protos without a rule is noticed here, and by the server."""
    ruled = {name.rpartition("/")[2] for name in RULES if name.startswith("ipgate.")}
    assert ruled == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "token", ["", "wrong", "ipgt_" + "0" * 49, "x" * 5000], ids=["none", "wrong", "forged", "long"]
)
def test_without_a_valid_token_nothing_can_be_called(
    client: Client, method: str, token: str
) -> None:
    """Even a damaged request gets UNAUTHENTICATED, and no details."""
    with pytest.raises(RpcFailed) as failed:
        client.as_(token).call(method, METHODS[method]())
    assert failed.value.code == "UNAUTHENTICATED"
    assert not token or token not in str(failed.value.status)


@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "Bearer  ", "bearer", "token"])
def test_another_kind_of_authorization_is_refused(client: Client, header: str) -> None:
    """The scheme must be Bearer, in any case, with a token. A value that ends with a space is no header of
    HTTP/2 (RFC 9113, 8.2.1): libnghttp2 resets the stream."""
    call = client.channel.unary_unary("/ipgate.v1.AdminService/ListWorkspaces")
    with pytest.raises(grpc.RpcError) as error:
        call(b"", metadata=[("authorization", header)], timeout=10)
    malformed = ENGINE == "http2" and header.endswith(" ")
    expected = grpc.StatusCode.INTERNAL if malformed else grpc.StatusCode.UNAUTHENTICATED
    assert error.value.code() is expected


def test_the_scheme_is_read_without_case(client: Client) -> None:
    """The scheme `bearer` is accepted in any case."""
    call = client.channel.unary_unary("/ipgate.v1.AdminService/ListWorkspaces")
    call(b"", metadata=[("authorization", f"bearer {client.token}")], timeout=10)


def about(workspace: str) -> dict[str, Any]:
    """For each method that names a resource of a workspace, a request that names it."""
    allow_list, key = f"{workspace}/allowLists/l", f"{workspace}/apiKeys/k"
    return {
        "GetWorkspace": admin.GetWorkspaceRequest(name=workspace),
        "UpdateWorkspace": admin.UpdateWorkspaceRequest(workspace={"name": workspace, "display_name": "x"}),
        "UpdateDefaultAllowList": admin.UpdateDefaultAllowListRequest(workspace=workspace, default_allow_list={}),
        "CreateAllowList": admin.CreateAllowListRequest(parent=workspace, allow_list={"display_name": "n", "description": "d", "ranges": plain(["1.2.3.4"])}),
        "GetAllowList": admin.GetAllowListRequest(name=allow_list),
        "ListAllowLists": admin.ListAllowListsRequest(parent=workspace),
        "UpdateAllowList": admin.UpdateAllowListRequest(allow_list={"name": allow_list, "display_name": "x"}),
        "DeleteAllowList": admin.DeleteAllowListRequest(name=allow_list, force=True),
        "AddRanges": admin.AddRangesRequest(allow_list=allow_list, ranges=plain(["8.8.8.8"])),
        "UpdateRanges": admin.UpdateRangesRequest(allow_list=allow_list, ranges=plain(["1.2.3.4"]), update_mask={"paths": ["note"]}),
        "ReplaceRanges": admin.ReplaceRangesRequest(allow_list=allow_list, ranges=plain(["8.8.8.8"])),
        "ListAuditEvents": admin.ListAuditEventsRequest(parent=workspace),
        "CheckAccess": admin.CheckAccessRequest(parent=workspace, address="1.2.3.4"),
        "ListRanges": admin.ListRangesRequest(allow_list=allow_list),
        "RemoveRanges": admin.RemoveRangesRequest(allow_list=allow_list, ranges=["1.2.3.4"]),
        "LinkApiKeys": admin.LinkApiKeysRequest(allow_list=allow_list, api_keys=[key]),
        "UnlinkApiKeys": admin.UnlinkApiKeysRequest(allow_list=allow_list, api_keys=[key]),
        "ListLinkedApiKeys": admin.ListLinkedApiKeysRequest(allow_list=allow_list),
        "CreateApiKey": admin.CreateApiKeyRequest(parent=workspace),
        "GetApiKey": admin.GetApiKeyRequest(name=key),
        "ListApiKeys": admin.ListApiKeysRequest(parent=workspace),
        "UpdateApiKey": admin.UpdateApiKeyRequest(api_key={"name": key, "disabled": True}),
        "SetApiKeyAllowLists": admin.SetApiKeyAllowListsRequest(api_key=key, allow_lists=[allow_list]),
        "RotateApiKeyCredential": admin.RotateApiKeyCredentialRequest(api_key=key, overlap={"seconds": 0}),
        "RevokeApiKeyCredential": admin.RevokeApiKeyCredentialRequest(api_key=key, credential="CREDENTIAL_PREVIOUS"),
        "DeleteApiKey": admin.DeleteApiKeyRequest(name=key),
        "CreateAccessToken": admin.CreateAccessTokenRequest(access_token={"role": 3, "workspace": workspace}),
        "ListAccessTokens": admin.ListAccessTokensRequest(workspace=workspace),
    }  # fmt: skip


def test_another_workspace_looks_exactly_like_a_missing_one(client: Client) -> None:
    """For every method the answer about a foreign resource is that about a missing one, name aside."""
    own, foreign = client.workspace(), client.workspace()
    missing = foreign[:-4] + "none"
    client.allow_list(foreign, "l", ["1.2.3.4", "5.6.7.8"])
    client.key(foreign, "k")
    bearer = client.as_(client.access_token("WORKSPACE_ADMIN", own).token)
    assert set(about(own)) == set(METHODS) - AUTHORIZE - ROOT_ONLY - {
        "ListWorkspaces",
        "RevokeAccessToken",
        "WaitForRevision",
        "GetRevisionStatus",
        "GetCaller",
    }
    for method, request in about(foreign).items():
        with pytest.raises(RpcFailed) as at_foreign:
            bearer.call(method, request)
        with pytest.raises(RpcFailed) as at_missing:
            bearer.call(method, about(missing)[method])
        assert at_foreign.value.code == "NOT_FOUND", method
        said, wanted = str(at_foreign.value.status), str(at_missing.value.status)
        assert said.replace(foreign, "W") == wanted.replace(missing, "W"), method
    listed = bearer.call("ListWorkspaces", admin.ListWorkspacesRequest()).workspaces
    assert [resource.name for resource in listed] == [own]


def test_a_confined_caller_sees_missing_resources_of_its_own_the_same_way(client: Client) -> None:
    """The refusal at the gate and that of the store read alike."""
    own = client.workspace()
    other = own[:-4] + "none"
    bearer = client.as_(client.access_token("WORKSPACE_ADMIN", own).token)
    with pytest.raises(RpcFailed) as here:
        bearer.call("GetApiKey", admin.GetApiKeyRequest(name=f"{own}/apiKeys/k"))
    with pytest.raises(RpcFailed) as there:
        bearer.call("GetApiKey", admin.GetApiKeyRequest(name=f"{other}/apiKeys/k"))
    assert str(here.value.status).replace(own, other) == str(there.value.status)


def test_an_authorizer_knows_only_the_keys_of_its_workspace(client: Client) -> None:
    """A foreign key is unknown, by name and by credential; root's token without workspace knows all."""
    own, foreign = client.workspace(), client.workspace()
    here, there = client.key(own, "k"), client.key(foreign, "k")
    confined = client.as_(client.access_token("AUTHORIZER", own).token)
    everywhere = client.as_(client.access_token("AUTHORIZER").token)
    assert confined.ask("8.8.8.8", key=here.credential).allowed
    client.ask("8.8.8.8", key=there.credential)
    missing = confined.ask("8.8.8.8", api_key=f"{foreign}/apiKeys/missing")
    for subject in ({"key": there.credential}, {"api_key": there.api_key.name}):
        answer = confined.ask("8.8.8.8", **subject)
        assert answer.reason == authorize.REASON_KEY_UNKNOWN
        assert not answer.api_key
        assert bool(answer.revision) == ("api_key" in subject and bool(missing.revision))
        assert everywhere.ask("8.8.8.8", **subject).allowed


def test_tokens_of_another_workspace_are_out_of_reach(client: Client) -> None:
    """An admin can neither see, mint nor revoke tokens of another workspace or of all."""
    own, foreign = client.workspace(), client.workspace()
    theirs = client.access_token("AUTHORIZER", foreign).access_token
    global_one = client.access_token("AUTHORIZER").access_token
    bearer = client.as_(client.access_token("WORKSPACE_ADMIN", own).token)
    listed = bearer.call("ListAccessTokens", admin.ListAccessTokensRequest()).access_tokens
    assert {resource.workspace for resource in listed} == {own}
    for token in (theirs, global_one):
        with pytest.raises(RpcFailed, match="NOT_FOUND"):
            bearer.call("RevokeAccessToken", admin.RevokeAccessTokenRequest(name=token.name))
    with pytest.raises(RpcFailed, match="INVALID_ARGUMENT"):
        bearer.access_token("AUTHORIZER")
    viewer = bearer.access_token("WORKSPACE_VIEWER", own)
    bearer.call("RevokeAccessToken", admin.RevokeAccessTokenRequest(name=viewer.access_token.name))


def test_every_caller_may_ask_who_it_is(client: Client, workspace: str) -> None:
    """Name, role, workspace and expiry are those of the token that the call carries."""
    expiry = Timestamp(seconds=4_000_000_000)
    for role in ("AUTHORIZER", "WORKSPACE_VIEWER", "WORKSPACE_ADMIN"):
        minted = client.access_token(role, workspace, expire_time=expiry)
        caller = client.as_(minted.token).call("GetCaller", admin.GetCallerRequest())
        token = minted.access_token
        assert (caller.access_token, caller.role) == (token.name, token.role)
        assert (caller.workspace, caller.expire_time) == (workspace, expiry)
    with pytest.raises(RpcFailed, match="UNAUTHENTICATED"):
        client.as_("nobody's").call("GetCaller", admin.GetCallerRequest())


def test_reflection_needs_a_token_of_any_role(client: Client, workspace: str) -> None:
    """Who may call something may read the contract; strangers may not."""
    stub = reflection_pb2_grpc.ServerReflectionStub(client.channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")

    def services(token: str) -> set[str]:
        metadata = [("authorization", f"Bearer {token}")]
        calls = stub.ServerReflectionInfo(iter([request]), metadata=metadata, timeout=10)
        return {service.name for service in next(calls).list_services_response.service}

    wanted = {"ipgate.v1.AdminService", "ipgate.v1.AuthorizeService", "grpc.health.v1.Health"}
    assert wanted <= services(client.access_token("AUTHORIZER", workspace).token)
    with pytest.raises(grpc.RpcError) as error:
        services("wrong")
    assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED
