"""IP Allow lists in the console: undo, many API keys at a time, large lists, the default."""

from ipgate.v1 import admin_pb2 as admin

from tests.harness.console import Browser, Page
from tests.harness.servers import Client


def ranges_of(client: Client, name: str) -> list[tuple[str, str]]:
    request = admin.ListRangesRequest(allow_list=name, page_size=1000)
    return [(range_.cidr, range_.note) for range_ in client.call("ListRanges", request).ranges]


def undo(browser: Browser, path: str) -> Page:
    browser.open(path)
    page = browser.press("Undo the last change")
    assert "Undo the last change of" in page.text
    return browser.press("Yes, do it")


def test_the_last_change_of_a_list_is_undone(
    browser: Browser, client: Client, place: str, workspace: str
) -> None:
    """Whatever it was: ranges added, removed or changed, names, links; and an undo is undone as any change."""
    name = client.allow_list(workspace, "office", [{"cidr": "192.0.2.1", "note": "one"}]).name
    path = f"{place}/lists/office"
    assert "Undo the last change" not in browser.open(path).text
    original = ranges_of(client, name)
    add = admin.AddRangesRequest(allow_list=name, ranges=[{"cidr": "192.0.2.9", "note": "nine"}])
    client.call("AddRanges", add)
    added = ranges_of(client, name)
    assert "Undone. In force on" in undo(browser, path).text
    assert ranges_of(client, name) == original
    undo(browser, path)
    assert ranges_of(client, name) == added
    browser.open(f"{path}/edit")
    browser.press("Save", name="Renamed", ranges="192.0.2.1 # two\n192.0.2.7")
    browser.press("Yes, do it")
    assert ranges_of(client, name) == [("192.0.2.1", "two"), ("192.0.2.7", "")]
    undo(browser, path)
    assert ranges_of(client, name) == added
    assert (
        client.call("GetAllowList", admin.GetAllowListRequest(name=name)).display_name == "office"
    )
    key = client.key(workspace, "ci").api_key.name
    client.link(name, key)
    browser.open(path)
    page = browser.press("Undo the last change")
    assert "Undo the last change of “office”, Link API keys by root" in page.text
    assert "1 API key can be used from every address then: ci." in page.text
    browser.press("Yes, do it")
    assert not client.call("GetApiKey", admin.GetApiKeyRequest(name=key)).allow_lists
    undo(browser, path)
    assert client.call("GetApiKey", admin.GetApiKeyRequest(name=key)).allow_lists == [name]


def test_only_the_change_that_was_seen_is_undone(
    browser: Browser, client: Client, place: str, workspace: str
) -> None:
    """Not one that came after the page was opened, or after the question; and not one that the log has in part."""
    name = client.allow_list(workspace, "office", ["192.0.2.1"]).name
    add = admin.AddRangesRequest(allow_list=name, ranges=[{"cidr": "192.0.2.2"}])
    client.call("AddRanges", add)
    browser.open(f"{place}/lists/office")
    browser.press("Undo the last change")
    add.ranges[0].cidr = "192.0.2.3"
    client.call("AddRanges", add)
    page = browser.press("Yes, do it")
    assert page.status == 409
    assert "It was changed once more since you opened this page" in page.text
    assert len(ranges_of(client, name)) == 3
    many = [{"cidr": f"10.0.{number >> 8}.{number & 255}"} for number in range(300)]
    client.call("AddRanges", admin.AddRangesRequest(allow_list=name, ranges=many))
    page = browser.open(f"{place}/lists/office")
    assert "Last change Add ranges by root" in page.text
    assert "Undo the last change" not in page.text


def test_many_keys_are_linked_and_unlinked_by_their_ids(
    browser: Browser, client: Client, place: str, workspace: str
) -> None:
    """In one change; a key that does not exist is named, and nothing is changed."""
    client.allow_list(workspace, "office", ["192.0.2.1"], display_name="Head office")
    for number in range(60):
        client.key(workspace, f"k{number:02}")
    ids = "\n".join(f"k{number:02}" for number in range(60))
    browser.open(f"{place}/lists/office")
    page = browser.press("Link them", ids=f"{ids}\nnobody")
    assert "nobody" in page.text
    assert "Linked API keys 0" in page.text
    assert "k59" in page.html
    browser.press("Link them", ids=ids)
    page = browser.press("Yes, do it")
    assert "Linked. In force on" in page.text
    assert "Linked API keys 60" in page.text
    browser.click("More API keys")
    page = browser.press("Unlink them", ids=ids)
    assert "60 API keys can be used from every address then: k00," in page.text
    page = browser.press("Yes, do it")
    assert "Linked API keys 0" in page.text


def test_a_list_of_many_ranges_with_notes(
    browser: Browser, client: Client, place: str, workspace: str
) -> None:
    """100,000 ranges, more than fit into one message, are uploaded, searched, paged, downloaded, and not edited as a
    text."""
    name = client.allow_list(workspace, "many", ["192.0.2.1"]).name
    lines = [
        f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}  # office number {number}, on the ground floor"
        for number in range(100_000)
    ]
    data = "\n".join(lines).encode()
    fields = {"name": "many", "description": "for a test"}
    browser.open(f"{place}/lists/new")
    page = browser.upload("Save", "many.txt", data, fields | {"ranges": ""})
    assert "are too many for one step" in page.text
    browser.open(f"{place}/lists/many/edit")
    page = browser.upload("Save", "many.txt", data, fields | {"ranges": "", "name": "More"})
    assert "too many to change them together with the name" in page.text
    page = browser.upload("Save", "many.txt", data, fields | {"ranges": ""})
    assert "100,000 addresses and ranges are added" in page.text
    page = browser.press("Yes, do it")
    assert "Saved. In force on" in page.text
    assert "IP addresses or ranges 100,000" in page.text
    assert len(page.html) < 150_000
    page = browser.press("Find", find="10.1.2.3")
    assert "10.1.2.3 office number 66051, on the ground floor" in page.text
    page = browser.press("Find", find="NUMBER 9999,")
    assert "10.0.39.15" in page.text
    page = browser.press("Find", find="no such")
    assert "No range of this list" in page.text
    browser.open(f"{place}/lists/many")
    page = browser.click("More ranges")
    assert "10.0.0.200" in page.text
    page = browser.open(f"{place}/lists/many/download")
    assert page.html == "".join(f"{line}\n" for line in lines)
    browser.open(f"{place}/lists/many/edit")
    page = browser.press("Save", description="of all offices", ranges="")
    assert "of all offices" in page.text
    assert client.call("GetAllowList", admin.GetAllowListRequest(name=name)).range_count == 100_000


def test_the_address_of_the_browser_is_added_and_named(browser: Browser, place: str) -> None:
    """With what it is: that of this machine, or of a proxy."""
    page = browser.open(f"{place}/lists/new")
    assert "The console sees you at 127.0.0.1 : that of this machine itself" in page.text
    page = browser.press("Add my address", name="Office", ranges="192.0.2.1")
    assert "192.0.2.1\n127.0.0.1\n" in page.html
    assert 'value="Office"' in page.html
    browser.headers["X-Forwarded-For"] = "192.0.2.7"
    page = browser.open(f"{place}/check")
    assert "that of a proxy in front of the console: yours is another one" in page.text
    page = browser.press("Check my address")
    assert "127.0.0.1 as of" in page.text


def test_a_list_is_made_the_default_from_its_panel(
    browser: Browser, client: Client, place: str, workspace: str
) -> None:
    """And a form that somebody else's choice came before does not replace it unseen."""
    office = client.allow_list(workspace, "o", ["192.0.2.1"], display_name="Head office").name
    plant = client.allow_list(workspace, "p", ["192.0.2.2"], display_name="Plant").name
    browser.open(f"{place}/lists/o")
    browser.click("Set as the default")
    client.default(workspace, plant)
    page = browser.press("Save")
    assert page.status == 409
    assert "Somebody else has changed it since you opened it" in page.text
    assert "Theirs Default Allow list Plant" in page.text
    browser.open(f"{place}/lists/o")
    browser.click("Set as the default")
    page = browser.press("Save")
    assert "Set “Head office” as the default Allow list?" in page.text
    page = browser.press("Yes, do it")
    assert "The default Allow list is Head office : it applies" in page.text
    stored = client.call("GetWorkspace", admin.GetWorkspaceRequest(name=workspace))
    assert stored.default_allow_list.allow_list == office


def test_what_was_selected_stays_while_more_is_searched_for(
    browser: Browser, client: Client, place: str, workspace: str
) -> None:
    """API keys to link to a list, and the lists of a key; and an address that takes forms leads to its page."""
    client.allow_list(workspace, "office", ["192.0.2.1"], display_name="Office")
    client.allow_list(workspace, "plant", ["192.0.2.2"], display_name="Plant")
    first, second = (client.key(workspace, key).api_key.name for key in ("ada", "bob"))
    browser.open(f"{place}/lists/office")
    browser.click("+ Link API key")
    page = browser.press("Search", key="b", api_key=first)
    assert ("api_key", first) in next(form for form in page.forms if "Link" in form.buttons).fields
    assert "bob" in page.text
    page = browser.press("Link", api_key=[])
    assert "Select an API key first." in page.text
    browser.press("Link", api_key=[first, second])
    page = browser.press("Yes, do it")
    assert "Linked API keys 2" in page.text
    assert browser.open(f"{place}/lists/office/link").url == f"{place}/lists/office"
    browser.open(f"{place}/keys/ada/lists")
    plant = f"{workspace}/allowLists/plant"
    page = browser.press("Search", list="o", allow_list=[plant])
    assert "Plant" in page.text
    browser.press("Save")
    browser.press("Yes, do it")
    key = client.call("GetApiKey", admin.GetApiKeyRequest(name=first))
    assert list(key.allow_lists) == [plant]


def test_an_address_is_checked_on_what_is_not_saved(
    browser: Browser, client: Client, place: str, workspace: str
) -> None:
    """From the form of a list: what was entered there is the draft."""
    name = client.allow_list(workspace, "office", ["192.0.2.1"]).name
    revision = client.link(name, client.key(workspace, "ci").api_key.name)
    client.call("WaitForRevision", admin.WaitForRevisionRequest(revision=revision))
    browser.open(f"{place}/lists/office/edit")
    page = browser.press("Check an address on it", ranges="192.0.2.9")
    assert "What if a list had other ranges?" in page.text
    page = browser.press("Check", address="192.0.2.9")
    assert "Allowed: one of its Allow lists has the address office 192.0.2.9" in page.text
    assert "Denied: none of its Allow lists has the address" in page.text
    assert ranges_of(client, name) == [("192.0.2.1", "")]


def test_long_texts_are_rejected_beside_their_fields(browser: Browser, place: str) -> None:
    """And nothing that was entered is lost."""
    text = "<b>" + "x" * 2000
    browser.open(f"{place}/lists/new")
    fields = {"name": text, "description": text, "ranges": f"192.0.2.1 # {text}"}
    page = browser.press("Save", **fields)
    assert page.status == 400
    assert "… has 2003 characters; use at most 200" in page.text
    page = browser.press("Save", **fields | {"ranges": "192.0.2.1"})
    assert page.status == 400
    for field in ("name", "description"):
        assert f'id="problem-{field}"' in page.html
    assert page.html.count("&lt;b&gt;" + "x" * 2000) == 2
    browser.open(f"{place}/keys/new")
    page = browser.press("Save", name=text, id=text, expires=text)
    assert page.status == 400
    assert "<b>x" not in page.html
    page = browser.open(f"{place}/keys?q={'x' * 2000}")
    assert page.status == 200
