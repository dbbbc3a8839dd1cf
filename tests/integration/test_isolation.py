"""Tenants that try to learn of, or to reach, what is another's."""

import asyncio
import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ipgate.authorizer import authorizer
from ipgate.authorizer.authorizer import Question
from ipgate.domain.errors import InvalidArgument, Unavailable
from ipgate.domain.resources import Caller, Role
from ipgate.domain.revision import Revision, seal
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.in_process import ROOT, running_worker
from tests.harness.servers import Client, RpcFailed
from tests.harness.stores import StoreServer
from tests.integration.test_access import about

pytestmark = pytest.mark.engine


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreServer]:
    running = StoreServer(tmp_path / "own").start()
    yield running
    running.stop()


def pages(client: Client, workspace: str) -> dict[str, Any]:
    """A request for each listing of a workspace."""
    return {
        "ListAllowLists": admin.ListAllowListsRequest(parent=workspace, page_size=1),
        "ListApiKeys": admin.ListApiKeysRequest(parent=workspace, page_size=1),
        "ListAccessTokens": admin.ListAccessTokensRequest(workspace=workspace, page_size=1),
        "ListLinkedApiKeys": admin.ListLinkedApiKeysRequest(
            allow_list=f"{workspace}/allowLists/l0", page_size=1
        ),
    }


def test_a_page_token_opens_no_other_listing(client: Client) -> None:
    """One of another workspace, or of another listing of the own, is rejected without a difference."""
    mine, theirs = client.workspace(), client.workspace()
    for workspace in (mine, theirs):
        for index in range(2):
            client.allow_list(workspace, f"l{index}", ["1.2.3.4"])
            client.key(workspace, f"k{index}")
            client.access_token("AUTHORIZER", workspace)
        client.link(f"{workspace}/allowLists/l0", *(f"{workspace}/apiKeys/k{n}" for n in (0, 1)))
    foreign = {
        method: client.call(method, request).next_page_token
        for method, request in pages(client, theirs).items()
    }
    bearer = client.as_(client.access_token("WORKSPACE_ADMIN", mine).token)
    for method, request in pages(client, mine).items():
        for token in (*foreign.values(), seal(f"p1 {method} k0"), seal("p1  k0")):
            request.page_token = token
            with pytest.raises(RpcFailed) as failed:
                bearer.call(method, request)
            assert list(failed.value.fields) == ["page_token"]


def test_a_made_up_page_token_shows_a_confined_caller_nothing_more(client: Client) -> None:
    """Page tokens are no secrets: who makes one up still sees its own workspace alone."""
    mine, theirs = sorted((client.workspace(), client.workspace()))
    bearer = client.as_(client.access_token("WORKSPACE_VIEWER", mine).token)
    for after in ("a", mine.rpartition("/")[2], theirs.rpartition("/")[2], "zz"):
        request = admin.ListWorkspacesRequest(page_token=seal(f"p1 workspaces {after}"))
        names = {workspace.name for workspace in bearer.call("ListWorkspaces", request).workspaces}
        assert names <= {mine}


def test_an_etag_of_another_resource_permits_nothing(client: Client) -> None:
    """Etags are compared with the resource's own; a foreign resource is missing, etag or not."""
    mine, theirs = client.workspace(), client.workspace()
    here, there = (client.key(parent, "k").api_key for parent in (mine, theirs))
    bearer = client.as_(client.access_token("WORKSPACE_ADMIN", mine).token)
    with pytest.raises(RpcFailed, match="NOT_FOUND"):
        bearer.call("DeleteApiKey", admin.DeleteApiKeyRequest(name=there.name, etag=there.etag))
    with pytest.raises(RpcFailed, match="ABORTED"):
        bearer.call("DeleteApiKey", admin.DeleteApiKeyRequest(name=here.name, etag=there.etag))


def test_links_and_defaults_tell_nothing_of_foreign_resources(client: Client) -> None:
    """Existing or not, a key or list of another workspace is rejected in the same words."""
    mine, theirs = client.workspace(), client.workspace()
    allow_list = client.allow_list(mine, "l", ["1.2.3.4"]).name
    client.allow_list(theirs, "yes", ["1.2.3.4"])
    client.key(theirs, "yes")
    bearer = client.as_(client.access_token("WORKSPACE_ADMIN", mine).token)

    def said(of: str) -> list[str]:
        attempts = (
            lambda: bearer.link(allow_list, f"{theirs}/apiKeys/{of}"),
            lambda: bearer.unlink(allow_list, f"{theirs}/apiKeys/{of}"),
            lambda: bearer.default(mine, f"{theirs}/allowLists/{of}"),
        )
        leaks = []
        for attempt in attempts:
            with pytest.raises(RpcFailed, match="INVALID_ARGUMENT") as failed:
                attempt()
            leaks.append(str(failed.value.status).replace(of, "ID"))
        return leaks

    assert said("yes") == said("nay")


def test_no_role_raises_itself(client: Client) -> None:
    """Neither by minting a token beyond its own nor by moving a resource elsewhere."""
    mine, theirs = client.workspace(), client.workspace()
    for role in ("WORKSPACE_ADMIN", "WORKSPACE_VIEWER", "AUTHORIZER"):
        bearer = client.as_(client.access_token(role, mine).token)
        for wanted in ("WORKSPACE_ADMIN", "WORKSPACE_VIEWER", "AUTHORIZER"):
            for workspace in (theirs, ""):
                with pytest.raises(RpcFailed) as failed:
                    bearer.access_token(wanted, workspace)
                assert failed.value.code in ("NOT_FOUND", "INVALID_ARGUMENT", "PERMISSION_DENIED")
    for request in (about(mine)["UpdateWorkspace"],):
        request.update_mask.paths.append("name")
        with pytest.raises(RpcFailed, match="INVALID_ARGUMENT"):
            client.call("UpdateWorkspace", request)


def test_whose_credential_it_is_decides_not_who_registers_its_digest_again(client: Client) -> None:
    """A digest that is registered cannot be taken over, by the same workspace or another."""
    mine, theirs = client.workspace(), client.workspace()
    secret = secrets.token_hex(16)
    sha256 = hashlib.sha256(secret.encode()).hexdigest()
    client.key(theirs, "k", credential_sha256=sha256)
    bearer = client.as_(client.access_token("WORKSPACE_ADMIN", mine).token)
    with pytest.raises(RpcFailed, match="ALREADY_EXISTS"):
        bearer.key(mine, "k", credential_sha256=sha256)
    assert bearer.ask("1.2.3.4", key=secret).reason == authorize.REASON_KEY_UNKNOWN
    assert client.ask("1.2.3.4", key=secret).api_key == f"{theirs}/apiKeys/k"


async def test_a_foreign_name_is_answered_without_a_look(store: StoreServer) -> None:
    """For a confined caller neither memory nor the store is asked for a key of another workspace, so
    that the time it takes tells nothing, nor the revision; a malformed name is still an error."""

    async with running_worker(store.url) as p:
        await p.key("k")
        await p.ask("1.2.3.4")
        stranger = Caller("t", Role.AUTHORIZER, "another")
        reads = len(p.reader.reads)
        for key in ("k", "missing"):
            question = Question(f"workspaces/{p.workspace}/apiKeys/{key}", 0)
            verdict = p.authorizer.try_decide(stranger, question)
            assert verdict is not None
            assert verdict[0].reason.value == "KEY_UNKNOWN"
            assert verdict[1:] == ("", "", None)
        assert len(p.reader.reads) == reads
        known = Question(f"workspaces/{p.workspace}/apiKeys/k", 0)
        assert p.authorizer.try_decide(ROOT, known)
        with pytest.raises(InvalidArgument):
            p.authorizer.try_decide(stranger, Question("workspaces/another", 0))


async def test_a_made_up_revision_is_not_waited_for_without_end(
    store: StoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However far away the deadline is, such a call gives its place back."""
    monkeypatch.setattr(authorizer, "MAX_WAIT", 0.2)

    async with running_worker(store.url) as p:
        head = p.follower.freshness.progress[3].position
        future = Revision(3, head.epoch, head.sequence + 10**6, "0" * 16)
        with pytest.raises(Unavailable) as failed:
            async with asyncio.timeout(20):
                await p.authorizer.resolve(ROOT, Question(None, 0, future), timeout=86_400)
        assert failed.value.reason == "REVISION_NOT_REACHED"
