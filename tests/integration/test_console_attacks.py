"""What an attack on the console found: each way in is closed (docs/security.md, "The console")."""

import asyncio
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlencode

import pytest
from ipgate.console.sessions import MAX_FAILURES, MAX_OF_A_TOKEN, Person, Sessions
from ipgate.http_deadlines import MIN_BYTES, Waiting
from ipgate.v1 import admin_pb2 as admin
from ipgate_client.async_admin import AsyncAdminClient

from tests.harness.console import Browser, console
from tests.harness.servers import ROOT_TOKEN, Client, Server

FORM = "multipart/form-data; boundary=xyz"


def part(name: str, value: str) -> str:
    return f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'


@pytest.mark.parametrize(
    "kind",
    [f"{FORM}; charset=punycode", f"{FORM}; charset=undefined", "text/plain", "application/json"],
)
def test_no_form_chooses_its_decoder(console_address: str, browser: Browser, kind: str) -> None:
    """A slow one would hold up everybody; anybody can send a form."""
    body = part("form_token", "a-" + "a" * 10_000) + "--xyz--\r\n"
    for path in ("/login", "/workspaces"):
        assert browser.send("POST", path, body, headers={"Content-Type": kind}).status == 415


def test_a_form_that_anybody_may_send_is_small(console_address: str) -> None:
    """To log in: no files, and some kilobytes, whatever length it names."""
    browser = Browser(console_address)
    assert browser.send("POST", "/login", "token=" + "x" * 20_000).status == 413
    assert browser.send("POST", "/login", "--xyz--", headers={"Content-Type": FORM}).status == 415


@contextmanager
def connections(address: str, count: int, data: bytes) -> Iterator[list[socket.socket]]:
    host, _, port = address.rpartition(":")
    opened = [socket.create_connection((host, int(port)), timeout=30) for _ in range(count)]
    try:
        for connection in opened:
            connection.sendall(data)
        yield opened
    finally:
        for connection in opened:
            connection.close()


@pytest.mark.parametrize("data", [b"", b"GET /login HT", b"POST /login HTTP/1.1\r\nHost: a\r\n"])
def test_silent_connections_do_not_keep_others_out(console_address: str, data: bytes) -> None:
    """The oldest are closed for new ones."""
    with connections(console_address, 400, data):
        assert Browser(console_address).open("/login").status == 200


async def test_a_request_has_to_be_complete_in_time() -> None:
    """Or to come on: a connection that does not is closed, and those that have sent nothing go first."""
    closed: list[str] = []

    class Transport(asyncio.Transport):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def abort(self) -> None:
            closed.append(self.name)

    waiting = Waiting(most=3, check_every=0.05)
    moved = dict.fromkeys("abcd", 0)

    def add(name: str) -> Transport:
        transport = Transport(name)
        waiting.add(transport, lambda: moved[name])
        return transport

    add("a")
    moved["a"] += 1  # it has begun, so a silent one goes before it
    add("b")
    third = add("c")
    add("d")
    assert closed == ["b"]
    waiting.remove(third)
    deadline = time.monotonic() + 30
    for _ in range(10):
        moved["d"] += MIN_BYTES
        await asyncio.sleep(0.03)
    while closed != ["b", "a", "d"]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert moved["d"] > MIN_BYTES


def test_consent_does_not_hide_the_other_effects(
    browser: Browser, client: Client, place: str, workspace: str
) -> None:
    """One question has all that happens."""
    required = admin.UpdateWorkspaceRequest(
        workspace={"name": workspace, "require_allow_list": True}
    )
    client.call("UpdateWorkspace", required)
    name = client.allow_list(workspace, "office", ["192.0.2.1"]).name
    client.link(name, client.key(workspace, "ci").api_key.name)
    browser.open(f"{place}/lists/office")
    page = browser.press("Delete")
    assert "The list is in use (1 linked API key): ci." in page.text
    assert "1 API key cannot be used from any address then: ci." in page.text
    browser.open(f"{place}/lists/office/edit")
    page = browser.press("Save", ranges="8.0.0.0/6")
    assert "1 address or range is removed: 192.0.2.1." in page.text
    assert "The ranges cover 67,108,864 IPv4 addresses together" in page.text


def test_a_confirmation_counts_for_what_was_asked_about(
    browser: Browser, client: Client, place: str, workspace: str
) -> None:
    """An effect that came up in between is asked about again; so is a forged consent."""
    name = client.allow_list(workspace, "office", ["192.0.2.1"]).name
    client.link(name, client.key(workspace, "test").api_key.name)
    browser.open(f"{place}/lists/office")
    browser.press("Delete")
    client.link(name, client.key(workspace, "prod").api_key.name)
    page = browser.press("Yes, do it")
    assert "is not what you were asked about any more" in page.text
    assert "2 API keys can be used from every address then: prod, test." in page.text
    assert client.call("GetAllowList", admin.GetAllowListRequest(name=name)).name == name
    (form,) = (form for form in page.forms if "Yes, do it" in form.buttons)
    forged = urlencode([*form.fields, ("confirmed", "1"), ("consent_force", "1")])
    page = browser.send("POST", f"{place}/lists/office/delete", forged)
    assert "is not what you were asked about any more" in page.text
    browser.press("Yes, do it")
    assert "There is no IP Allow list yet" in browser.open(f"{place}/lists").text


def test_a_default_that_only_reports_is_not_called_a_restriction(
    browser: Browser, client: Client, place: str, workspace: str
) -> None:
    """Keys without a list can be used from everywhere then, and the pages say so."""
    client.allow_list(workspace, "office", ["192.0.2.1"])
    client.key(workspace, "ci")
    browser.open(f"{place}/default")
    page = browser.press(
        "Save", enabled="1", report_only="1", allow_list=f"{workspace}/allowLists/office"
    )
    assert "can be used from every address: the default Allow list only reports then" in page.text
    browser.press("Yes, do it")
    for path in ("keys", "keys/ci"):
        page = browser.open(f"{place}/{path}")
        assert "from everywhere: the default Allow list only reports" in page.text


async def test_logging_in_often_does_not_end_the_sessions_of_others() -> None:
    """Only the oldest of the same token."""
    sessions = Sessions(lambda: 0.0)
    other = await sessions.begin(AsyncAdminClient("127.0.0.1:1", "t"), Person("root", "ROOT", ""))
    viewer = Person("v", "WORKSPACE_VIEWER", "w")
    first = await sessions.begin(AsyncAdminClient("127.0.0.1:1", "t"), viewer)
    for _ in range(MAX_OF_A_TOKEN):
        await sessions.begin(AsyncAdminClient("127.0.0.1:1", "t"), viewer)
    assert sessions.get(first) is None
    assert sessions.get(other)
    await sessions.end_all()


def test_guesses_side_by_side_are_limited_too(server: Server) -> None:
    """Each counts before its result is known."""
    with console(server.address) as url, ThreadPoolExecutor(40) as pool:
        statuses = list(pool.map(lambda n: Browser(url).log_in(f"wrong-{n}").status, range(40)))
    assert sorted(statuses) == [400] * MAX_FAILURES + [429] * (40 - MAX_FAILURES)


@pytest.mark.parametrize("path", ["check", "lists/new"])
def test_a_text_of_too_many_lines_is_not_parsed(browser: Browser, place: str, path: str) -> None:
    """Nor are the problems of all its lines worded."""
    page = browser.open(f"{place}/{path}")
    button = "Check" if path == "check" else "Save"
    fields = {"name": "n", "description": "d", "address": "192.0.2.1"}
    browser.press(button, **fields, ranges="x\n" * 200_001)
    assert browser.page
    assert "has more than 200,000 lines" in browser.page.text
    page = browser.press(button, **fields, ranges="x\n" * 5_000)
    assert "5,000 lines cannot be used" in page.text
    assert page.text.count("is not an IP address") < 110


def test_behind_a_proxy_with_tls_the_cookie_is_for_tls_alone(server: Server) -> None:
    """And nothing sends the browser to an address without TLS."""
    options = ("--behind-tls", "--name", "ipgate.example.com")
    with console(server.address, *options) as url:
        browser = Browser(url)
        browser.headers = {"Host": "ipgate.example.com", "Origin": "https://ipgate.example.com"}
        page = browser.open("/login")
        assert "max-age" in page.headers["strict-transport-security"]
        page = browser.send(
            "POST",
            "/login",
            f"form_token={browser.cookies['__Host-ipgate-form']}&token={ROOT_TOKEN}",
            follow=False,
        )
        cookie = page.headers["set-cookie"]
        assert cookie.startswith("__Host-ipgate=")
        assert "Secure" in cookie
        assert browser.send("GET", "/workspaces/", follow=False).status == 404
        browser.headers["Origin"] = "http://ipgate.example.com"
        assert browser.send("POST", "/logout", "form_token=x").status == 403


def test_a_name_of_its_own_keeps_cookies_from_other_ports(console_address: str) -> None:
    browser = Browser(console_address)
    browser.headers["Host"] = f"ipgate.localhost:{console_address.rpartition(':')[2]}"
    assert browser.open("/login").status == 200


def test_a_form_that_is_sent_again_shows_no_secret_again(
    browser: Browser, client: Client, place: str
) -> None:
    """The page of a new credential can be loaded again, and the secret is gone."""
    browser.open(f"{place}/keys/new")
    page = browser.press("Save", name="CI", id="ci")
    assert page.url.startswith("/revealed/")
    assert "ipg_" in page.text
    page = browser.open(page.url)
    assert page.status == 410
    assert "ipg_" not in page.text
    browser.open(f"{place}/keys/ci/rotate")
    page = browser.press("Create the new credential", overlap="0")
    assert "and end the present one immediately?" in page.text
    page = browser.press("Yes, do it")
    assert "ipg_" in page.text


def test_words_that_people_chose_are_apart_from_the_question(
    browser: Browser, client: Client, place: str, workspace: str
) -> None:
    """A name cannot pose as the console's own words; the id is beside it."""
    client.key(workspace, "prod", display_name="x? It is unused. Was: test")
    browser.open(f"{place}/keys/prod")
    page = browser.press("Delete")
    assert "Delete the API key “x? It is unused. Was: test” (prod)?" in page.text
    page = browser.open("/w/%E2%80%AEx/keys")
    assert "\u202e" not in page.text


def test_a_notice_is_shown_on_the_page_that_it_is_about(
    browser: Browser, client: Client, place: str, workspace: str
) -> None:
    client.allow_list(workspace, "office", ["192.0.2.1"])
    browser.open(f"{place}/lists/office/edit")
    assert browser.page
    (form,) = (form for form in browser.page.forms if "Save" in form.buttons)
    body = urlencode([*form.fields, ("description", "changed")])
    browser.send("POST", f"{place}/lists/office/edit", body, follow=False)
    assert "Saved." not in browser.open(f"{place}/keys").text
    assert "Saved." in browser.open(f"{place}/lists/office").text


def test_logging_out_during_other_requests_breaks_none(console_address: str, place: str) -> None:
    """They lead to the login."""
    for _ in range(5):
        browser = Browser(console_address)
        browser.log_in(ROOT_TOKEN)
        assert browser.page
        token = browser.page.forms[0].fields[0][1]
        cookies = dict(browser.cookies)

        def load(number: int, token: str = token, cookies: dict[str, str] = cookies) -> int:
            other = Browser(console_address)
            other.cookies = dict(cookies)
            if number == 10:
                return other.send("POST", "/logout", f"form_token={token}", follow=False).status
            return other.send("GET", f"{place}/keys", follow=False).status

        with ThreadPoolExecutor(20) as pool:
            assert set(pool.map(load, range(30))) <= {200, 303}


def test_a_form_that_is_sent_twice_is_answered_once(
    console_address: str, browser: Browser, client: Client, place: str, workspace: str
) -> None:
    """Both lead to the same new credential, which is seen, and there is one API key."""
    browser.open(f"{place}/keys/new")
    assert browser.page
    (form,) = (form for form in browser.page.forms if "Save" in form.buttons)
    body = urlencode(form.fields)

    def send(_: int) -> str:
        other = Browser(console_address)
        other.cookies = dict(browser.cookies)
        page = other.send("POST", f"{place}/keys/new", body, follow=False)
        return str(page.headers["location"])

    with ThreadPoolExecutor(4) as pool:
        (path,) = set(pool.map(send, range(4)))
    assert "ipg_" in browser.open(path).text
    keys = client.call("ListApiKeys", admin.ListApiKeysRequest(parent=workspace)).api_keys
    assert len(keys) == 1


def test_answers_that_nobody_reads_do_not_keep_others_out(console_address: str) -> None:
    """Connections that ask and take nothing count as waiting."""
    request = b"GET /static/htmx.min.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 100
    with connections(console_address, 320, request):
        deadline = time.monotonic() + 60
        while Browser(console_address).open("/login").status != 200:
            assert time.monotonic() < deadline


def test_looking_at_the_head_of_a_secret_does_not_use_it_up(browser: Browser, place: str) -> None:
    browser.open(f"{place}/keys/new")
    assert browser.page
    (form,) = (form for form in browser.page.forms if "Save" in form.buttons)
    page = browser.send("POST", f"{place}/keys/new", urlencode(form.fields), follow=False)
    path = page.headers["location"]
    browser.send("HEAD", path)
    assert "ipg_" in browser.open(path).text


def test_an_undo_does_not_undo_later_links(
    browser: Browser, client: Client, place: str, workspace: str
) -> None:
    """Of API keys that were changed, or replaced by others of the same name, since."""
    office = client.allow_list(workspace, "office", ["192.0.2.1"]).name
    key = client.key(workspace, "ci").api_key.name
    client.link(office, key)
    for lists in ((), (office,)):
        client.call(
            "SetApiKeyAllowLists",
            admin.SetApiKeyAllowListsRequest(
                api_key=key, allow_lists=lists, allow_unrestricted=True
            ),
        )
    browser.open(f"{place}/lists/office")
    page = browser.press("Undo the last change")
    assert page.status == 409
    assert "The API key “ci” was changed since." in page.text
    unlink = admin.UnlinkApiKeysRequest(allow_list=office, api_keys=[key], allow_unrestricted=True)
    client.call("UnlinkApiKeys", unlink)
    client.call("DeleteApiKey", admin.DeleteApiKeyRequest(name=key))
    browser.open(f"{place}/lists/office")
    page = browser.press("Undo the last change")
    assert "The API key ci was deleted since." in page.text
    client.key(workspace, "ci")
    browser.open(f"{place}/lists/office")
    page = browser.press("Undo the last change")
    assert "The API key “ci” was changed since." in page.text


def test_the_lists_of_a_key_are_not_set_over_those_of_somebody_else(
    browser: Browser, client: Client, place: str, workspace: str
) -> None:
    """Also after a search in between."""
    lists = [client.allow_list(workspace, name, ["192.0.2.1"]).name for name in ("one", "two")]
    key = client.key(workspace, "ci").api_key.name
    client.link(lists[0], key)
    browser.open(f"{place}/keys/ci/lists")
    client.link(lists[1], key)
    browser.press("Search", list="one")
    page = browser.press("Save")
    assert "Somebody else has changed it since you opened it" in page.text
    stored = client.call("GetApiKey", admin.GetApiKeyRequest(name=key))
    assert set(stored.allow_lists) == set(lists)


def test_a_list_that_is_chosen_while_the_switch_is_off_is_asked_about(
    browser: Browser, client: Client, place: str, workspace: str
) -> None:
    office = client.allow_list(workspace, "office", ["192.0.2.1"]).name
    browser.open(f"{place}/default")
    page = browser.press("Save", allow_list=office)
    assert page.status == 400
    assert "It is off: switch it on to set the default." in page.text


def test_a_file_is_not_lost_when_the_own_address_is_added(browser: Browser, place: str) -> None:
    """Its ranges come into the text, and its faults are shown with the choices kept."""
    browser.open(f"{place}/lists/new")
    fields = {"name": "n", "description": "d", "ranges": "", "add_own": "1"}
    page = browser.upload("Save", "a.txt", b"192.0.2.7 # Oslo\n", fields)
    assert "192.0.2.7  # Oslo\n127.0.0.1\n" in page.html
    fields = {"name": "n", "description": "d", "ranges": "", "column": "nowhere"}
    page = browser.upload("Save", "a.csv", b"a,b\n192.0.2.1,x\n", fields)
    assert 'value="nowhere"' in page.html
    assert "It cannot be used; nothing was saved" in page.text
