"""Several servers and workers on one store: a change made through one is seen by all."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ipgate.domain.revision import Revision, parse_revision
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.ranges import plain
from tests.harness.servers import Client, RpcFailed, Server, serving
from tests.harness.waiting import eventually

pytestmark = pytest.mark.store


@pytest.fixture(scope="module")
def other(shared_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A second server on the shared server's store."""
    with serving(tmp_path_factory.mktemp("other"), "--redis-url", shared_url) as running:
        yield running


@pytest.fixture
def elsewhere(other: Server) -> Client:
    return other.client()


def test_every_kind_of_change_is_seen_by_the_other_server(
    client: Client, elsewhere: Client, workspace: str
) -> None:
    """With its revision, each change is in force at the other server, whatever that had cached."""
    created = client.key(workspace, "k")
    key = created.api_key.name

    def reason(revision: str, ip: str = "192.0.2.1") -> str:
        answer = elsewhere.ask(ip, key=created.credential, min_revision=revision)
        by_name = elsewhere.ask(ip, api_key=key, min_revision=revision)
        assert (answer.allowed, answer.reason) == (by_name.allowed, by_name.reason)
        return authorize.Reason.Name(answer.reason).removeprefix("REASON_")

    assert reason(created.api_key.revision) == "UNRESTRICTED"
    a = client.allow_list(workspace, "a", ["192.0.2.1"])
    assert reason(client.link(a.name, key)) == "LINKED_LIST_MATCH"
    assert reason("", "192.0.2.2") == "NOT_IN_LINKED_LISTS"
    added = client.call(
        "AddRanges", admin.AddRangesRequest(allow_list=a.name, ranges=plain(["192.0.2.2"]))
    )
    assert reason(added.revision, "192.0.2.2") == "LINKED_LIST_MATCH"
    removed = client.call(
        "RemoveRanges", admin.RemoveRangesRequest(allow_list=a.name, ranges=["192.0.2.1"])
    )
    assert reason(removed.revision) == "NOT_IN_LINKED_LISTS"
    replaced = client.call(
        "UpdateAllowList",
        admin.UpdateAllowListRequest(
            allow_list={"name": a.name, "ranges": plain(["192.0.2.0/24"])}
        ),
    )
    assert reason(replaced.revision) == "LINKED_LIST_MATCH"
    b = client.allow_list(workspace, "b", ["198.51.100.1"])
    assert reason(client.link(b.name, key), "198.51.100.1") == "LINKED_LIST_MATCH"
    assert reason(client.unlink(a.name, key)) == "NOT_IN_LINKED_LISTS"
    forced = client.call(
        "DeleteAllowList",
        admin.DeleteAllowListRequest(name=b.name, force=True, allow_unrestricted=True),
    )
    assert reason(forced.revision) == "UNRESTRICTED"
    require = admin.UpdateWorkspaceRequest(
        workspace={"name": workspace, "require_allow_list": True}
    )
    assert reason(client.call("UpdateWorkspace", require).revision) == "NO_ALLOW_LIST"
    assert reason(client.default(workspace, a.name).revision) == "DEFAULT_LIST_MATCH"
    removed = client.call(
        "UpdateAllowList",
        admin.UpdateAllowListRequest(allow_list={"name": a.name, "ranges": plain(["10.0.0.0/8"])}),
    )
    assert reason(removed.revision) == "NOT_IN_DEFAULT_LIST"
    off = client.default(workspace, a.name, enabled=False)
    assert reason(off.revision) == "NO_ALLOW_LIST"
    disable = admin.UpdateApiKeyRequest(api_key={"name": key, "disabled": True})
    assert reason(client.call("UpdateApiKey", disable).revision) == "KEY_DISABLED"
    gone = client.call("DeleteApiKey", admin.DeleteApiKeyRequest(name=key))
    assert reason(gone.revision) == "KEY_UNKNOWN"


def test_a_key_that_was_unknown_is_known_once_it_is_created(
    client: Client, elsewhere: Client, workspace: str
) -> None:
    """No cached negative outlives the creation, by name or by credential."""
    name = f"{workspace}/apiKeys/k"
    secret = f"own-{workspace}"
    subjects: list[dict[str, Any]] = [{"api_key": name}, {"key": secret}]
    for subject in subjects:
        assert elsewhere.ask("8.8.8.8", **subject).reason == authorize.REASON_KEY_UNKNOWN
    created = client.key(
        workspace, "k", credential_sha256=hashlib.sha256(secret.encode()).hexdigest()
    )
    for subject in subjects:
        assert elsewhere.ask("8.8.8.8", min_revision=created.api_key.revision, **subject).allowed


def test_a_union_of_many_lists_follows_each_of_them(
    client: Client, elsewhere: Client, workspace: str
) -> None:
    """A change of one list of a compiled union is seen, and so is its deletion and re-creation."""
    lists = [
        client.allow_list(workspace, f"l{index}", [f"10.0.{index}.0/24"]) for index in range(8)
    ]
    keys = [client.key(workspace, f"k{index}").api_key.name for index in range(3)]
    revision = ""
    for allow_list in lists:
        revision = client.link(allow_list.name, *keys)
    for key in keys:
        assert elsewhere.ask("10.0.7.1", api_key=key, min_revision=revision).allowed
    add = admin.AddRangesRequest(allow_list=lists[3].name, ranges=plain(["192.0.2.1"]))
    revision = client.call("AddRanges", add).revision
    for key in keys:
        answer = elsewhere.ask("192.0.2.1", api_key=key, min_revision=revision)
        assert (answer.allowed, answer.allow_list) == (True, lists[3].name)
    client.call("DeleteAllowList", admin.DeleteAllowListRequest(name=lists[3].name, force=True))
    again = client.allow_list(workspace, "l3", ["10.0.3.0/24", "192.0.2.1"])
    for key in keys:
        answer = elsewhere.ask("192.0.2.1", api_key=key, min_revision=again.revision)
        assert not answer.allowed, "the new list of the old id is not linked"
        assert elsewhere.ask("10.0.7.1", api_key=key).allowed


def test_a_revoked_access_token_is_refused_by_the_other_server(
    client: Client, elsewhere: Client, workspace: str
) -> None:
    """Within the time that a change takes to travel; new tokens work immediately."""
    token = client.access_token("AUTHORIZER", workspace)
    bearer = elsewhere.as_(token.token)
    bearer.ask("1.2.3.4", key="x")
    client.call("RevokeAccessToken", admin.RevokeAccessTokenRequest(name=token.access_token.name))

    def refused() -> bool:
        try:
            bearer.ask("1.2.3.4", key="x")
        except RpcFailed as failure:
            return failure.code == "UNAUTHENTICATED"
        return False

    eventually(refused, "the revoked token is refused")


def test_a_revision_of_the_future_is_unavailable_by_the_deadline(
    client: Client, workspace: str
) -> None:
    """The server waits no longer than the caller, and says why it cannot answer."""
    key = client.key(workspace, "k").api_key
    present = parse_revision("r", key.revision)
    near, far = (
        Revision(present.shard, present.epoch, present.sequence + ahead, present.change_id).token()
        for ahead in (100, 1_000_000)
    )
    lost = Revision(present.shard, present.epoch, present.sequence, "0" * 16).token()
    other_store = Revision(present.shard, "0" * 16, 1, "0" * 16).token()
    for revision in (near, far, lost, other_store):
        with pytest.raises(RpcFailed) as failed:
            client.ask("1.2.3.4", api_key=key.name, min_revision=revision, timeout=1)
        assert (failed.value.code, failed.value.reason) == ("UNAVAILABLE", "REVISION_NOT_REACHED")
        assert failed.value.retry_after > 0


def test_all_workers_of_a_server_follow(shared_url: str, tmp_path: Path) -> None:
    """Whichever worker a connection reaches, it answers by a change's revision."""
    with serving(tmp_path, "--redis-url", shared_url, "--workers", "3") as server:
        assert len(server.workers()) == 3
        clients = [server.client() for _ in range(12)]
        workspace = clients[0].workspace()
        key = clients[0].key(workspace, "k").api_key
        allow_list = clients[0].allow_list(workspace, "l", ["1.2.3.4"])
        revision = key.revision
        for round_ in range(6):
            linking = clients[round_].unlink if round_ % 2 else clients[round_].link
            revision = linking(allow_list.name, key.name)
            for client in clients:
                answer = client.ask("8.8.8.8", api_key=key.name, min_revision=revision)
                assert answer.allowed == bool(round_ % 2)
        for client in clients:
            client.channel.close()
