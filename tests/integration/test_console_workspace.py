"""The settings and access tokens of a workspace in the console, and what names its API keys."""

import pytest
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.console import Browser
from tests.harness.servers import Client, RpcFailed


def test_the_lists_of_a_key_are_set_in_its_panel(
    browser: Browser, client: Client, place: str, workspace: str
) -> None:
    """Named by their display names; the last one is not taken away without consent."""
    office = client.allow_list(workspace, "o", ["192.0.2.1"], display_name="Head office").name
    plant = client.allow_list(workspace, "p", ["192.0.2.2"], display_name="Plant").name
    key = client.key(workspace, "ci").api_key.name
    browser.open(f"{place}/keys/ci")
    browser.click("Change its lists")
    page = browser.press("Save", allow_list=[office, plant])
    assert "It can be used only from the addresses of Head office, Plant then." in page.text
    page = browser.press("Yes, do it")
    assert "IP Allow lists Head office , Plant" in page.text
    assert client.ask("192.0.2.2", api_key=key).allowed
    browser.click("Change its lists")
    page = browser.press("Save", allow_list=[])
    assert "1 API key can be used from every address then: ci." in page.text
    browser.press("Yes, do it")
    assert client.ask("8.8.8.8", api_key=key).reason == authorize.REASON_UNRESTRICTED


def test_settings_of_a_workspace(
    browser: Browser, client: Client, place: str, workspace: str
) -> None:
    """Its name, whether a list is required, IPv6; a conflict is shown, and a workspace in use is not deleted."""
    key = client.key(workspace, "ci").api_key.name
    browser.open(f"{place}/keys")
    browser.click("Settings")
    page = browser.press("Save", name="Acme", require="1", ipv6="1")
    assert "1 API key cannot be used from any address then: ci" in page.text
    assert "Saved. In force on" in browser.press("Yes, do it").text
    assert client.ask("8.8.8.8", api_key=key).reason == authorize.REASON_NO_ALLOW_LIST
    name = client.allow_list(workspace, "six", ["2001:db8::/48"]).name
    page = browser.press("Save", ipv6=[])
    assert page.status == 400
    assert "six" in page.text
    client.call("DeleteAllowList", admin.DeleteAllowListRequest(name=name))
    client.call(
        "UpdateWorkspace",
        admin.UpdateWorkspaceRequest(workspace={"name": workspace, "display_name": "Theirs"}),
    )
    page = browser.press("Save", name="Mine", ipv6="1")
    assert page.status == 409
    assert "Theirs Name Theirs" in page.text
    browser.press("Save", name="Mine", ipv6="1")
    stored = client.call("GetWorkspace", admin.GetWorkspaceRequest(name=workspace))
    assert (stored.display_name, stored.require_allow_list) == ("Mine", True)
    page = browser.press("Delete the workspace")
    assert "the workspace still has 0 allow lists, 1 API keys" in page.text
    client.call("DeleteApiKey", admin.DeleteApiKeyRequest(name=key))
    browser.open(f"{place}/settings")
    browser.press("Delete the workspace")
    browser.press("Yes, do it")
    with pytest.raises(RpcFailed):
        client.call("GetWorkspace", admin.GetWorkspaceRequest(name=workspace))


def test_access_tokens_are_created_shown_once_and_revoked(
    browser: Browser, client: Client, place: str, console_address: str
) -> None:
    """By administrators for their workspace; a token of root's page may be for all."""
    browser.open(f"{place}/keys")
    browser.click("Access tokens")
    browser.click("+ New access token")
    page = browser.press("Save", name="Ada", role="ROLE_WORKSPACE_ADMIN", expires="never")
    assert "never is not a day" in page.text
    page = browser.press("Save", name="Ada", role="ROLE_WORKSPACE_ADMIN", expires="2999-01-31")
    assert "Created “Ada” (" in page.text
    assert "In force on" in page.text
    secret = next(word for word in page.text.split() if word.startswith("ipgt_"))
    page = browser.click("I have copied it")
    assert secret not in page.html
    assert "Administrator 2999-01-31" in page.text
    ada = Browser(console_address)
    assert ada.log_in(secret).url == f"{place}/keys"
    ada.open(f"{place}/tokens/new")
    page = ada.press("Save", id="backend", role="ROLE_AUTHORIZER", name="")
    backend = next(word for word in page.text.split() if word.startswith("ipgt_"))
    answer = client.as_(backend).ask(
        "8.8.8.8", api_key=f"{place.replace('/w/', 'workspaces/')}/apiKeys/x"
    )
    assert not answer.allowed
    ada.open(f"{place}/tokens")
    page = ada.press("Revoke")
    assert "Calls with it fail from then on." in page.text
    assert ada.open("/tokens/new").status == 200
    page = ada.press("Save", id="all", role="ROLE_AUTHORIZER")
    assert page.status in (400, 403)
    assert "Ada" in browser.open("/tokens").text


def test_the_token_of_the_session_is_revoked_with_a_warning(
    browser: Browser, client: Client, place: str, workspace: str, console_address: str
) -> None:
    """And then the person has to log in."""
    token = client.access_token("WORKSPACE_ADMIN", workspace)
    admin_ = Browser(console_address)
    admin_.log_in(token.token)
    page = admin_.open(f"{place}/tokens")
    assert "yours" in page.text
    page = admin_.press("Revoke")
    assert "It is the one that you are logged in with." in page.text
    page = admin_.press("Yes, do it")
    assert "Your access token is not valid any more" in page.text


def test_a_viewer_sees_settings_and_tokens_and_changes_none(
    client: Client, place: str, workspace: str, console_address: str
) -> None:
    viewer = Browser(console_address)
    page = viewer.log_in(client.access_token("WORKSPACE_VIEWER", workspace).token)
    token = page.forms[0].fields[0][1]
    for path, button in (("settings", "Save"), ("tokens", "Revoke"), ("tokens", "+ New access")):
        page = viewer.open(f"{place}/{path}")
        assert page.status == 200
        assert button not in page.text
    client.allow_list(workspace, "office", ["192.0.2.1"])
    for path in ("settings", "settings/delete", "tokens/new", "tokens/revoke"):
        page = viewer.send("POST", f"{place}/{path}", f"form_token={token}&role=ROLE_AUTHORIZER")
        assert page.status == 403, path


def test_a_check_and_the_audit_log_name_things_by_their_names(
    browser: Browser, client: Client, place: str, workspace: str
) -> None:
    """Not by ids only; and events are found by time."""
    office = client.allow_list(workspace, "o", ["192.0.2.0/24"], display_name="Head office").name
    revision = client.link(office, client.key(workspace, "ci", display_name="CI jobs").api_key.name)
    client.call("WaitForRevision", admin.WaitForRevisionRequest(revision=revision))
    browser.open(f"{place}/check")
    page = browser.press("Check", address="192.0.2.9")
    assert (
        "CI jobs Allowed: one of its Allow lists has the address Head office 192.0.2.0/24"
        in page.text
    )
    page = browser.open(f"{place}/audit")
    assert "Link API keys Head office" in page.text
    assert "There is no such event" in browser.press("Search", since="2999-01-01").text
    assert (
        "Link API keys Head office"
        in browser.press("Search", since="2020-01-01", until="2999-01-01").text
    )
    page = browser.press("Search", since="soon", until="")
    assert "soon is not a day" in page.text
