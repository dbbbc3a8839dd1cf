"""The console, used as by somebody without scripts in the browser; the decisions are asked over gRPC."""

import secrets

import pytest
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.console import Browser
from tests.harness.servers import Client, RpcFailed


def credential_of(browser: Browser) -> str:
    """The credential that the page shows."""
    assert browser.page is not None
    (credential,) = [word for word in browser.page.text.split() if word.startswith("ipg_")]
    return credential


def test_the_whole_of_the_source_document(browser: Browser, client: Client, place: str) -> None:
    """A list is created, API keys are linked to it, and a default is set, in the words of the document; each
    step decides."""
    browser.open(f"{place}/keys")
    browser.click("+ New API key")
    browser.press("Save", name="CI jobs", id="ci")
    credential = credential_of(browser)
    browser.click("I have copied it")
    browser.click("+ New API key")
    browser.press("Save", name="Other", id="other")
    browser.click("I have copied it")
    browser.click("IP Allow lists")
    page = browser.click("+ New IP Allow list")
    assert "Create a new IP Allow list" in page.text
    for label in ("List name", "Description", "IP addresses or range"):
        assert label in page.text
    page = browser.press(
        "Save",
        name="Office",
        description="Head office",
        ranges="198.51.100.73\n203.0.113.0/24 # Oslo",
    )
    assert "Created “Office”. In force on 1 of 1 worker" in page.text
    page = browser.click("Office")
    assert "No API key is linked" in page.text
    browser.click("+ Link API key")
    key = f"{place.replace('/w/', 'workspaces/')}/apiKeys/ci"
    page = browser.press("Link", api_key=key)
    assert "Usable only from the addresses of this list then" in page.text
    page = browser.press("Yes, do it")
    assert "Linked. In force on" in page.text
    assert client.ask("198.51.100.73", key=credential).allowed
    assert client.ask("203.0.113.9", key=credential).range == "203.0.113.0/24"
    assert not client.ask("198.51.100.74", key=credential).allowed
    assert client.ask("8.8.8.8", api_key=key.replace("/ci", "/other")).allowed
    browser.click("IP Allow lists")
    page = browser.click("Manage default Allow list")
    assert "Set a default Allow list" in page.text
    (choice,) = [
        name
        for name in page.html.split('"')
        if name.startswith("workspaces/") and "/allowLists/" in name
    ]
    page = browser.press("Save", enabled="1", allow_list=choice)
    assert "API keys without an Allow list can be used only from" in page.text
    page = browser.press("Yes, do it")
    assert "The default Allow list is" in page.text
    answer = client.ask("8.8.8.8", api_key=key.replace("/ci", "/other"))
    assert answer.reason == authorize.REASON_NOT_IN_DEFAULT_LIST


def test_bad_lines_are_shown_and_nothing_is_lost(browser: Browser, place: str) -> None:
    """Each beside its number, with a remedy; what was entered stays in the form."""
    browser.open(f"{place}/lists/new")
    text = "198.51.100.73\n10.0.0.1/8\n\nnonsense # what"
    page = browser.press("Save", name="Office", description="d", ranges=text)
    assert page.status == 400
    assert "line 2 10.0.0.1/8 '10.0.0.1/8' has host bits set" in page.text
    assert "line 4 nonsense" in page.text
    assert "2 lines cannot be used; nothing was saved" in page.text
    assert "nonsense # what" in page.html
    page = browser.press("Save", name="Office", description="d", ranges="198.51.100.73")
    assert "Created “Office”." in page.text


def test_a_change_that_opens_a_key_is_asked_about(
    browser: Browser, client: Client, place: str
) -> None:
    """With the number and the names; without consent nothing changes."""
    workspace = place.replace("/w/", "workspaces/")
    name = client.allow_list(workspace, "office", ["192.0.2.1"]).name
    key = client.key(workspace, "ci").api_key.name
    revision = client.link(name, key)
    client.call("WaitForRevision", admin.WaitForRevisionRequest(revision=revision))
    browser.open(f"{place}/lists/office")
    page = browser.press("Unlink the selected ones", api_key=key)
    assert "Unlink this API key from “office”?" in page.text
    assert "1 API key can be used from every address then: ci" in page.text
    assert not client.ask("8.8.8.8", api_key=key).allowed
    browser.click("No, change nothing")
    assert not client.ask("8.8.8.8", api_key=key).allowed
    page = browser.press("Delete")
    assert (
        "Delete the IP Allow list “office”? The list is in use (1 linked API key): ci." in page.text
    )
    assert "1 API key can be used from every address then: ci." in page.text
    assert not client.ask("8.8.8.8", api_key=key).allowed
    page = browser.press("Yes, do it")
    assert "Deleted “office”. In force" in page.text
    assert client.ask("8.8.8.8", api_key=key).allowed


def test_a_key_has_an_expiry_a_rotation_and_an_end(
    browser: Browser, client: Client, place: str
) -> None:
    """The day of the expiry is excluded; a new credential is shown once, beside the previous one."""
    browser.open(f"{place}/keys/new")
    browser.press("Save", name="CI", id="ci", expires="2999-01-31")
    first = credential_of(browser)
    browser.click("I have copied it")
    page = browser.click("CI")
    assert "Expires 2999-01-31 (that day is excluded)" in page.text
    browser.click("New credential")
    browser.press("Create the new credential")
    second = credential_of(browser)
    assert client.ask("8.8.8.8", key=first).allowed
    assert client.ask("8.8.8.8", key=second).allowed
    page = browser.open(f"{place}/keys/ci")
    assert second not in page.html
    browser.press("End the previous credential")
    browser.press("Yes, do it")
    assert not client.ask("8.8.8.8", key=first).allowed
    browser.click("Edit")
    page = browser.press("Save", expires="soon")
    assert "soon is not a day; write it as in 2027-01-31" in page.text
    page = browser.press("Save", name="CI", expires="2001-01-31", disabled="1")
    assert "Disabled: no → yes. Expires on: 2999-01-31 → 2001-01-31." in page.text
    browser.press("Yes, do it")
    page = browser.open(f"{place}/keys?state=disabled")
    assert "CI from everywhere: no list covers it Disabled 2001-01-31" in page.text
    browser.open(f"{place}/keys/ci")
    browser.press("Delete")
    page = browser.press("Yes, do it")
    assert "There is no API key yet" in page.text


def test_a_range_keeps_its_dates_when_the_text_is_edited(
    browser: Browser, client: Client, place: str
) -> None:
    """The text has ranges and notes; what it does not show stays."""
    workspace = place.replace("/w/", "workspaces/")
    client.allow_list(workspace, "office", ["192.0.2.1", "192.0.2.2"])
    browser.open(f"{place}/lists/office")
    browser.click("Edit")
    browser.press("Save", note="Ada", expires="2999-01-31")
    page = browser.open(f"{place}/lists/office/edit")
    assert "192.0.2.1 # Ada" in page.text
    page = browser.press("Save", ranges="192.0.2.1 # Ada and Bob\n192.0.2.3\n")
    assert "1 address or range is added: 192.0.2.3." in page.text
    assert "1 address or range is removed: 192.0.2.2." in page.text
    browser.press("Yes, do it")
    page = browser.open(f"{place}/lists/office")
    assert "192.0.2.1 Ada and Bob Until 2999-01-31" in page.text
    assert "192.0.2.2" not in page.text


def test_a_file_is_uploaded_with_its_notes(browser: Browser, client: Client, place: str) -> None:
    """In the formats that the commands read; it comes after the text, also when the change was asked about."""
    browser.open(f"{place}/lists/new")
    data = b"name,address\r\nOslo,192.0.2.0/24\r\nBerlin,10.0.0.0/7\r\n"
    fields = {"name": "Sites", "description": "d", "ranges": "192.0.2.1 # one",
              "column": "address", "note_column": "name"}  # fmt: skip
    page = browser.upload("Save", "sites.csv", data.replace(b"/24", b"/33"), fields)
    assert "sites.csv, line 2 192.0.2.0/33" in page.text
    page = browser.upload("Save", "sites.csv", data, fields)
    assert "Create the IP Allow list “Sites”? The ranges cover 33,554," in page.text
    page = browser.press("Back to the form")
    assert "192.0.2.0/24 # Oslo" in page.text
    browser.press("Save")
    browser.press("Yes, do it")
    parent = place.replace("/w/", "workspaces/")
    (listed,) = client.call(
        "ListAllowLists", admin.ListAllowListsRequest(parent=parent)
    ).allow_lists
    stored = client.call("GetAllowList", admin.GetAllowListRequest(name=listed.name))
    identifier = listed.name.rpartition("/")[2]
    assert [(range_.cidr, range_.note) for range_ in stored.ranges] == [
        ("10.0.0.0/7", "Berlin"),
        ("192.0.2.0/24", "Oslo"),
        ("192.0.2.1", "one"),
    ]
    page = browser.send("GET", f"{place}/lists/{identifier}/download")
    assert page.html == "10.0.0.0/7  # Berlin\n192.0.2.0/24  # Oslo\n192.0.2.1  # one\n"
    assert page.headers["content-disposition"] == f'attachment; filename="{identifier}.txt"'


def test_an_edit_of_what_somebody_else_changed_is_shown_beside_theirs(
    browser: Browser, client: Client, place: str
) -> None:
    """Nothing is replaced unseen; to save again replaces theirs."""
    workspace = place.replace("/w/", "workspaces/")
    key = client.key(workspace, "ci", display_name="CI").api_key.name
    office = client.allow_list(workspace, "office", ["192.0.2.1"]).name
    browser.open(f"{place}/keys/ci/edit")
    rename = admin.UpdateApiKeyRequest(api_key={"name": key, "display_name": "Theirs"})
    client.call("UpdateApiKey", rename)
    page = browser.press("Save", name="Mine")
    assert page.status == 409
    assert "Somebody else has changed it since you opened it" in page.text
    assert "Name Theirs Expires on never" in page.text
    assert 'value="Mine"' in page.html
    assert "Mine Id ci" in browser.press("Save", name="Mine").text
    browser.open(f"{place}/lists/office/edit")
    add = admin.AddRangesRequest(allow_list=office, ranges=[{"cidr": "192.0.2.9", "note": "new"}])
    client.call("AddRanges", add)
    page = browser.press("Save", ranges="192.0.2.2")
    assert page.status == 409
    assert "192.0.2.1 192.0.2.9 # new" in page.text
    browser.open(f"{place}/lists/office/edit")
    browser.press("Save", ranges="192.0.2.2\n192.0.2.9 # new")
    browser.press("Yes, do it")
    stored = client.call("GetAllowList", admin.GetAllowListRequest(name=office))
    assert [range_.cidr for range_ in stored.ranges] == ["192.0.2.2", "192.0.2.9"]


def test_an_address_is_checked_with_a_draft(browser: Browser, client: Client, place: str) -> None:
    """Which list and range has it, what is decided for which key, and what would change."""
    workspace = place.replace("/w/", "workspaces/")
    client.link(
        client.allow_list(workspace, "office", [{"cidr": "192.0.2.0/24", "note": "Oslo"}]).name,
        client.key(workspace, "ci").api_key.name,
    )
    browser.open(f"{place}/check")
    page = browser.press("Check", address="192.0.2.9")
    assert "office 192.0.2.0/24 Oslo" in page.text
    assert "ci Allowed: one of its Allow lists has the address" in page.text
    page = browser.press("Check", address="192.0.2.9", list="office", ranges="192.0.2.1")
    assert "Denied: none of its Allow lists has the address Allowed: one of its" in page.text
    page = browser.press("Check", address="192.0.2", list="", ranges="")
    assert "is not an IP address" in page.text


def test_a_viewer_sees_no_buttons_and_changes_nothing(
    console_address: str, client: Client, workspace: str, place: str
) -> None:
    """Its forged forms are refused by the server; another workspace is as one that does not exist."""
    client.allow_list(workspace, "office", ["192.0.2.1"])
    key = client.key(workspace, "ci").api_key.name
    viewer = Browser(console_address)
    page = viewer.log_in(client.access_token("WORKSPACE_VIEWER", workspace).token)
    assert page.url == f"{place}/keys"
    page = viewer.open(f"{place}/lists/office")
    for button in ("+ New IP Allow list", "+ Link API key", "Delete", "Manage default Allow list"):
        assert button not in page.text
    token = page.forms[0].fields[0][1]
    for path in ("keys/ci/delete", "lists/office/delete", "lists/office/link"):
        body = f"form_token={token}&confirmed=1&api_key={key}"
        page = viewer.send("POST", f"{place}/{path}", body)
        assert page.status == 403
        assert "change nothing" in page.text
    assert client.ask("8.8.8.8", api_key=key).allowed
    other = client.workspace().rpartition("/")[2]
    assert viewer.open(f"/w/{other}/keys").status == 404
    assert viewer.open("/workspaces").url == f"{place}/keys"


def test_an_authorizer_is_told_why_it_cannot_log_in(console_address: str, client: Client) -> None:
    browser = Browser(console_address)
    page = browser.log_in(client.access_token("AUTHORIZER").token)
    assert page.status == 400
    assert "This is the token of a backend" in page.text


def test_a_revoked_token_ends_the_session(
    console_address: str, client: Client, workspace: str
) -> None:
    """At the next page."""
    token = client.access_token("WORKSPACE_ADMIN", workspace)
    browser = Browser(console_address)
    browser.log_in(token.token)
    revoke = admin.RevokeAccessTokenRequest(name=token.access_token.name)
    revision = client.call("RevokeAccessToken", revoke).revision
    client.call("WaitForRevision", admin.WaitForRevisionRequest(revision=revision))
    with pytest.raises(RpcFailed):
        client.as_(token.token).workspace()
    page = browser.open("/")
    assert "Your access token is not valid any more" in page.text


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "a\u202eb",
        "é" * 200,
        "{{ 7**8 }}",
    ],
)
def test_texts_are_shown_as_texts(browser: Browser, client: Client, place: str, text: str) -> None:
    """Markup is not markup, and what hides or reorders text is escaped."""
    workspace = place.replace("/w/", "workspaces/")
    try:
        client.key(workspace, "k", display_name=text)
        client.allow_list(workspace, "l", [{"cidr": "192.0.2.1", "note": text}], display_name=text)
    except RpcFailed as failed:
        assert "invisible" in str(failed)
    for path in ("keys", "keys/k", "keys/k/edit", "lists", "lists/l", "lists/l/edit", "audit"):
        page = browser.open(f"{place}/{path}")
        assert "<script>alert" not in page.html
        assert "<img src=x" not in page.html
        assert "\u202e" not in page.html
        assert "5764801" not in page.text
    browser.open(f"{place}/keys?q={secrets.token_hex(2)}%3Cscript%3Ealert(1)%3C/script%3E")
    assert browser.page is not None
    assert "<script>alert" not in browser.page.html
