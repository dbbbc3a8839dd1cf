"""The source document from top to bottom in a real browser, in its words; each step decides."""

from collections.abc import Iterator

import pytest
from ipgate.v1 import authorize_pb2 as authorize
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.harness.chromium import Person, chromium
from tests.harness.servers import Client

LINKED = authorize.REASON_LINKED_LIST_MATCH
NOT_LINKED = authorize.REASON_NOT_IN_LINKED_LISTS
DEFAULT = authorize.REASON_DEFAULT_LIST_MATCH
NOT_DEFAULT = authorize.REASON_NOT_IN_DEFAULT_LIST
UNRESTRICTED = authorize.REASON_UNRESTRICTED


@pytest.fixture(scope="module", params=[True, False], ids=["scripts", "no scripts"])
def person(request: pytest.FixtureRequest, address: str) -> Iterator[Person]:
    with chromium(address, scripts=request.param) as opened:
        yield opened


@pytest.fixture
def admin_token(client: Client, workspace: str) -> str:
    """Of a Workspace Admin."""
    return str(client.access_token("WORKSPACE_ADMIN", workspace).token)


def create_key(person: Person, name: str) -> str:
    """Creates an API key; its credential."""
    person.click("+ New API key")
    person.see("Create a new API key")
    person.fill("Name", name)
    person.click("Save")
    person.see("This is the only time that it is shown")
    credential = person.driver.find_element(By.ID, "credential").text
    person.click("I have copied it")
    person.see("+ New API key")
    assert credential not in person.driver.page_source
    return credential


def create_list(person: Person, name: str, description: str, ranges: str) -> None:
    person.click("+ New IP Allow list")
    person.see("Create a new IP Allow list")
    person.fill("List name", name)
    person.fill("Description", description)
    person.fill("IP addresses or range", ranges)
    person.click("Save")


def link(person: Person, allow_list: str, *keys: str) -> None:
    """Selects an Allow list to reveal its linked API keys, and links some."""
    person.click(allow_list)
    person.see("Linked API keys")
    person.click("+ Link API key")
    person.see("Select the API keys to link")
    for key in keys:
        person.tick(key)
    person.click("Link")
    person.see("Usable only from the addresses of this list then")
    person.click("Yes, do it")
    person.see("Linked. In force on 1 of 1 worker")


def test_the_source_document(person: Person, client: Client, admin_token: str) -> None:
    def decided(key: str, address: str) -> int:
        return int(client.ask(address, key=key).reason)

    # Access the API Keys page.
    person.log_in(admin_token)
    person.click("Settings")
    person.see("Workspace settings")
    person.click("API Keys")
    person.see("There is no API key yet.")
    office, batch, spare = (create_key(person, name) for name in ("Office app", "Batch", "Spare"))
    assert decided(office, "8.8.8.8") == UNRESTRICTED
    person.click("IP Allow lists")
    person.see("There is no IP Allow list yet.")

    # Create an IP Allow list.
    create_list(person, "Office", "Head office egress", "2001:db8::1")
    person.see("IPv6")
    assert "Created" not in person.text()
    person.fill("IP addresses or range", "198.51.100.73\n198.51.100.73/24")
    person.click("Save")
    person.see("line 2 198.51.100.73/24")
    person.see("1 line cannot be used; nothing was saved")
    person.fill("IP addresses or range", "198.51.100.73")
    person.click("Save")
    person.see("Created “Office”. In force on 1 of 1 worker")
    create_list(person, "Data centre", "Batch jobs", "198.51.100.0/24")
    person.see("Created “Data centre”.")

    # Link an API key to an IP Allow list.
    link(person, "Office", "Office app")
    assert decided(office, "198.51.100.73") == LINKED
    assert decided(office, "198.51.100.74") == NOT_LINKED
    assert decided(batch, "8.8.8.8") == UNRESTRICTED
    link(person, "Data centre", "Batch")
    for address in ("198.51.100.0", "198.51.100.255"):
        assert decided(batch, address) == LINKED
    for address in ("198.51.99.255", "198.51.101.0"):
        assert decided(batch, address) == NOT_LINKED
    link(person, "Data centre", "Office app")
    assert decided(office, "198.51.100.74") == LINKED  # in any of its lists
    assert decided(office, "203.0.113.9") == NOT_LINKED
    assert decided(spare, "203.0.113.9") == UNRESTRICTED

    # Configure a default IP Allow list.
    person.click("Manage default Allow list")
    person.tick("Set a default Allow list")
    person.choose("Allow list to set as the default", "Data centre")
    person.click("Save")
    person.see("API keys without an Allow list can be used only from the addresses of the default")
    person.click("Yes, do it")
    person.see("Saved. In force on 1 of 1 worker")
    assert decided(spare, "198.51.100.9") == DEFAULT
    assert decided(spare, "203.0.113.9") == NOT_DEFAULT
    assert decided(office, "203.0.113.9") == NOT_LINKED
    person.click("Log out")
    person.see("You have logged out.")


def test_beyond_the_source_document(person: Person, client: Client, admin_token: str) -> None:
    """An address is checked, a change is undone, and after logging out going back shows nothing."""
    person.log_in(admin_token)
    person.click("IP Allow lists")
    create_list(person, "Office", "Head office", "192.0.2.0/24 # Oslo")
    person.see("Created “Office”.")
    person.click("API keys")
    credential = create_key(person, "CI")
    person.click("IP Allow lists")
    link(person, "Office", "CI")
    person.click("Check an address")
    person.fill("IP address", "192.0.2.9")
    person.click("Check")
    person.see("CI Allowed: one of its Allow lists has the address Office 192.0.2.0/24")
    person.click("API Keys")
    person.click("IP Allow lists")
    person.click("Office")
    person.see("Oslo")
    person.driver.find_elements(By.LINK_TEXT, "Edit")[-1].click()
    person.see("Edit Office")
    person.fill("IP addresses or range", "192.0.2.1")
    person.click("Save")
    person.see("1 address or range is removed: 192.0.2.0/24.")
    person.click("Yes, do it")
    person.see("Saved.")
    assert not client.ask("192.0.2.9", key=credential).allowed
    person.click("Undo the last change")
    person.see("Undo the last change of “Office”")
    person.click("Yes, do it")
    person.see("Undone.")
    assert client.ask("192.0.2.9", key=credential).allowed
    person.click("Log out")
    person.see("You have logged out.")
    person.driver.back()
    person.see("Access token")
    assert "Oslo" not in person.driver.page_source


def test_the_keyboard_is_enough(person: Person, client: Client, admin_token: str) -> None:
    """Every step of creating a list is reached by Tab, and the focus is always seen."""

    def go_to(name: str) -> None:
        for _ in range(60):
            if person.focused().startswith(name):
                break
            person.press(Keys.TAB)
        assert person.focused().startswith(name), person.text()
        outline = person.run("return getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"

    person.open("/login")
    person.see("Access token")
    assert person.focused().startswith("Access token")
    person.press(admin_token, Keys.ENTER)
    person.see("Log out")
    go_to("IP Allow lists")
    person.press(Keys.ENTER)
    person.see("There is no IP Allow list yet.")
    go_to("+ New IP Allow list")
    person.press(Keys.ENTER)
    person.see("Create a new IP Allow list")
    for label, value in (
        ("List name", "Office"),
        ("Description", "Head office"),
        ("IP addresses or range", "192.0.2.1"),
    ):
        go_to(label)
        person.press(value)
    go_to("Save")
    person.press(Keys.ENTER)
    person.see("Created “Office”.")
    person.click("Log out")


def test_scripts_are_on_or_off(person: Person, request: pytest.FixtureRequest) -> None:
    """What the tests above rely on."""
    has_scripts = "no scripts" not in request.node.name
    person.driver.get("data:text/html,<title>off</title><script>document.title='on'</script>")
    assert person.driver.title == ("on" if has_scripts else "off")
