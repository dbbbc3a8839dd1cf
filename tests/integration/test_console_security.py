"""What the console does against those who attack it, or the browser of somebody who is logged in."""

import re
import ssl
import subprocess
from pathlib import Path

import pytest
import trustme
from ipgate.console.sessions import (
    ABSOLUTE,
    IDLE,
    MAX_FAILURES,
    MAX_SESSIONS,
    Attempts,
    Person,
    Sessions,
)
from ipgate_client.async_admin import AsyncAdminClient

from tests.harness.console import Browser, console
from tests.harness.servers import IPGATE, ROOT_TOKEN, Server


def test_nothing_is_shown_to_who_is_not_logged_in(console_address: str) -> None:
    browser = Browser(console_address)
    for path in ("/", "/workspaces", "/w/a/keys", "/w/a/lists/b", "/w/a/audit"):
        page = browser.open(path)
        assert page.url.startswith("/login")
    assert (
        Browser(console_address)
        .send("POST", "/w/a/keys/b/delete", "confirmed=1")
        .url.startswith("/login")
    )


def test_responses_bind_the_browser(browser: Browser) -> None:
    """No foreign scripts, styles or frames; nothing of a page is kept."""
    page = browser.open("/workspaces")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    for part in ("frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"):
        assert part in policy
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-store"
    assert "unsafe" not in policy
    assert not re.search(r"<[^>]+\s(style|on[a-z]+)=", page.html)
    assert not re.search(r"(src|href)=\"(https?:)?//", page.html)


def test_the_cookie_cannot_be_read_or_sent_elsewhere(console_address: str) -> None:
    browser = Browser(console_address)
    browser.open("/login")
    assert browser.page is not None
    sent = browser.send(
        "POST",
        "/login",
        f"token={ROOT_TOKEN}&form_token={browser.cookies['ipgate-form']}",
        follow=False,
    )
    cookie = next(
        text for text in sent.headers.get_all("set-cookie") or () if text.startswith("ipgate=")
    )
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Domain" not in cookie
    assert ROOT_TOKEN not in str(sent.headers)


def test_with_tls_the_cookie_is_for_this_host_and_tls_alone(server: Server, tmp_path: Path) -> None:
    """By its name, which browsers enforce; forms come by TLS, too, and browsers remember to use it."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    files = (
        "--console-cert",
        str(tmp_path / "cert.pem"),
        "--console-key",
        str(tmp_path / "key.pem"),
    )
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    with console(server.address, *files) as url:
        browser = Browser(url, tls)
        page = browser.log_in(ROOT_TOKEN)
        assert page.headers["strict-transport-security"] == "max-age=31536000"
        assert "__Host-ipgate" in browser.cookies
        token = page.forms[0].fields[0][1]
        plain = {"Origin": f"http://{url}"}
        assert browser.send("POST", "/logout", f"form_token={token}", headers=plain).status == 403
        fresh = Browser(url, tls)
        fresh.open("/login")
        form_token = fresh.cookies["__Host-ipgate-form"]
        body = f"token={ROOT_TOKEN}&form_token={form_token}"
        sent = fresh.send("POST", "/login", body, follow=False)
        cookies = sent.headers.get_all("set-cookie") or ()
        (cookie,) = [text for text in cookies if text.startswith("__Host-ipgate=")]
        assert "Secure" in cookie
        assert "Path=/" in cookie
        assert "HttpOnly" in cookie
        browser.open("/workspaces")
        out = browser.send("POST", "/logout", f"form_token={token}", follow=False)
        (removed,) = out.headers.get_all("set-cookie") or [""]
        assert removed.startswith('__Host-ipgate=""')
        assert "Max-Age=0" in removed
        assert "Secure" in removed


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_of_another_site_is_refused(browser: Browser, headers: dict[str, str]) -> None:
    """Whatever token it has."""
    page = browser.open("/workspaces")
    token = page.forms[0].fields[0][1]
    body = f"form_token={token}&id=forged&name=x"
    assert browser.send("POST", "/workspaces", body, headers=headers).status == 403
    assert "forged" not in browser.open("/workspaces").html


def test_a_proxy_in_front_may_have_tls(browser: Browser) -> None:
    """Browsers name its origin, which is the console's by another scheme."""
    page = browser.open("/workspaces")
    token = page.forms[0].fields[0][1]
    body = f"form_token={token}&id=proxied&name=x"
    origin = {"Origin": f"https://{browser.address}"}
    assert browser.send("POST", "/workspaces", body, headers=origin).status == 200
    assert "proxied" in browser.open("/workspaces").html


def test_every_file_that_a_page_names_is_there(browser: Browser) -> None:
    """Scripts, styles and pictures."""
    page = browser.open("/workspaces")
    files = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.html))
    assert len(files) > 2
    assert {browser.open(path).status for path in files} == {200}


@pytest.mark.parametrize("token", ["", "wrong", "é"])
def test_a_form_without_its_token_is_refused(browser: Browser, token: str) -> None:
    """Also where the browser says nothing of its origin."""
    page = browser.send("POST", "/workspaces", f"form_token={token}&id=forged2&name=x")
    assert page.status == 403
    assert "forged2" not in browser.open("/workspaces").html


def test_a_login_begins_a_session_of_its_own(console_address: str) -> None:
    """An id that somebody has planted is not used, and the one before does not work any more."""
    browser = Browser(console_address)
    browser.cookies["ipgate"] = "planted"
    browser.log_in(ROOT_TOKEN)
    first = browser.cookies["ipgate"]
    assert first != "planted"
    assert len(first) >= 43
    planted = Browser(console_address)
    planted.cookies["ipgate"] = "planted"
    assert planted.open("/").url.startswith("/login")
    browser.press("Log out")
    assert "ipgate" not in browser.cookies
    browser.cookies["ipgate"] = first
    assert browser.open("/").url.startswith("/login")


def test_a_login_of_another_site_is_refused(console_address: str) -> None:
    """Nobody can be logged in as somebody else without knowing it."""
    browser = Browser(console_address)
    page = browser.send("POST", "/login", f"token={ROOT_TOKEN}&form_token=x")
    assert page.status == 403
    assert "ipgate" not in browser.cookies


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "[", "a@127.0.0.1"]
)
def test_another_name_of_the_host_is_refused(console_address: str, host: str) -> None:
    """As by DNS rebinding."""
    browser = Browser(console_address)
    browser.headers["Host"] = host or " "
    assert browser.send("GET", "/login").status in (400, 421)


def test_one_goes_on_within_the_console_only(console_address: str) -> None:
    for target in (
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
    ):
        browser = Browser(console_address)
        browser.send("GET", f"/login?next={target}")
        page = browser.press("Log in", token=ROOT_TOKEN)
        assert page.url == "/workspaces"


def test_attempts_are_limited() -> None:
    """By address, of IPv6 by its /64; those without a result count; a minute later they are possible again."""
    now = 0.0
    attempts = Attempts(lambda: now)
    for index in range(MAX_FAILURES):
        assert attempts.begin("192.0.2.1", "t")
        assert attempts.begin(f"2001:db8::{index:x}", "t")
    assert not attempts.begin("192.0.2.1", "t")
    assert not attempts.begin("2001:db8::ffff", "t")
    assert attempts.begin("192.0.2.2", "t")
    assert attempts.begin("2001:db8:0:1::", "t")
    now = 61.0
    assert attempts.begin("192.0.2.1", "t")


def test_who_has_logged_in_before_is_not_kept_out_by_the_attempts_of_others() -> None:
    """And attempts that did not fail do not count."""
    attempts = Attempts(lambda: 0.0)
    for _ in range(2 * MAX_FAILURES):
        assert attempts.begin("192.0.2.1", "unavailable")
        attempts.did_not_fail("192.0.2.1", "unavailable", logged_in=False)
    assert attempts.begin("192.0.2.1", "known")
    attempts.did_not_fail("192.0.2.1", "known", logged_in=True)
    for _ in range(MAX_FAILURES):
        assert attempts.begin("192.0.2.1", "wrong")
    assert not attempts.begin("192.0.2.1", "wrong")
    assert attempts.begin("192.0.2.1", "known")
    assert not attempts.begin("192.0.2.1", "other")


def test_too_many_attempts_are_told_to_wait(server: Server) -> None:
    with console(server.address) as url:
        browser = Browser(url)
        statuses = [browser.log_in(f"wrong-{index}").status for index in range(MAX_FAILURES + 1)]
        assert statuses == [400] * MAX_FAILURES + [429]


async def test_sessions_end_and_are_few() -> None:
    """When they are idle, when they are old, and when there are too many."""
    now = 0.0
    sessions, person = Sessions(lambda: now), Person("t", "ROOT", "")

    def client() -> AsyncAdminClient:
        return AsyncAdminClient("127.0.0.1:1", "t")

    idle = await sessions.begin(client(), person)
    used = await sessions.begin(client(), person)
    now = IDLE - 1
    assert sessions.get(used)
    now = IDLE
    assert sessions.get(idle) is None
    assert sessions.get(used)
    while now < ABSOLUTE - IDLE:
        now += IDLE - 1
        assert sessions.get(used)
    now = ABSOLUTE
    assert sessions.get(used) is None
    first = await sessions.begin(client(), person)
    for _ in range(MAX_SESSIONS):
        await sessions.begin(client(), person)
    assert sessions.get(first) is None
    await sessions.end_all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--listen", "0.0.0.0:0"], "opens the console to the network without TLS"),
        (["--listen", "8080"], "give HOST:PORT"),
        (["--listen", "127.0.0.1:0", "--console-cert", "x"], "give both or neither"),
    ],
)
def test_a_console_that_is_not_safe_does_not_start(options: list[str], message: str) -> None:
    done = subprocess.run(
        [IPGATE, "console", *options], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize("consent", ["--plaintext", "--behind-tls"])
def test_a_console_for_the_network_starts_with_consent(server: Server, consent: str) -> None:
    """And answers by the names that it was given only."""
    options = ("--listen", "0.0.0.0:0", consent, "--name", "Console.Example")
    with console(server.address, *options) as url:
        browser = Browser(f"127.0.0.1:{url.rpartition(':')[2]}")
        browser.headers["Host"] = "console.example"
        assert browser.open("/login").status == 200
        browser.headers["Host"] = "other.example"
        assert browser.open("/login").status == 421


def test_a_request_is_bounded(browser: Browser) -> None:
    """In bytes and in fields."""
    page = browser.open("/workspaces")
    token = page.forms[0].fields[0][1]
    assert browser.send("POST", "/workspaces", b"x" * (9 << 20)).status == 413
    many = f"form_token={token}&" + "&".join(f"a{n}=1" for n in range(3000))
    assert browser.send("POST", "/workspaces", many).status == 400
    assert browser.send("PUT", "/workspaces", "").status == 405
