"""What a change answers: its effect, the guard against loosening, and that nothing is no change."""

from typing import Any
from unittest.mock import ANY

import pytest
from google.protobuf.json_format import MessageToDict
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

from tests.harness.ranges import cidrs, plain
from tests.harness.servers import Client, RpcFailed

pytestmark = pytest.mark.store

UNRESTRICTED = resources.ApiKey.ACCESS_UNRESTRICTED
CLOSED = resources.ApiKey.ACCESS_CLOSED
DEFAULT = resources.ApiKey.ACCESS_DEFAULT


def linked(client: Client, workspace: str, *lists: str) -> tuple[str, list[str]]:
    """A key that is linked to new lists, and their names."""
    key = str(client.key(workspace, "k").api_key.name)
    names = [client.allow_list(workspace, name, ["192.0.2.1"]).name for name in lists]
    for name in names:
        client.link(name, key)
    return key, names


def loosening(client: Client, method: str, request: Any) -> Any:
    """The response to a change that is rejected without consent, also in a dry run."""
    for validate_only in (True, False):
        request.validate_only = validate_only
        with pytest.raises(RpcFailed) as failed:
            client.call(method, request)
        assert failed.value.code == "FAILED_PRECONDITION"
        assert failed.value.reason == "API_KEYS_UNRESTRICTED"
        assert "allow_unrestricted" in failed.value.message
    request.allow_unrestricted = request.validate_only = True
    foreseen = client.call(method, request)
    assert not foreseen.revision
    request.validate_only = False
    done = client.call(method, request)
    assert done.effect == foreseen.effect, "a dry run foresees the effect"
    assert done.revision
    return done


def unlinking(key: str, allow_list: str) -> Any:
    return admin.UnlinkApiKeysRequest(allow_list=allow_list, api_keys=[key])


def setting(key: str, *lists: str) -> Any:
    return admin.SetApiKeyAllowListsRequest(api_key=key, allow_lists=lists)


def deleting(_key: str, allow_list: str) -> Any:
    return admin.DeleteAllowListRequest(name=allow_list, force=True)


@pytest.mark.parametrize(
    ("method", "request_of"),
    [
        ("UnlinkApiKeys", unlinking),
        ("SetApiKeyAllowLists", lambda key, _: setting(key)),
        ("DeleteAllowList", deleting),
    ],
)
def test_opening_a_key_to_every_address_needs_consent(
    client: Client, workspace: str, method: str, request_of: Any
) -> None:
    """A change that takes a key's last list is rejected where no default or required list catches the
    key; with consent, and in a dry run, the response names the key."""
    key, (allow_list,) = linked(client, workspace, "l")
    effect = loosening(client, method, request_of(key, allow_list)).effect
    assert effect.unlinked_api_keys == effect.unrestricted_api_keys
    assert effect.unrestricted_api_keys == admin.AffectedApiKeys(count=1, api_keys=[key])
    assert client.ask("8.8.8.8", api_key=key).allowed


@pytest.mark.parametrize("method", ["UnlinkApiKeys", "SetApiKeyAllowLists", "DeleteAllowList"])
@pytest.mark.parametrize("state", ["required", "default", "other list"])
def test_a_change_that_opens_nothing_needs_no_consent(
    client: Client, workspace: str, method: str, state: str
) -> None:
    """Where the key becomes closed, falls to the default, or keeps a list, the change is made, and its
    effect says which."""
    key, (allow_list, other) = linked(client, workspace, "l", "other")
    kept = state == "other list"
    if not kept:
        client.unlink(other, key)
    if state == "default":
        client.default(workspace, other)
    if state == "required":
        fields = {"name": workspace, "require_allow_list": True}
        client.call("UpdateWorkspace", admin.UpdateWorkspaceRequest(workspace=fields))
    request = {
        "UnlinkApiKeys": unlinking(key, allow_list),
        "SetApiKeyAllowLists": setting(key, *([other] if kept else [])),
        "DeleteAllowList": deleting(key, allow_list),
    }[method]
    effect = client.call(method, request).effect
    named = admin.AffectedApiKeys(count=1, api_keys=[key])
    assert effect.unlinked_api_keys == (admin.AffectedApiKeys() if kept else named)
    assert effect.closed_api_keys == (named if state == "required" else admin.AffectedApiKeys())
    assert not effect.unrestricted_api_keys.count


def test_deleting_the_default_by_force_says_what_becomes_of_the_other_keys(
    client: Client, workspace: str
) -> None:
    """Keys without a list, whose number is not known, count for the guard as well."""
    allow_list = client.allow_list(workspace, "l", ["192.0.2.1"]).name
    client.default(workspace, allow_list)
    key = client.key(workspace, "k").api_key.name
    effect = loosening(client, "DeleteAllowList", deleting(key, allow_list)).effect
    assert effect.unlinked_access == UNRESTRICTED
    again = client.allow_list(workspace, "l", ["192.0.2.1"]).name
    client.default(workspace, again)
    client.call("DeleteApiKey", admin.DeleteApiKeyRequest(name=key))
    assert client.call("DeleteAllowList", deleting(key, again)).revision, "there is no key to open"


def test_the_workspace_says_what_becomes_of_keys_without_a_list(
    client: Client, workspace: str
) -> None:
    """The default and the required list answer with the access of keys without a list, if it changed."""
    allow_list = client.allow_list(workspace, "l", ["192.0.2.1"]).name

    def default(*, enabled: bool) -> Any:
        fields = {"enabled": enabled, "allow_list": allow_list}
        request = admin.UpdateDefaultAllowListRequest(
            workspace=workspace, default_allow_list=fields, allow_unrestricted=True
        )
        return client.call("UpdateDefaultAllowList", request).effect.unlinked_access

    def require(*, required: bool) -> Any:
        request = admin.UpdateWorkspaceRequest(
            workspace={"name": workspace, "require_allow_list": required}, allow_unrestricted=True
        )
        request.update_mask.paths.append("require_allow_list")
        return client.call("UpdateWorkspace", request).effect.unlinked_access

    assert default(enabled=True) == DEFAULT
    assert default(enabled=True) == 0
    assert require(required=True) == 0, "the default goes on deciding"
    assert default(enabled=False) == CLOSED
    assert require(required=False) == UNRESTRICTED


def test_ranges_that_come_and_go_are_in_the_effect(client: Client, workspace: str) -> None:
    """Creating, adding, removing and replacing count each range that comes or goes, and name them."""
    ranges = [f"192.0.2.{index}" for index in range(150)]
    created = client.call(
        "CreateAllowList",
        admin.CreateAllowListRequest(
            parent=workspace,
            allow_list={"display_name": "l", "description": "d", "ranges": plain(ranges)},
        ),
    )
    name = created.allow_list.name
    assert created.effect.ranges_added.count == 150
    assert len(created.effect.ranges_added.ranges) == 100
    add = admin.AddRangesRequest(allow_list=name, ranges=plain(["192.0.2.1", "198.51.100.0/24"]))
    added = client.call("AddRanges", add).effect
    assert added.ranges_added == admin.AffectedRanges(count=1, ranges=["198.51.100.0/24"])
    remove = admin.RemoveRangesRequest(allow_list=name, ranges=["192.0.2.2", "192.0.2.3"])
    assert client.call("RemoveRanges", remove).effect.ranges_removed.count == 2
    replace = admin.UpdateAllowListRequest(
        allow_list={"name": name, "ranges": plain([*ranges[:100], "10.0.0.1"])}, validate_only=True
    )
    foreseen = client.call("UpdateAllowList", replace).effect
    replace.validate_only = False
    replaced = client.call("UpdateAllowList", replace).effect
    assert replaced == foreseen
    assert (replaced.ranges_added.count, replaced.ranges_removed.count) == (3, 51)
    allow_list = client.call("GetAllowList", admin.GetAllowListRequest(name=name))
    assert set(cidrs(allow_list)) == {*ranges[:100], "10.0.0.1"}


def test_a_change_that_changes_nothing_is_none(client: Client, workspace: str) -> None:
    """The resource keeps its etag and revision, so that a colleague's edit does not fail."""
    key, (allow_list,) = linked(client, workspace, "l")
    client.default(workspace, allow_list)

    def unchanged(get: str, kind: Any, name: str, method: str, request: Any) -> None:
        before = client.call(get, kind(name=name))
        response = client.call(method, request)
        after = client.call(get, kind(name=name))
        assert (after.etag, after.revision) == (before.etag, before.revision), method
        assert response.revision, method
        assert response.effect == admin.Effect(), method

    for get, kind, name, method, request in (
        ("GetApiKey", admin.GetApiKeyRequest, key, "UpdateApiKey",
         admin.UpdateApiKeyRequest(api_key={"name": key}, update_mask={"paths": ["*"]})),
        ("GetApiKey", admin.GetApiKeyRequest, key, "SetApiKeyAllowLists", setting(key, allow_list)),
        ("GetApiKey", admin.GetApiKeyRequest, key, "LinkApiKeys",
         admin.LinkApiKeysRequest(allow_list=allow_list, api_keys=[key])),
        ("GetAllowList", admin.GetAllowListRequest, allow_list, "UpdateAllowList",
         admin.UpdateAllowListRequest(allow_list={
             "name": allow_list, "display_name": "l", "description": "for a test",
             "ranges": plain(["192.0.2.1/32"])})),
        ("GetAllowList", admin.GetAllowListRequest, allow_list, "AddRanges",
         admin.AddRangesRequest(allow_list=allow_list, ranges=plain(["192.0.2.1"]))),
        ("GetWorkspace", admin.GetWorkspaceRequest, workspace, "UpdateWorkspace",
         admin.UpdateWorkspaceRequest(workspace={"name": workspace}, update_mask={"paths": ["*"]})),
        ("GetWorkspace", admin.GetWorkspaceRequest, workspace, "UpdateDefaultAllowList",
         admin.UpdateDefaultAllowListRequest(workspace=workspace, default_allow_list={
             "enabled": True, "allow_list": allow_list})),
    ):  # fmt: skip
        unchanged(get, kind, name, method, request)


def test_a_key_moves_between_lists_in_one_change(client: Client, workspace: str) -> None:
    """Its lists are replaced as a whole: it is at no revision without one, and both lists' counts follow."""
    key, (old,) = linked(client, workspace, "old")
    new = client.allow_list(workspace, "new", ["198.51.100.1"]).name
    before = client.call("GetApiKey", admin.GetApiKeyRequest(name=key))
    moved = client.call("SetApiKeyAllowLists", setting(key, new))
    assert list(moved.api_key.allow_lists) == [new]
    assert moved.revision == moved.api_key.revision, "one change"
    answer = client.ask("198.51.100.1", api_key=key, min_revision=moved.revision)
    assert answer.allow_list == new
    assert not client.ask("192.0.2.1", api_key=key).allowed
    counts = [
        client.call("GetAllowList", admin.GetAllowListRequest(name=name)).linked_api_key_count
        for name in (old, new)
    ]
    assert counts == [0, 1]
    stale = setting(key, old)
    stale.etag = before.etag
    with pytest.raises(RpcFailed, match="ABORTED"):
        client.call("SetApiKeyAllowLists", stale)
    with pytest.raises(RpcFailed, match="NOT_FOUND"):
        client.call("SetApiKeyAllowLists", setting(key, f"{workspace}/allowLists/missing"))
    foreign = client.allow_list(client.workspace(), "l", ["192.0.2.1"]).name
    with pytest.raises(RpcFailed) as failed:
        client.call("SetApiKeyAllowLists", setting(key, new, foreign))
    assert list(failed.value.fields) == ["allow_lists[1]"]


def test_the_guard_names_the_keys_that_a_change_opens(client: Client, workspace: str) -> None:
    """Those without a list and those that lose it, up to 100 of them with the true count."""
    allow_list = client.allow_list(workspace, "l", ["192.0.2.1"]).name
    client.default(workspace, allow_list)
    linked = [client.key(workspace, f"a{index:03}").api_key.name for index in range(70)]
    free = [client.key(workspace, f"b{index:03}").api_key.name for index in range(70)]
    client.link(allow_list, *linked)
    request = admin.DeleteAllowListRequest(name=allow_list, force=True)
    with pytest.raises(RpcFailed, match="140 API keys would become usable") as failed:
        client.call("DeleteAllowList", request)
    assert len(failed.value.subjects) > 50, "as many as fit into the trailers"
    request.allow_unrestricted = True
    opened = client.call("DeleteAllowList", request).effect.unrestricted_api_keys
    assert opened.count == 140
    assert list(opened.api_keys) == [*linked, *free][:100]
    require = admin.UpdateWorkspaceRequest(
        workspace={"name": workspace, "require_allow_list": True}
    )
    closed = client.call("UpdateWorkspace", require).effect.closed_api_keys
    assert (closed.count, list(closed.api_keys)) == (140, [*linked, *free][:100])
    client.call("DeleteApiKey", admin.DeleteApiKeyRequest(name=free[0]))
    require.workspace.require_allow_list = False
    require.update_mask.paths.append("require_allow_list")
    with pytest.raises(RpcFailed, match="139 API keys would become usable"):
        client.call("UpdateWorkspace", require)


def test_attributes_that_change_are_in_the_effect(client: Client, workspace: str) -> None:
    """With their values before and after, in a dry run as in the change and in the audit log; none for a
    resource that is created or deleted, or whose attributes stay."""
    allow_list = client.allow_list(workspace, "l", ["192.0.2.1"]).name
    created = client.key(workspace, "k")
    assert not created.effect.attributes
    key = created.api_key.name
    default = {"enabled": True, "allow_list": allow_list, "report_only": True}
    rotate = admin.RotateApiKeyCredentialRequest(api_key=key, overlap={"seconds": 60})
    revoke = admin.RevokeApiKeyCredentialRequest(api_key=key, credential="CREDENTIAL_PREVIOUS")
    changes: list[tuple[str, Any, dict[str, Any]]] = [
        (
            "UpdateApiKey",
            admin.UpdateApiKeyRequest(
                api_key={"name": key, "display_name": "K", "expire_time": {"seconds": 1}}
            ),
            {"display_name": ("", "K"), "expire_time": (None, "1970-01-01T00:00:01Z")},
        ),
        ("RotateApiKeyCredential", rotate, {"previous_credential_expire_time": (None, ANY)}),
        ("RevokeApiKeyCredential", revoke, {"previous_credential_expire_time": (ANY, None)}),
        (
            "UpdateWorkspace",
            admin.UpdateWorkspaceRequest(workspace={"name": workspace, "require_allow_list": True}),
            {"require_allow_list": (False, True)},
        ),
        (
            "UpdateDefaultAllowList",
            admin.UpdateDefaultAllowListRequest(workspace=workspace, default_allow_list=default),
            {
                "default_enabled": (False, True),
                "default_list": ("", "l"),
                "default_report_only": (False, True),
            },
        ),
        (
            "UpdateAllowList",
            admin.UpdateAllowListRequest(allow_list={"name": allow_list, "description": "other"}),
            {"description": ("for a test", "other")},
        ),
        ("AddRanges", admin.AddRangesRequest(allow_list=allow_list, ranges=plain(["1.1.1.1"])), {}),
        ("DeleteApiKey", admin.DeleteApiKeyRequest(name=key), {}),
    ]
    for method, request, wanted in changes:
        if "allow_unrestricted" in request.DESCRIPTOR.fields_by_name:
            request.allow_unrestricted = True
        request.validate_only = True
        foreseen = attributes(client.call(method, request).effect.attributes)
        request.validate_only = False
        answer = client.call(method, request)
        assert attributes(answer.effect.attributes) == wanted, method
        assert foreseen == wanted, f"dry run of {method}"
        event = client.call(
            "ListAuditEvents", admin.ListAuditEventsRequest(parent=workspace)
        ).events[0]
        assert event.revision == answer.revision
        assert not event.effect.attributes
        if wanted:
            assert event.attributes == answer.effect.attributes


def attributes(changes: Any) -> dict[str, Any]:
    return {
        change.attribute: tuple(
            MessageToDict(getattr(change, side)) if change.HasField(side) else None
            for side in ("before", "after")
        )
        for change in changes
    }
