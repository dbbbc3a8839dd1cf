"""AdminService: API keys and their credentials."""

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize
from ipgate.v1 import resources_pb2 as resources

from tests.harness.servers import Client, RpcFailed

pytestmark = pytest.mark.store


def get(client: Client, name: str) -> Any:
    return client.call("GetApiKey", admin.GetApiKeyRequest(name=name))


def test_a_minted_credential_is_shown_once_and_works(client: Client, workspace: str) -> None:
    """The credential authorizes; nothing that is read later holds it."""
    created = client.key(workspace, "k", display_name="CI")
    assert created.credential.startswith("ipg_")
    answer = client.ask("8.8.8.8", key=created.credential)
    assert (answer.allowed, answer.api_key) == (True, created.api_key.name)
    stored = get(client, created.api_key.name)
    assert stored == created.api_key
    assert created.credential not in str(stored)


def test_a_registered_digest_makes_the_callers_credential_work(
    client: Client, workspace: str
) -> None:
    """The caller's own secret authorizes; upper-case digits are the same digest."""
    secret = f"own-{workspace}"
    sha256 = hashlib.sha256(secret.encode()).hexdigest().upper()
    created = client.key(workspace, "k", credential_sha256=sha256)
    assert not created.credential
    assert client.ask("8.8.8.8", key=secret).api_key == created.api_key.name


def test_a_damaged_credential_is_unknown_even_if_its_digest_is_registered(
    client: Client, workspace: str
) -> None:
    """With the prefix of a minted credential and a wrong checksum it never leads to a key, whether
    that key is in memory or not."""
    damaged = f"ipg_{workspace}"
    sha256 = hashlib.sha256(damaged.encode()).hexdigest()
    name = client.key(workspace, "k", credential_sha256=sha256).api_key.name
    for _ in range(2):
        assert not client.ask("8.8.8.8", key=damaged).api_key
        assert client.ask("8.8.8.8", api_key=name).allowed


@pytest.mark.parametrize("value", ["abc", "g" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n"])
def test_what_is_no_digest_is_refused_without_being_shown(
    client: Client, workspace: str, value: str
) -> None:
    """The message never repeats the value: it may be the credential itself."""
    with pytest.raises(RpcFailed) as failed:
        client.key(workspace, "k", credential_sha256=value)
    assert list(failed.value.fields) == ["credential_sha256"]
    assert value not in str(failed.value.status)


def test_a_credential_belongs_to_one_key(client: Client, workspace: str) -> None:
    """The same digest is rejected for a second key anywhere, until the first key is deleted."""
    sha256 = hashlib.sha256(workspace.encode()).hexdigest()
    first = client.key(workspace, "one", credential_sha256=sha256).api_key
    other = client.workspace()
    with pytest.raises(RpcFailed) as failed:
        client.key(other, "two", credential_sha256=sha256)
    assert (failed.value.code, failed.value.reason) == ("ALREADY_EXISTS", "CREDENTIAL_TAKEN")
    assert workspace not in str(failed.value.status)
    with pytest.raises(RpcFailed, match="NOT_FOUND"):
        get(client, f"{other}/apiKeys/two")
    client.call("DeleteApiKey", admin.DeleteApiKeyRequest(name=first.name))
    second = client.key(other, "two", credential_sha256=sha256).api_key
    answer = client.ask("8.8.8.8", key=workspace, min_revision=second.revision)
    assert answer.api_key == second.name


def test_of_many_who_register_a_credential_at_once_exactly_one_succeeds(
    client: Client, workspace: str
) -> None:
    """The digest leads to the one key that was created, and no half key stays."""
    sha256 = hashlib.sha256(workspace.encode()).hexdigest()

    def create(index: int) -> str:
        try:
            return str(client.key(workspace, f"k{index}", credential_sha256=sha256).api_key.name)
        except RpcFailed as failed:
            return failed.code

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(create, range(8)))
    (winner,) = (result for result in results if result != "ALREADY_EXISTS")
    assert client.ask("8.8.8.8", key=workspace).api_key == winner
    listed = client.call("ListApiKeys", admin.ListApiKeysRequest(parent=workspace)).api_keys
    assert [resource.name for resource in listed] == [winner]


def test_of_many_who_take_an_id_at_once_exactly_one_succeeds(
    client: Client, workspace: str
) -> None:
    """Only the credential of the key that exists works."""

    def create(_: int) -> str:
        try:
            return str(client.key(workspace, "k").credential)
        except RpcFailed as failed:
            assert failed.code in ("ALREADY_EXISTS", "ABORTED")
            return ""

    with ThreadPoolExecutor(8) as pool:
        credentials = [credential for credential in pool.map(create, range(8)) if credential]
    (credential,) = credentials
    assert client.ask("8.8.8.8", key=credential).allowed


def test_a_deleted_key_is_unknown_by_name_and_credential(client: Client, workspace: str) -> None:
    """A new key of the same id does not revive the old credential."""
    old = client.key(workspace, "k")
    client.ask("8.8.8.8", key=old.credential)
    request = admin.DeleteApiKeyRequest(name=old.api_key.name)
    revision = client.call("DeleteApiKey", request).revision
    for subject in ({"key": old.credential}, {"api_key": old.api_key.name}):
        answer = client.ask("8.8.8.8", min_revision=revision, **subject)
        assert answer.reason == authorize.REASON_KEY_UNKNOWN
    new = client.key(workspace, "k")
    answer = client.ask("8.8.8.8", key=old.credential, min_revision=new.api_key.revision)
    assert answer.reason == authorize.REASON_KEY_UNKNOWN
    assert client.ask("8.8.8.8", key=new.credential, min_revision=new.api_key.revision).allowed


def test_access_tells_how_a_key_is_judged(client: Client, workspace: str) -> None:
    """LISTS, DEFAULT, UNRESTRICTED and CLOSED follow links, default and requirement."""
    allow_list = client.allow_list(workspace, "l", ["1.2.3.4"])
    key = client.key(workspace, "k").api_key.name
    access = resources.ApiKey.Access

    def now() -> str:
        return access.Name(get(client, key).access)

    assert now() == "ACCESS_UNRESTRICTED"
    require = admin.UpdateWorkspaceRequest(
        workspace={"name": workspace, "require_allow_list": True}
    )
    client.call("UpdateWorkspace", require)
    assert now() == "ACCESS_CLOSED"
    client.default(workspace, allow_list.name)
    assert now() == "ACCESS_DEFAULT"
    client.link(allow_list.name, key)
    assert now() == "ACCESS_LISTS"
    assert list(get(client, key).allow_lists) == [allow_list.name]


def test_an_expiry_comes_by_itself(client: Client, workspace: str) -> None:
    """A key that is held in memory expires without any change; its expiry can be dropped again."""
    soon = Timestamp()
    soon.FromNanoseconds(time.time_ns() + 300_000_000)
    created = client.key(workspace, "k", expire_time=soon)
    reasons = {client.ask("8.8.8.8", key=created.credential).reason}
    while time.time_ns() <= soon.ToNanoseconds():
        reasons.add(client.ask("8.8.8.8", key=created.credential).reason)
    assert client.ask("8.8.8.8", key=created.credential).reason == authorize.REASON_KEY_EXPIRED
    assert authorize.REASON_UNRESTRICTED in reasons
    request = admin.UpdateApiKeyRequest(api_key={"name": created.api_key.name})
    request.update_mask.paths.append("expire_time")
    updated = client.call("UpdateApiKey", request).api_key
    assert not updated.HasField("expire_time")
    assert client.ask("8.8.8.8", key=created.credential, min_revision=updated.revision).allowed


def test_expiry_is_kept_to_the_nanosecond(client: Client, workspace: str) -> None:
    """Also before 1970, at 1970 and in the year 9999."""
    for index, (seconds, nanos) in enumerate(
        [(0, 0), (-1, 999_999_999), (253402300799, 123456789)]
    ):
        wanted = Timestamp(seconds=seconds, nanos=nanos)
        created = client.key(workspace, f"k{index}", expire_time=wanted)
        assert get(client, created.api_key.name).expire_time == wanted


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(0, -1), (0, 10**9), (253402300800, 0), (-62135596801, 0)]
)
def test_an_instant_that_is_none_is_refused(
    client: Client, workspace: str, seconds: int, nanos: int
) -> None:
    """Timestamps outside of their range are refused by field."""
    with pytest.raises(RpcFailed) as failed:
        client.key(workspace, "k", expire_time=Timestamp(seconds=seconds, nanos=nanos))
    assert list(failed.value.fields) == ["api_key.expire_time"]


def test_validate_only_mints_nothing(client: Client, workspace: str) -> None:
    """A dry run makes no key and no credential, and refuses what is taken."""
    request = admin.CreateApiKeyRequest(parent=workspace, api_key_id="k", validate_only=True)
    answer = client.call("CreateApiKey", request)
    assert not answer.credential
    assert not answer.api_key.etag
    client.key(workspace, "k")
    with pytest.raises(RpcFailed, match="ALREADY_EXISTS"):
        client.call("CreateApiKey", request)
    delete = admin.DeleteApiKeyRequest(name=f"{workspace}/apiKeys/k", validate_only=True)
    assert not client.call("DeleteApiKey", delete).revision
    get(client, delete.name)


def test_deleting_a_key_unlinks_it(client: Client, workspace: str) -> None:
    """The list's count goes down, and the list can be deleted without force."""
    allow_list = client.allow_list(workspace, "l", ["1.2.3.4"])
    key = client.key(workspace, "k").api_key.name
    client.link(allow_list.name, key)
    client.call("DeleteApiKey", admin.DeleteApiKeyRequest(name=key))
    client.call("DeleteAllowList", admin.DeleteAllowListRequest(name=allow_list.name))
