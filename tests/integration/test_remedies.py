"""Every error says what to do, and doing just that works."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ipgate.v1 import admin_pb2 as admin

from tests.harness.ranges import cidrs, plain
from tests.harness.servers import Client, RpcFailed

pytestmark = pytest.mark.engine

TESTS = Path(__file__).parents[1]
GUIDE = TESTS.parent / "docs" / "errors.md"

Failing = Callable[[], Any]
Case = Callable[[Client, str], tuple[Failing, Callable[[RpcFailed], Any]]]


def invalid(client: Client, workspace: str) -> tuple[Failing, Any]:
    def follow(failed: RpcFailed) -> Any:
        (violation,) = failed.fields.values()
        ranges = re.findall(r"'([0-9./]+)'", violation.partition("; use ")[2])
        return client.allow_list(workspace, "l", ranges)

    return lambda: client.allow_list(workspace, "l", ["192.0.2.10-192.0.2.20"]), follow


def too_broad(client: Client, workspace: str) -> tuple[Failing, Any]:
    return (
        lambda: client.allow_list(workspace, "l", ["10.0.0.0/7"]),
        lambda _: client.allow_list(workspace, "l", ["10.0.0.0/7"], allow_broad=True),
    )


def no_token(client: Client, workspace: str) -> tuple[Failing, Any]:
    read = admin.GetWorkspaceRequest(name=workspace)
    return lambda: client.as_("").call("GetWorkspace", read), lambda _: client.call(
        "GetWorkspace", read
    )


def bad_token(client: Client, workspace: str) -> tuple[Failing, Any]:
    read = admin.GetWorkspaceRequest(name=workspace)

    def follow(_: RpcFailed) -> Any:
        asked_for = client.access_token("WORKSPACE_VIEWER", workspace).token
        return client.as_(asked_for).call("GetWorkspace", read)

    return lambda: client.as_("x" * 40).call("GetWorkspace", read), follow


def expired_token(client: Client, workspace: str) -> tuple[Failing, Any]:
    expired = client.access_token("WORKSPACE_VIEWER", workspace, expire_time={"seconds": 1}).token
    read = admin.GetWorkspaceRequest(name=workspace)
    return lambda: client.as_(expired).call("GetWorkspace", read), bad_token(client, workspace)[1]


def wrong_role(client: Client, workspace: str) -> tuple[Failing, Any]:
    viewer = client.as_(client.access_token("WORKSPACE_VIEWER", workspace).token)

    def follow(_: RpcFailed) -> Any:
        return client.as_(client.access_token("WORKSPACE_ADMIN", workspace).token).key(
            workspace, "k"
        )

    return lambda: viewer.key(workspace, "k"), follow


def not_found(client: Client, workspace: str) -> tuple[Failing, Any]:
    client.key(workspace, "k")

    def read(name: str) -> Any:
        return client.call("GetApiKey", admin.GetApiKeyRequest(name=f"{workspace}/apiKeys/{name}"))

    return lambda: read("misspelt"), lambda _: read("k")


def exists(client: Client, workspace: str) -> tuple[Failing, Any]:
    client.key(workspace, "k")
    return lambda: client.key(workspace, "k"), lambda _: client.key(workspace, "another")


def name_taken(client: Client, workspace: str) -> tuple[Failing, Any]:
    client.allow_list(workspace, "first", ["192.0.2.1"], display_name="Office")

    def follow(failed: RpcFailed) -> Any:
        assert "first" in failed.message, "it says which list has the name"
        return client.allow_list(workspace, "l", ["192.0.2.1"], display_name="Office 2")

    return lambda: client.allow_list(workspace, "l", ["192.0.2.1"], display_name="OFFICE"), follow


def credential_taken(client: Client, workspace: str) -> tuple[Failing, Any]:
    client.key(workspace, "k", credential_sha256="a" * 63 + workspace[-1])
    taken = {"credential_sha256": "a" * 63 + workspace[-1]}
    return lambda: client.key(workspace, "n", **taken), lambda _: client.key(workspace, "n")


def stale_etag(client: Client, workspace: str) -> tuple[Failing, Any]:
    def rename(etag: str) -> Any:
        fields = {"name": workspace, "display_name": f"after {etag}", "etag": etag}
        return client.call("UpdateWorkspace", admin.UpdateWorkspaceRequest(workspace=fields))

    read = admin.GetWorkspaceRequest(name=workspace)
    return lambda: rename("stale"), lambda _: rename(client.call("GetWorkspace", read).etag)


def linked(client: Client, workspace: str) -> tuple[str, str]:
    allow_list = client.allow_list(workspace, "l", ["192.0.2.1"]).name
    key = client.key(workspace, "k").api_key.name
    client.link(allow_list, key)
    return allow_list, key


def in_use(client: Client, workspace: str) -> tuple[Failing, Any]:
    allow_list, key = linked(client, workspace)
    delete = admin.DeleteAllowListRequest(name=allow_list)

    def follow(_: RpcFailed) -> Any:
        client.unlink(allow_list, key)
        return client.call("DeleteAllowList", delete)

    return lambda: client.call("DeleteAllowList", delete), follow


def unrestricted(client: Client, workspace: str) -> tuple[Failing, Any]:
    allow_list, key = linked(client, workspace)
    unlink = admin.UnlinkApiKeysRequest(allow_list=allow_list, api_keys=[key])

    def follow(_: RpcFailed) -> Any:
        client.link(client.allow_list(workspace, "other", ["192.0.2.1"]).name, key)
        return client.call("UnlinkApiKeys", unlink)

    return lambda: client.call("UnlinkApiKeys", unlink), follow


def last_range(client: Client, workspace: str) -> tuple[Failing, Any]:
    name = client.allow_list(workspace, "l", ["192.0.2.1"]).name
    remove = admin.RemoveRangesRequest(allow_list=name, ranges=["192.0.2.1"])
    delete = admin.DeleteAllowListRequest(name=name)
    return lambda: client.call("RemoveRanges", remove), lambda _: client.call(
        "DeleteAllowList", delete
    )


def rotated(client: Client, workspace: str) -> Any:
    """The request to rotate the credential of a key once more, which has been rotated."""
    name = client.key(workspace, "k").api_key.name
    rotate = admin.RotateApiKeyCredentialRequest(api_key=name)
    rotate.overlap.FromSeconds(60)
    client.call("RotateApiKeyCredential", rotate)
    return rotate


def previous_works(client: Client, workspace: str) -> tuple[Failing, Any]:
    rotate = rotated(client, workspace)

    def follow(_: RpcFailed) -> Any:
        revoke = admin.RevokeApiKeyCredentialRequest(
            api_key=rotate.api_key, credential="CREDENTIAL_PREVIOUS"
        )
        client.call("RevokeApiKeyCredential", revoke)
        return client.call("RotateApiKeyCredential", rotate)

    return lambda: client.call("RotateApiKeyCredential", rotate), follow


def only_credential(client: Client, workspace: str) -> tuple[Failing, Any]:
    name = client.key(workspace, "k").api_key.name
    revoke = admin.RevokeApiKeyCredentialRequest(api_key=name, credential="CREDENTIAL_CURRENT")

    def follow(_: RpcFailed) -> Any:
        rotate = admin.RotateApiKeyCredentialRequest(api_key=name)
        rotate.overlap.FromSeconds(0)
        return client.call("RotateApiKeyCredential", rotate)

    return lambda: client.call("RevokeApiKeyCredential", revoke), follow


def not_in_list(client: Client, workspace: str) -> tuple[Failing, Any]:
    name = client.allow_list(workspace, "l", ["192.0.2.0/24", "192.0.2.1"]).name

    def remove(*ranges: str) -> Any:
        return client.call(
            "RemoveRanges", admin.RemoveRangesRequest(allow_list=name, ranges=ranges)
        )

    def follow(_: RpcFailed) -> Any:
        allow_list = client.call("GetAllowList", admin.GetAllowListRequest(name=name))
        return remove(cidrs(allow_list)[0])

    return lambda: remove("192.0.2.0/25"), follow


def range_exists(client: Client, workspace: str) -> tuple[Failing, Any]:
    name = client.allow_list(workspace, "l", [{"cidr": "192.0.2.1", "note": "one"}]).name
    add = admin.AddRangesRequest(allow_list=name, ranges=plain(["192.0.2.1"]))
    mask = {"paths": ["note"]}
    update = admin.UpdateRangesRequest(allow_list=name, ranges=add.ranges, update_mask=mask)
    return lambda: client.call("AddRanges", add), lambda _: client.call("UpdateRanges", update)


def ipv6_in_use(client: Client, workspace: str) -> tuple[Failing, Any]:
    enable = {"name": workspace, "ipv6_enabled": True}
    client.call("UpdateWorkspace", admin.UpdateWorkspaceRequest(workspace=enable))
    name = client.allow_list(workspace, "l", ["2001:db8::1", "192.0.2.1"]).name
    disable = admin.UpdateWorkspaceRequest(
        workspace={"name": workspace}, update_mask={"paths": ["ipv6_enabled"]}
    )

    def follow(_: RpcFailed) -> Any:
        remove = admin.RemoveRangesRequest(allow_list=name, ranges=["2001:db8::1"])
        client.call("RemoveRanges", remove)
        return client.call("UpdateWorkspace", disable)

    return lambda: client.call("UpdateWorkspace", disable), follow


def not_empty(client: Client, workspace: str) -> tuple[Failing, Any]:
    key = client.key(workspace, "k").api_key.name
    delete = admin.DeleteWorkspaceRequest(name=workspace)

    def follow(_: RpcFailed) -> Any:
        client.call("DeleteApiKey", admin.DeleteApiKeyRequest(name=key))
        return client.call("DeleteWorkspace", delete)

    return lambda: client.call("DeleteWorkspace", delete), follow


def over_the_limit(client: Client, workspace: str) -> tuple[Failing, Any]:
    ranges = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(100_001)]

    def follow(failed: RpcFailed) -> Any:
        assert "max-ranges-per-list" in failed.message
        return client.allow_list(workspace, "l", ranges[:100_000])

    return lambda: client.allow_list(workspace, "l", ranges), follow


CASES: dict[str, Case] = {
    "INVALID_ARGUMENT": invalid,
    "LIST_TOO_BROAD": too_broad,
    "TOKEN_MISSING": no_token,
    "TOKEN_INVALID": bad_token,
    "TOKEN_EXPIRED": expired_token,
    "PERMISSION_DENIED": wrong_role,
    "RESOURCE_NOT_FOUND": not_found,
    "RESOURCE_EXISTS": exists,
    "DISPLAY_NAME_TAKEN": name_taken,
    "CREDENTIAL_TAKEN": credential_taken,
    "ETAG_MISMATCH": stale_etag,
    "ALLOW_LIST_IN_USE": in_use,
    "API_KEYS_UNRESTRICTED": unrestricted,
    "PREVIOUS_CREDENTIAL_WORKS": previous_works,
    "ONLY_CREDENTIAL": only_credential,
    "ALLOW_LIST_EMPTY": last_range,
    "RANGE_NOT_IN_LIST": not_in_list,
    "RANGE_EXISTS": range_exists,
    "IPV6_IN_USE": ipv6_in_use,
    "WORKSPACE_NOT_EMPTY": not_empty,
    "LIMIT_EXCEEDED": over_the_limit,
}

ELSEWHERE = {
    "IPV6_DISABLED": "test_ipv6_that_is_disabled_meanwhile_is_refused_by_the_store",
    "CREATE_RACE": "test_of_many_who_take_an_id_at_once_exactly_one_succeeds",
    "ROTATE_RACE": "test_of_rotations_at_once_one_or_more_count",
    "STORE_UNAVAILABLE": "test_a_store_that_takes_no_writes_fails_changes_without_effect",
    "OUTCOME_UNKNOWN": "test_an_acknowledged_change_is_not_undone_by_an_older_one_that_lands_late",
    "NOT_REPLICATED": "test_a_change_that_no_replica_confirms_is_not_acknowledged",
    "STALE": "test_a_silent_store_is_bridged_from_memory_for_a_bounded_time",
    "REVISION_NOT_REACHED": "test_a_frozen_worker_is_waited_for_while_it_may_answer",
    "OVERLOADED": "test_what_too_many_wait_for_is_refused_at_once",
    "REQUEST_TOO_SLOW": "test_a_health_check_that_never_comes_is_given_up",
    "STORE_BROKEN": "test_a_missing_list_is_no_open_door",
    "INTERNAL": "test_every_error_ends_in_a_status",
}
"""Reasons that need a fault, or a race: the test that provokes each, and sees it pass."""

GENERAL = {"UNAUTHENTICATED", "FAILED_PRECONDITION"}
"""Reasons that are not sent themselves."""


@pytest.mark.parametrize("reason", CASES)
def test_the_remedy_of_an_error_works(client: Client, workspace: str, reason: str) -> None:
    """The call fails with the reason; what docs/errors.md and the message say to do makes it work."""
    fail, follow = CASES[reason](client, workspace)
    with pytest.raises(RpcFailed) as failed:
        fail()
    assert failed.value.reason == reason
    assert follow(failed.value) is not None


def test_every_documented_reason_has_its_remedy_tested() -> None:
    """None is left out, and the tests that are named exist."""
    documented = set(re.findall(r"\| `([A-Z0-9_]+)` \|[^|]+\|[^|]*\|\n", GUIDE.read_text()))
    assert documented == set(CASES) | set(ELSEWHERE) | GENERAL
    sources = "\n".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    assert [name for name in ELSEWHERE.values() if f"def {name}(" not in sources] == []
