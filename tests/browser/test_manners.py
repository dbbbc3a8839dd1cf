"""Every page for everybody: with a screen reader, on small and large screens, in the light and the dark."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ipgate.v1 import admin_pb2 as admin

from tests.harness import npm
from tests.harness.chromium import Person, chromium
from tests.harness.servers import ROOT_TOKEN, Client

WIDTHS = (320, 1280, 3840)

PAGES = {
    "workspaces": "/workspaces",
    "all access tokens": "/tokens",
    "settings": "{place}/settings",
    "no API key": "{empty}/keys",
    "API keys": "{place}/keys",
    "a new API key": "{place}/keys/new",
    "an API key": "{place}/keys/ci",
    "an edited API key": "{place}/keys/ci/edit",
    "a new credential": "{place}/keys/ci/rotate",
    "the lists of an API key": "{place}/keys/ci/lists",
    "no list": "{empty}/lists",
    "lists": "{place}/lists",
    "a new list": "{place}/lists/new",
    "a list": "{place}/lists/office",
    "an edited list": "{place}/lists/office/edit",
    "API keys to link": "{place}/lists/office?link=1",
    "a range": "{place}/lists/office/range?range=192.0.2.0/24",
    "the default list": "{place}/default",
    "a check": "{place}/check?address=192.0.2.1",
    "the audit log": "{place}/audit",
    "a wrong filter": "{place}/audit?since=soon",
    "access tokens": "{place}/tokens",
    "a new access token": "{place}/tokens/new",
    "what does not exist": "{place}/keys/nobody",
}


@pytest.fixture(scope="module")
def axe() -> str:
    """The script that judges a page."""
    installed = npm.install(Path(__file__).parent / "npm")
    return (installed / "axe-core" / "axe.min.js").read_text()


@pytest.fixture(scope="module")
def person(address: str) -> Iterator[Person]:
    with chromium(address) as opened:
        opened.open("/login")
        opened.see("Access token")
        yield opened


@pytest.fixture
def places(client: Client) -> dict[str, str]:
    """The addresses of a workspace with some of everything in it, and of an empty one."""
    workspace, empty = client.workspace(), client.workspace()
    ranges: list[str | dict[str, Any]] = [
        {"cidr": "192.0.2.0/24", "note": "Oslo"},
        {"cidr": "198.51.100.73", "disabled": True},
        *(f"203.0.113.{number}" for number in range(20)),
    ]
    office = client.allow_list(workspace, "office", ranges, display_name="Office " + "x" * 60).name
    client.link(
        office,
        client.key(workspace, "ci", display_name="A rather long name, " * 5 + "CI").api_key.name,
    )
    client.key(workspace, "off", disabled=True)
    client.default(workspace, office)
    client.access_token("AUTHORIZER", workspace)
    add = admin.AddRangesRequest(allow_list=office, ranges=[{"cidr": "192.0.2.9"}])
    revision = client.call("AddRanges", add).revision
    client.call("WaitForRevision", admin.WaitForRevisionRequest(revision=revision))
    return {
        "place": f"/w/{workspace.rpartition('/')[2]}",
        "empty": f"/w/{empty.rpartition('/')[2]}",
    }


def problems(person: Person, axe: str) -> list[str]:
    """What axe finds that is serious."""
    person.run(axe)
    found = person.driver.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run({resultTypes: ['violations']}).then((result) => done(result.violations));"
    )
    return [
        f"{rule['id']}: {rule['nodes'][0]['html'][:300]}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]


def judge(person: Person, axe: str, name: str) -> list[str]:
    """All that is wrong with the page that is open, in both themes and all widths."""
    wrong = []
    for dark in (False, True):
        person.resize(1280, dark=dark)
        theme = "dark" if dark else "light"
        wrong += [f"{name}, {theme}: {problem}" for problem in problems(person, axe)]
    for width in WIDTHS:
        person.resize(width)
        needed = person.run("return document.documentElement.scrollWidth")
        if needed > width:
            wrong.append(f"{name}, {width} px: {needed} px wide")
    return wrong


def test_no_page_has_serious_faults(person: Person, axe: str, places: dict[str, str]) -> None:
    """By axe-core, in both themes; and none is wider than its window."""
    wrong = judge(person, axe, "log in")
    person.log_in(ROOT_TOKEN)
    for name, path in PAGES.items():
        person.open(path.format(**places))
        person.see("Log out")
        wrong += judge(person, axe, name)
    assert not wrong, "\n".join(wrong)


def test_no_answer_has_serious_faults(person: Person, axe: str, places: dict[str, str]) -> None:
    """The pages that forms lead to: faults next to their fields, questions, secrets."""
    place = places["place"]
    person.log_in(ROOT_TOKEN)
    person.open(f"{place}/lists/new")
    person.fill("List name", "Plant")
    person.fill("Description", "Plant")
    person.fill("IP addresses or range", "192.0.2.1/24\nnonsense")
    person.click("Save")
    person.see("2 lines cannot be used")
    wrong = judge(person, axe, "bad lines")
    person.open(f"{place}/lists/office")
    person.click("Delete")
    person.see("Yes, do it")
    wrong += judge(person, axe, "a question")
    person.open(f"{place}/keys/new")
    person.fill("Name", "New")
    person.click("Save")
    person.see("This is the only time that it is shown")
    wrong += judge(person, axe, "a credential")
    assert not wrong, "\n".join(wrong)


def test_faults_are_named_by_their_fields(person: Person, places: dict[str, str]) -> None:
    """A screen reader says what is wrong with a field when it comes to it, and is brought to the first one."""
    person.log_in(ROOT_TOKEN)
    person.open(f"{places['place']}/keys/new")
    person.fill("Expires on", "soon")
    person.click("Save")
    person.see("soon is not a day")
    field = person.field("Expires on")
    assert field.get_attribute("aria-invalid") == "true"
    described = str(field.get_attribute("aria-describedby")).split()
    texts = [
        person.run("return document.getElementById(arguments[0]).innerText", name)
        for name in described
    ]
    assert any("soon is not a day" in text for text in texts)
    assert person.focused().startswith("Expires on")


def test_a_search_answers_while_one_types(person: Person, places: dict[str, str]) -> None:
    """Without losing the place in the field, and without a page in the history for each letter."""
    person.log_in(ROOT_TOKEN)
    person.open(f"{places['place']}/keys")
    before = person.run("return history.length")
    field = person.field("Name or id begins with")
    field.send_keys("of")
    person.until(lambda: "A rather long name" not in person.text(), "all keys are shown")
    person.press("f")
    person.until(lambda: person.driver.current_url.endswith("q=off&state="), "the address")
    assert person.field("Name or id begins with").get_attribute("value") == "off"
    assert person.focused() == "Name or id begins with"
    assert person.run("return history.length") == before


def test_what_was_entered_stays_when_the_console_cannot_be_reached(
    person: Person, places: dict[str, str]
) -> None:
    """The page says so, instead of the browser's own."""
    person.log_in(ROOT_TOKEN)
    person.open(f"{places['place']}/lists/new")
    person.fill("List name", "Plant")
    person.fill("Description", "Plant")
    person.fill("IP addresses or range", "192.0.2.1")
    person.driver.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    person.driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    person.click("Save")
    person.see("The console cannot be reached. What you entered is still here.")
    assert person.field("List name").get_attribute("value") == "Plant"
    online = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    person.driver.execute_cdp_cmd("Network.emulateNetworkConditions", online)
    person.click("Save")
    person.see("Created “Plant”.")


def test_a_click_twice_is_one_change(
    person: Person, client: Client, places: dict[str, str]
) -> None:
    """A form that is in flight is not sent again."""
    person.log_in(ROOT_TOKEN)
    person.open(f"{places['empty']}/keys/new")
    person.run(
        "const button = [...document.querySelectorAll('button')].find((one) => one.textContent === 'Save');"
        "button.click(); button.click();"
    )
    person.see("This is the only time that it is shown")
    parent = places["empty"].replace("/w/", "workspaces/")
    assert len(client.call("ListApiKeys", admin.ListApiKeysRequest(parent=parent)).api_keys) == 1
