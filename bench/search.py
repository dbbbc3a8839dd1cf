"""Listings and searches of administrators among a million keys and 5,000 lists of one workspace.

`make bench ARGS=search`, or `ARGS='search 100000'` for another number of keys. Each page has a bound, and so has what another
call waits for it: administrators look around while backends ask.
"""

import hashlib
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import Manager
from pathlib import Path
from typing import Any

from ipgate.domain.shards import SHARDS
from ipgate.v1 import admin_pb2 as admin
from rich.console import Console

from bench import console_pages
from bench.figures import Figure
from bench.scale_data import credential
from tests.harness.servers import IPGATE, Client, serving

_WORKSPACE = "workspaces/w"
_LISTS = 5000
_PAGES = 40
"""Pages of each listing that are measured, at most."""

_INSIDE = "10.0.0.1"
"""Held by each 50th list."""

_STAMPS = {"created": 1, "updated": 2, "etag": "0123456789abcdef", "rev": 1}
_PAST, _FUTURE = 10**18, 4 * 10**18


def measure(keys: int) -> list[Figure]:
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        file = root / "export.jsonl"
        _write(file, keys)
        began = time.perf_counter()
        subprocess.run([IPGATE, "import", file, "--data-dir", root / "s"], check=True)
        console.log(f"imported {keys:,} keys in {time.perf_counter() - began:.0f} s")
        file.unlink()
        with serving(root / "s", "--workers", "1") as server, Manager() as manager:
            client = server.client()
            client.ask(_INSIDE, key=credential(1))
            stop = manager.Event()
            with ProcessPoolExecutor(1) as pool:
                at_rest = _others(server.address, stop, pool, lambda: time.sleep(5))
                figures: list[Figure] = []
                beside = _others(
                    server.address, stop, pool, lambda: figures.extend(_searches(client))
                )
            return [
                *figures,
                *console_pages.measure(client),
                Figure("beside no search: another call, longest", max(at_rest), "ms"),
                Figure("beside searches: another call, median", statistics.median(beside), "ms"),
                Figure("beside searches: another call, longest", max(beside), "ms"),
            ]


def _searches(client: Client) -> Iterator[Figure]:
    everything: dict[str, tuple[str, Any]] = {
        "API keys": ("ListApiKeys", admin.ListApiKeysRequest(parent=_WORKSPACE)),
        "API keys by name": (
            "ListApiKeys",
            admin.ListApiKeysRequest(parent=_WORKSPACE, query="key 7"),
        ),
        "API keys by id": ("ListApiKeys", admin.ListApiKeysRequest(parent=_WORKSPACE, query="k07")),
        "disabled API keys": (
            "ListApiKeys",
            admin.ListApiKeysRequest(parent=_WORKSPACE, state="STATE_DISABLED"),
        ),
        "expired API keys": (
            "ListApiKeys",
            admin.ListApiKeysRequest(parent=_WORKSPACE, state="STATE_EXPIRED"),
        ),
        "unrestricted API keys": (
            "ListApiKeys",
            admin.ListApiKeysRequest(parent=_WORKSPACE, access="ACCESS_UNRESTRICTED"),
        ),
        "expired API keys with lists": (
            "ListApiKeys",
            admin.ListApiKeysRequest(
                parent=_WORKSPACE, access="ACCESS_LISTS", state="STATE_EXPIRED"
            ),
        ),
        "allow lists": ("ListAllowLists", admin.ListAllowListsRequest(parent=_WORKSPACE)),
        "allow lists by name": (
            "ListAllowLists",
            admin.ListAllowListsRequest(parent=_WORKSPACE, query="list 1"),
        ),
        "allow lists that hold an address": (
            "ListAllowLists",
            admin.ListAllowListsRequest(parent=_WORKSPACE, contains_address=_INSIDE),
        ),
        "checked API keys": (
            "CheckAccess",
            admin.CheckAccessRequest(parent=_WORKSPACE, address=_INSIDE),
        ),
    }
    longest = 0.0
    for what, (method, request) in everything.items():
        times = []
        for _ in range(_PAGES):
            began = time.perf_counter()
            page = client.call(method, request)
            times.append((time.perf_counter() - began) * 1000)
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        if "hold" in what:
            yield Figure("all allow lists that hold an address", sum(times), "ms")
        longest = max(longest, *times)
        yield Figure(f"a page of {what}, longest", max(times), "ms")
    yield Figure("a page of any search, longest", longest, "ms")


def _others(address: str, stop: Any, pool: ProcessPoolExecutor, during: Any) -> list[float]:
    """ms that calls of another caller take in the meantime."""
    stop.clear()
    calls = pool.submit(_call, address, stop)
    during()
    stop.set()
    return calls.result()


def _call(address: str, stop: Any) -> list[float]:
    client = Client(address)
    times = []
    while not stop.is_set():
        began = time.perf_counter()
        client.ask(_INSIDE, key=credential(1))
        times.append((time.perf_counter() - began) * 1000)
        time.sleep(0.002)
    return times[20:]


def _write(file: Path, keys: int) -> None:
    sha256, lines = hashlib.sha256(), 0
    with file.open("wb") as target:
        for record in _records(keys):
            text = (json.dumps(record, separators=(",", ":")) + "\n").encode()
            sha256.update(text)
            target.write(text)
            lines += 1
        trailer = {"kind": "trailer", "lines": lines, "sha256": sha256.hexdigest()}
        target.write(json.dumps(trailer).encode() + b"\n")


def _records(keys: int) -> Iterator[dict[str, Any]]:
    counts = {"workspace": 1, "list": _LISTS, "key": keys, "token": 0}
    shards = [{"epoch": "a" * 16, "rev": 1, "tip": "b" * 16}] * SHARDS
    yield {"kind": "header", "format": "ipgate-export", "version": 2, "time": 1, "shards": shards, "counts": counts}  # fmt: skip
    yield {"kind": "workspace", "id": "w", "display_name": "", "require_allow_list": False,
           "default_enabled": False, "default_list": "", **_STAMPS}  # fmt: skip
    for index in range(_LISTS):
        first = [_INSIDE] if not index % 50 else []
        ranges = first + [f"10.1.{index >> 8}.{n}" for n in range(20)]
        yield {"kind": "list", "workspace": "w", "id": f"l{index:04}", "display_name": f"List {index}",
               "description": "d", "ranges": ranges, **_STAMPS}  # fmt: skip
    for index in range(keys):
        expire = _PAST + index if not index % 7 else _FUTURE if not index % 11 else None
        lists = [f"l{index % _LISTS:04}"] if index % 3 else []
        digest = hashlib.sha256(credential(index).encode()).hexdigest()
        yield {"kind": "key", "workspace": "w", "id": f"k{index:07}", "display_name": f"Key {index}",
               "disabled": not index % 10, "expire": expire, "digest": digest, "lists": lists, **_STAMPS}  # fmt: skip
