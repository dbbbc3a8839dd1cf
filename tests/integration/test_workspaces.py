"""AdminService: workspaces, defaults, access tokens, paging."""

import asyncio

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from ipgate.clock import Clock
from ipgate.store import scripts as scripts_module
from ipgate.store.api_keys import ApiKeyStore
from ipgate.store.connection import connect
from ipgate.store.scripts import Scripts
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

from tests.harness.servers import Client, RpcFailed

pytestmark = pytest.mark.store


def test_a_workspace_is_read_as_it_was_created(client: Client) -> None:
    """All fields come back, and an id is minted where none was chosen."""
    fields = resources.Workspace(display_name="Acme", require_allow_list=True)
    workspace = client.call(
        "CreateWorkspace", admin.CreateWorkspaceRequest(workspace=fields)
    ).workspace
    assert workspace.name.startswith("workspaces/ws-")
    assert workspace == client.call("GetWorkspace", admin.GetWorkspaceRequest(name=workspace.name))
    assert (workspace.display_name, workspace.require_allow_list) == ("Acme", True)
    again = admin.CreateWorkspaceRequest(workspace_id=workspace.name.rpartition("/")[2])
    with pytest.raises(RpcFailed, match="ALREADY_EXISTS"):
        client.call("CreateWorkspace", again)


def test_pages_hold_every_resource_once_in_order(client: Client, workspace: str) -> None:
    """Whatever the page size, the pages together are the whole listing."""
    wanted = [client.key(workspace, f"k{index:02}").api_key.name for index in range(23)]
    for size in (1, 5, 22, 23, 24, 0, 5000):
        request = admin.ListApiKeysRequest(parent=workspace, page_size=size)
        names = []
        while True:
            answer = client.call("ListApiKeys", request)
            assert len(answer.api_keys) <= (size or 100)
            names += [api_key.name for api_key in answer.api_keys]
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
        assert names == wanted


def test_a_page_of_keys_with_many_links_may_be_short(
    client: Client, workspace: str, shared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends early and has a successor; the pages together are the whole listing, once and in order."""
    lists = [client.allow_list(workspace, f"l{index}", ["192.0.2.1"]).name for index in range(3)]
    keys = [client.key(workspace, f"k{index:03}").api_key.name for index in range(130)]
    for name in lists:
        client.link(name, *keys)
    monkeypatch.setattr(scripts_module, "MAX_PAGE_LINKS", 200)

    async def pages(size: int) -> list[list[str]]:
        store = connect(shared_url, connections=2)
        keys_of = ApiKeyStore(Scripts(store, Clock()))
        listed, after = [], ""
        while True:
            page = await keys_of.page(workspace.rpartition("/")[2], after, size)
            listed.append([key.id for key in page.items])
            after = page.next_after
            if not after:
                await store.aclose()
                return listed

    for size, longest in ((1000, 67), (60, 60), (1, 1)):
        listed = asyncio.run(pages(size))
        assert max(map(len, listed)) == longest
        assert [f"{workspace}/apiKeys/{key}" for page in listed for key in page] == keys


def test_workspaces_are_paged_over_all_shards(client: Client) -> None:
    """The listing of all workspaces is sorted and whole, though they lie in many shards."""
    created = {client.workspace() for _ in range(40)}
    request = admin.ListWorkspacesRequest(page_size=7)
    listed: list[str] = []
    while True:
        answer = client.call("ListWorkspaces", request)
        listed += [workspace.name for workspace in answer.workspaces]
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    assert created <= set(listed)
    assert listed == sorted(set(listed))


def test_a_page_token_is_good_for_its_listing_only(client: Client, workspace: str) -> None:
    """Tampered tokens, tokens of another listing and negative sizes are refused."""
    for index in range(3):
        client.key(workspace, f"k{index}")
        client.allow_list(workspace, f"l{index}", ["1.2.3.4"])
    request = admin.ListApiKeysRequest(parent=workspace, page_size=1)
    token = client.call("ListApiKeys", request).next_page_token
    lists = admin.ListAllowListsRequest(parent=workspace, page_token=token)
    with pytest.raises(RpcFailed) as failed:
        client.call("ListAllowLists", lists)
    assert list(failed.value.fields) == ["page_token"]
    for tampered in (token[:-1], token + "A", "x", "é", "A" * 10_000):
        request.page_token = tampered
        with pytest.raises(RpcFailed, match="INVALID_ARGUMENT"):
            client.call("ListApiKeys", request)
    with pytest.raises(RpcFailed) as failed:
        client.call("ListApiKeys", admin.ListApiKeysRequest(parent=workspace, page_size=-1))
    assert list(failed.value.fields) == ["page_size"]


def test_an_access_token_works_until_it_is_revoked(client: Client, workspace: str) -> None:
    """A new token works immediately; a revoked one is rejected from then on; listing shows no secret."""
    token = client.access_token("WORKSPACE_ADMIN", workspace, display_name="ops")
    bearer = client.as_(token.token)
    get = admin.GetWorkspaceRequest(name=workspace)
    bearer.call("GetWorkspace", get)
    listed = client.call("ListAccessTokens", admin.ListAccessTokensRequest(workspace=workspace))
    assert list(listed.access_tokens) == [token.access_token]
    assert token.token not in str(listed)
    revoke = admin.RevokeAccessTokenRequest(name=token.access_token.name, validate_only=True)
    assert not client.call("RevokeAccessToken", revoke).revision
    bearer.call("GetWorkspace", get)
    revoke.validate_only = False
    revision = client.call("RevokeAccessToken", revoke).revision
    client.ask("8.8.8.8", key="x", min_revision=revision)
    with pytest.raises(RpcFailed) as failed:
        bearer.call("GetWorkspace", get)
    assert (failed.value.code, failed.value.reason) == ("UNAUTHENTICATED", "TOKEN_INVALID")


def test_an_expired_access_token_is_refused(client: Client, workspace: str) -> None:
    """The bearer learns that it expired."""
    past = Timestamp(seconds=1_000_000_000)
    token = client.access_token("WORKSPACE_VIEWER", workspace, expire_time=past)
    with pytest.raises(RpcFailed) as failed:
        client.as_(token.token).call("GetWorkspace", admin.GetWorkspaceRequest(name=workspace))
    assert (failed.value.code, failed.value.reason) == ("UNAUTHENTICATED", "TOKEN_EXPIRED")
