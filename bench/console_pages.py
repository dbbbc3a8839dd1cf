"""Pages of the console: how long they take among many keys and lists, and what they weigh."""

import re
import time
from collections.abc import Iterator

from bench.figures import Figure
from bench.processes import memory
from tests.harness.console import Browser, console_process
from tests.harness.servers import ROOT_TOKEN, Client

_TIMES = 10

_PAGES = {
    "API keys": "keys",
    "API keys by name": "keys?q=key+7",
    "API keys by id": "keys?q=k07",
    "disabled API keys": "keys?state=disabled",
    "an API key": "keys/k0000001",
    "allow lists": "lists",
    "allow lists by name": "lists?q=list+1",
    "an allow list": "lists/l0001",
    "API keys to link": "lists/l0001?link=1",
    "the default list": "default",
    "a check": "check?address=10.0.0.1",
    "the audit log": "audit",
}


def measure(client: Client) -> Iterator[Figure]:
    """In a workspace `w` of the server, as `bench.search` fills it."""
    with console_process(client.address) as (address, process):
        browser = Browser(address)
        browser.log_in(ROOT_TOKEN)
        yield Figure("console: first page with its files", _weight(browser), "bytes")
        longest = 0.0
        for what, path in _PAGES.items():
            times = []
            for _ in range(_TIMES):
                began = time.perf_counter()
                page = browser.open(f"/w/w/{path}")
                times.append((time.perf_counter() - began) * 1000)
                assert page.status == 200, page.text
            longest = max(longest, *times)
            yield Figure(f"console: page of {what}, longest", max(times), "ms")
        yield Figure("console: any page, longest", longest, "ms")
        yield Figure("console: memory", memory([process]), "MB")


def _weight(browser: Browser) -> float:
    """Bytes of the first page after the login, with all that it loads."""
    page = browser.open("/w/w/keys")
    files = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.html))
    return float(
        len(page.html.encode()) + sum(len(browser.open(file).html.encode()) for file in files)
    )
