"""The console as a process, and a browser without scripts: it follows links, and sends the forms of pages."""

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from tests.harness.servers import IPGATE

TIMEOUT = 30.0


@contextmanager
def console(server: str, *options: str) -> Iterator[str]:
    """A console of its own; its address, without `http://`."""
    with console_process(server, *options) as (address, _):
        yield address


@contextmanager
def console_process(server: str, *options: str) -> Iterator[tuple[str, int]]:
    """As `console`, with the id of its process."""
    command: list[str] = [
        str(IPGATE),
        "console",
        "--server",
        server,
        "--listen",
        "127.0.0.1:0",
        *options,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "://" in line, "it does not start"
        yield address_in(line), process.pid
    finally:
        process.terminate()
        process.wait(timeout=TIMEOUT)
        assert process.stdout is not None
        process.stdout.close()


def address_in(line: str) -> str:
    """The address in what the console prints at its start."""
    return line.partition("://")[2].partition(": ")[0]


@dataclass
class Form:
    """`fields`: with the values that they have in the page. `buttons`: by their text, the field that each sets.

    `actions`: of the buttons that send the form elsewhere.
    """

    method: str
    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)
    actions: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """What a page shows: its text, links by their text, and forms."""

    def __init__(self, response: HTTPResponse, url: str) -> None:
        super().__init__()
        self.status = response.status
        self.headers = response.headers
        self.url = url
        self.html = response.read().decode()
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self._texts: list[str] = []
        self._open: list[tuple[str, dict[str, str], int]] = []
        self.feed(self.html)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._texts).split())

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(values.get("method", "get"), values.get("action", "")))
        elif tag == "input":
            self._input(values)
        elif tag == "option":
            select = next(of for name, of, _ in reversed(self._open) if name == "select")
            if "selected" in values:
                self.forms[-1].fields.append((select["name"], values["value"]))
        if tag in ("a", "button", "textarea", "select", "title", "script"):
            self._open.append((tag, values, len(self._texts)))

    def _input(self, values: dict[str, str]) -> None:
        kind = values.get("type", "text")
        is_off = kind in ("checkbox", "radio") and "checked" not in values
        if self.forms and "name" in values and kind != "file" and not is_off:
            self.forms[-1].fields.append((values["name"], values.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1][0] != tag:
            return
        _, values, start = self._open.pop()
        text = " ".join("".join(self._texts[start:]).split())
        if tag == "a":
            self.links.setdefault(text, values["href"])
        elif tag == "button" and self.forms:
            self.forms[-1].buttons[text] = (values.get("name", ""), values.get("value", ""))
            self.forms[-1].actions[text] = values.get("formaction", self.forms[-1].action)
        elif tag == "textarea":
            self.forms[-1].fields.append((values["name"], "".join(self._texts[start:])))

    def handle_data(self, data: str) -> None:
        self._texts.append(data)


class Browser:
    """Keeps cookies; `headers` come with every request. `tls`: None for plaintext."""

    def __init__(self, address: str, tls: ssl.SSLContext | None = None) -> None:
        self.address = address
        self._tls = tls
        self.cookies: dict[str, str] = {}
        self.headers: dict[str, str] = {}
        self.page: Page | None = None

    def send(
        self,
        method: str,
        path: str,
        body: str | bytes = "",
        *,
        follow: bool = True,
        headers: dict[str, str] | None = None,
    ) -> Page:
        """Make a request, and go where its answer leads."""
        connection = (
            HTTPSConnection(self.address, timeout=TIMEOUT, context=self._tls)
            if self._tls
            else HTTPConnection(self.address, timeout=TIMEOUT)
        )
        sent = {"Host": self.address} | self.headers
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if method == "POST":
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        sent |= headers or {}
        connection.request(method, path, body or None, {k: v for k, v in sent.items() if v})
        response = connection.getresponse()
        for cookie in response.headers.get_all("set-cookie") or ():
            name, _, value = cookie.partition(";")[0].partition("=")
            if value.strip('"'):
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        self.page = Page(response, path)
        connection.close()
        if follow and response.status in (302, 303, 307):
            target = urlsplit(urljoin(path, response.headers["location"]))
            return self.send("GET", target.path + (f"?{target.query}" if target.query else ""))
        return self.page

    def open(self, path: str) -> Page:
        return self.send("GET", path)

    def click(self, link: str) -> Page:
        """Follow the link with that text."""
        assert self.page is not None
        assert link in self.page.links, f"no link {link!r}: {sorted(self.page.links)}"
        return self.open(urljoin(self.page.url, self.page.links[link]))

    def press(self, button: str, **fields: str | list[str]) -> Page:
        """Send the form that has the button with that text, and those fields, with other values of these."""
        assert self.page is not None
        forms = [form for form in self.page.forms if button in form.buttons]
        assert forms, f"no button {button!r} in {self.page.text[:500]}"
        form = max(forms, key=lambda form: len(fields.keys() & {name for name, _ in form.fields}))
        values = [(name, value) for name, value in form.fields if name not in fields]
        for name, value in fields.items():
            values += [(name, one) for one in ([value] if isinstance(value, str) else value)]
        if form.buttons[button][0]:
            values.append(form.buttons[button])
        target = urljoin(self.page.url, form.actions[button])
        if form.method.lower() == "get":
            return self.open(f"{urlsplit(target).path}?{urlencode(values)}")
        return self.send("POST", target, urlencode(values))

    def upload(self, button: str, name: str, data: bytes, fields: dict[str, str]) -> Page:
        """As `press`, with a file."""
        assert self.page is not None
        (form,) = [form for form in self.page.forms if button in form.buttons]
        values = dict(form.fields) | fields
        parts = [
            f'Content-Disposition: form-data; name="{key}"\r\n\r\n{value}'.encode()
            for key, value in values.items()
        ]
        head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = b"".join(b"--xyz\r\n" + part + b"\r\n" for part in (*parts, head.encode() + data))
        kind = {"Content-Type": "multipart/form-data; boundary=xyz"}
        return self.send(
            "POST", urljoin(self.page.url, form.action), body + b"--xyz--\r\n", headers=kind
        )

    def log_in(self, token: str) -> Page:
        self.open("/login")
        return self.press("Log in", token=token)
