"""A store of schema 1, as `tests/fixtures/schema-1.jsonl` has it, is upgraded without a lost or changed decision."""

import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ipgate.clock import Clock
from ipgate.domain.errors import Unavailable
from ipgate.domain.revision import Revision
from ipgate.domain.shards import SHARDS, shard_of
from ipgate.store.batch_reader import BatchReader
from ipgate.store.connection import connect
from ipgate.store.key_names import meta
from ipgate.store.scripts import SCHEMA, Scripts
from ipgate.store.upgrade import upgrade
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.ranges import cidrs
from tests.harness.servers import IPGATE, Server, rejection, serving
from tests.harness.sources import ROOT
from tests.harness.stores import StoreServer, running

pytestmark = pytest.mark.store

COMMANDS = [
    json.loads(line)
    for line in (ROOT / "tests" / "fixtures" / "schema-1.jsonl").read_text().splitlines()
]
DECISIONS = [
    ("ci", "198.51.100.73", "LINKED_LIST_MATCH"),
    ("ci", "192.0.2.200", "LINKED_LIST_MATCH"),
    ("ci", "10.9.195.0", "LINKED_LIST_MATCH"),
    ("ci", "8.8.8.8", "NOT_IN_LINKED_LISTS"),
    ("batch", "10.0.0.0", "LINKED_LIST_MATCH"),
    ("batch", "192.0.2.200", "NOT_IN_LINKED_LISTS"),
    ("spare", "192.0.2.1", "DEFAULT_LIST_MATCH"),
    ("spare", "8.8.8.8", "NOT_IN_DEFAULT_LIST"),
    ("off", "192.0.2.1", "KEY_DISABLED"),
    ("lonely", "192.0.2.1", "NO_ALLOW_LIST"),
]


@pytest.fixture
def former(tmp_path: Path) -> Iterator[StoreServer]:
    """A store of schema 1."""
    with running(tmp_path / "former") as store:
        fill(store)
        yield store


def fill(store: StoreServer) -> None:
    with store.client() as client:
        client.flushall()
        for command in COMMANDS:
            client.execute_command(*command)


def contents(store: StoreServer) -> dict[str, Any]:
    """All keys with their values, whatever their order."""
    read = {"hash": "hgetall", "set": "smembers", "string": "get"}
    values = {}
    with store.client() as client:
        for key in map(_text, client.scan_iter("*")):
            kind = _text(client.type(key))
            if kind == "zset":
                values[key] = client.zrange(key, 0, -1)
            elif kind == "stream":
                values[key] = client.xrange(key)
            else:
                values[key] = getattr(client, read[kind])(key)
    return values


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def decisions(server: Server) -> list[tuple[str, str, str]]:
    client = server.client()
    reasons = []
    for key, ip, _ in DECISIONS:
        answer = client.ask(ip, key=f"secret of {key}")
        reason = authorize.Reason.Name(answer.reason).removeprefix("REASON_")
        reasons.append((key, ip, reason))
    return reasons


def test_a_server_upgrades_the_store_that_it_starts_on(tmp_path: Path, former: StoreServer) -> None:
    """Decisions, ranges, links and revisions are as before, and the resources can be changed."""
    with former.client() as client:
        epoch, rev, tip = (
            _text(client.hget(meta(shard_of("acme")), field)) for field in ("epoch", "rev", "tip")
        )
    revision = Revision(shard_of("acme"), epoch, int(rev), tip).token()
    with serving(tmp_path / "a", "--redis-url", former.url) as server:
        assert decisions(server) == DECISIONS
        client = server.client()
        office = "workspaces/acme/allowLists/office"
        stored = client.call("GetAllowList", admin.GetAllowListRequest(name=office))
        assert cidrs(stored) == ["192.0.2.0/24", "198.51.100.73"]
        many = admin.GetAllowListRequest(name="workspaces/acme/allowLists/many")
        assert client.call("GetAllowList", many).range_count == 2500
        assert client.ask("192.0.2.1", key="secret of ci", min_revision=revision).allowed
        remove = admin.RemoveRangesRequest(allow_list=office, ranges=["192.0.2.0/24"])
        changed = client.call("RemoveRanges", remove).revision
        with former.client() as stored_as:
            name = "ipgate:{s14}:ws:acme:list:office"
            figures = stored_as.hmget(name, "addresses", "blocks", "ipv6_ranges", "span")
            assert figures == ["257", "0", "0", None]
        assert not client.ask("192.0.2.1", key="secret of ci", min_revision=changed).allowed


class Killed(Exception):
    """The process ends here."""


class Dying(Scripts):
    """Scripts of a process that is killed before its write number `left`."""

    left = 0

    async def write(self, *args: Any, **kwargs: Any) -> Any:
        if not self.left:
            raise Killed
        self.left -= 1
        return await super().write(*args, **kwargs)


async def upgraded(store: StoreServer, writes: int) -> int:
    """Upgrades until so many writes are made; returns how many of them were left."""
    connection = connect(store.url, connections=2)
    scripts = Dying(connection, Clock())
    scripts.left = writes
    try:
        await upgrade(scripts)
    finally:
        await connection.aclose()
    return scripts.left


async def test_an_upgrade_that_is_killed_at_any_step_goes_on(former: StoreServer) -> None:
    """The store ends as after one without interruption, and nobody reads it in between."""
    many = 10_000
    writes = many - await upgraded(former, many)
    wanted = contents(former)
    assert writes > 2 * SHARDS
    for step in range(writes):
        fill(former)
        with pytest.raises(Killed):
            await upgraded(former, step)
        connection = connect(former.url, connections=2)
        scripts = Scripts(connection, Clock())
        if step:
            with pytest.raises(Unavailable):
                await scripts.initialize()
        await upgrade(scripts)
        await scripts.initialize()
        await connection.aclose()
        assert contents(former) == wanted, f"killed before write {step}"


async def test_a_restart_of_the_store_during_the_scan_is_noticed(
    former: StoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scan, which can have missed keys that no index names, is repeated."""
    scans = 0
    keys = BatchReader.keys

    async def restarting(self: BatchReader) -> AsyncIterator[list[str]]:
        nonlocal scans
        scans += 1
        async for page in keys(self):
            yield page
        if scans == 1:
            former.kill()
            former.start()

    monkeypatch.setattr(BatchReader, "keys", restarting)
    for _ in range(2):  # a connection that breaks ends the first upgrade
        with suppress(Unavailable):
            await upgraded(former, 10_000)
    assert scans > 1
    with former.client() as client:
        assert _text(client.hget(meta(0), "schema")) == SCHEMA


async def test_an_upgrade_does_not_rely_on_a_scan(
    former: StoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan misses keys when the server restarts; all that the indexes name is upgraded all the same."""
    await upgraded(former, 10_000)
    wanted = contents(former)
    fill(former)

    async def nothing(_: BatchReader) -> AsyncIterator[list[str]]:
        yield []

    monkeypatch.setattr(BatchReader, "keys", nothing)
    await upgraded(former, 10_000)
    assert contents(former) == wanted


def test_a_user_who_may_not_upgrade_changes_nothing(tmp_path: Path, former: StoreServer) -> None:
    """The server exits with what is missing, and servers of schema 1 go on."""
    guide = re.search(r"ACL SETUSER .*", (ROOT / "docs" / "security.md").read_text())
    assert guide
    before = contents(former)
    with former.client() as client:
        client.execute_command(*guide[0].replace("PASSWORD", "secret").split())
        url = f"unix://ipgate:secret@{former.socket}"
        said = rejection("--redis-url", url, "--data-dir", str(tmp_path / "d"))
        assert "the store rejects what ipgate needs" in said
        assert contents(former) == before
        client.execute_command(
            *["ACL", "SETUSER", "ipgate", "+scan", "+type", "+sscan", "+unlink", "+rename"]
        )
    with serving(tmp_path / "d", "--redis-url", url) as server:
        assert decisions(server) == DECISIONS


def test_an_upgraded_store_has_no_findings(tmp_path: Path, former: StoreServer) -> None:
    """Nor a change that changes nothing: all fields are stored."""
    with serving(tmp_path / "a", "--redis-url", former.url) as server:
        client = server.client()
        name = "workspaces/acme/apiKeys/ci"
        key = client.call("GetApiKey", admin.GetApiKeyRequest(name=name))
        request = admin.UpdateApiKeyRequest(api_key={"name": name}, update_mask={"paths": ["*"]})
        assert client.call("UpdateApiKey", request).api_key.etag == key.etag
    done = subprocess.run(
        [IPGATE, "doctor", "--redis-url", former.url], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


async def test_scripts_of_an_older_server_find_no_store_from_the_first_step_on(
    former: StoreServer,
) -> None:
    """They look for the epoch in the field that schema 1 has it in, which never comes back."""
    with pytest.raises(Killed):
        await upgraded(former, SHARDS + 1)
    for _ in range(2):
        with former.client() as client:
            for shard in range(SHARDS):
                assert not client.hexists(meta(shard), "epoch")
        await upgraded(former, 10_000)
    with former.client() as client:
        assert {_text(client.hget(meta(shard), "schema")) for shard in range(SHARDS)} == {SCHEMA}
