"""`ipgate export` and `ipgate import`: nothing lost, nothing by half."""

import json
import signal
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ipgate.store.key_names import meta
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.backups import (
    LARGE_SHARD,
    Lines,
    credential,
    exported,
    ipgate,
    large,
    write,
)
from tests.harness.damage import CREDENTIAL, OWN, W, fill, filled
from tests.harness.servers import IPGATE, Client, RpcFailed, serving
from tests.harness.stores import StoreServer, running
from tests.harness.traffic import disturbed
from tests.harness.waiting import eventually

pytestmark = pytest.mark.store


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[StoreServer]:
    """A store of the test's own in which nothing is."""
    with running(tmp_path / "empty") as store:
        yield store


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Lines:
    """An export of some of everything."""
    directory = tmp_path_factory.mktemp("sample")
    with filled(directory) as store:
        return exported(store.url, directory / "sample.jsonl")


def test_an_import_of_an_export_is_the_same_store(tmp_path: Path, empty: StoreServer) -> None:
    """All that was there is there again, with its etags and times; credentials, tokens, rules and
    further changes work, and an export of it differs in nothing but the point in history."""
    with running(tmp_path / "from") as store:
        with serving(tmp_path / "a", "--redis-url", store.url) as server:
            client = server.client()
            fill(client)
            token = client.access_token("AUTHORIZER", f"workspaces/{W}").token
            workspace = client.workspace(display_name="[b]Ünïcode 🚪", require_allow_list=True)
            with disturbed(client, workspace):
                threading.Event().wait(1)
            many = [f"10.{n >> 8}.{n & 255}.0/24" for n in range(6000)]
            client.allow_list(workspace, "many", many)
        before = exported(store.url, tmp_path / "first")
    ipgate("import", tmp_path / "first", "--redis-url", empty.url)
    after = exported(empty.url, tmp_path / "second")
    assert after[1:-1] == before[1:-1]
    assert len(after) > 12
    heads = zip(before[0]["shards"], after[0]["shards"], strict=True)
    assert all(a["epoch"] != b["epoch"] and a["rev"] > b["rev"] for b, a in heads)
    ipgate("doctor", "--redis-url", empty.url)
    with serving(tmp_path / "b", "--redis-url", empty.url) as server:
        client = server.client()
        asker = client.as_(token)
        assert asker.ask("198.51.100.73", key=CREDENTIAL).allow_list.endswith("/office")
        assert asker.ask("9.9.9.9", key=CREDENTIAL).reason == authorize.REASON_NOT_IN_LINKED_LISTS
        get = admin.GetApiKeyRequest(name=f"workspaces/{W}/apiKeys/linked")
        key = client.call("GetApiKey", get)
        assert key.etag in [record.get("etag") for record in before]
        assert asker.ask("198.51.100.73", key=CREDENTIAL, min_revision=key.revision).allowed
        revision = client.unlink(f"workspaces/{W}/allowLists/office", key.name)
        answer = asker.ask("198.51.100.73", key=CREDENTIAL, min_revision=revision)
        assert answer.reason == authorize.REASON_NOT_IN_DEFAULT_LIST
        client.call("DeleteApiKey", admin.DeleteApiKeyRequest(name=key.name))
    ipgate("doctor", "--redis-url", empty.url)


def test_an_export_is_a_state_that_was(tmp_path: Path, empty: StoreServer) -> None:
    """While links of keys far apart change together, and a forced deletion takes links and default
    along, no export shows one without the other: reading all takes longer than several changes."""
    write(tmp_path / "x", large(3000, 10))
    ipgate("import", tmp_path / "x", "--redis-url", empty.url)
    with serving(tmp_path / "a", "--redis-url", empty.url) as server:
        client = server.client()
        parent, name = "workspaces/large", "workspaces/large/allowLists/m"
        keys = [f"{parent}/apiKeys/k{index:06}" for index in range(0, 3000, 150)]
        stop = threading.Event()

        def change() -> None:
            while not stop.is_set():
                client.allow_list(parent, "m", ["10.0.0.1"])
                client.default(parent, name)
                client.link(name, *keys)
                request = admin.DeleteAllowListRequest(
                    name=name, force=True, allow_unrestricted=True
                )
                client.call("DeleteAllowList", request)

        with ThreadPoolExecutor(1) as pool:
            changing = pool.submit(change)
            try:
                seen = [summary(exported(empty.url, tmp_path / "y")) for _ in range(4)]
            finally:
                stop.set()
            changing.result()
    for enabled, lists, links in seen:
        assert len(links) == 1, "all keys have the same links"
        assert not enabled or "m" in lists
        assert set(*links) <= set(lists)
        assert "m" not in set(*links) or enabled, "linked only while it is the default"


def summary(export: Lines) -> tuple[bool, tuple[str, ...], frozenset[tuple[str, ...]]]:
    """Whether the default is on, the lists, and the different links of every 150th key."""
    keys = [record for record in export if record["kind"] == "key"]
    return (
        next(record["default_enabled"] for record in export if record["kind"] == "workspace"),
        tuple(record["id"] for record in export if record["kind"] == "list"),
        frozenset(tuple(key["lists"]) for key in keys[::150]),
    )


def changed(kind: str, **fields: Any) -> Callable[[Lines], Any]:
    """An edit of the first line of a kind."""

    def edit(lines: Lines) -> None:
        next(line for line in lines if line["kind"] == kind).update(fields)

    return edit


def swapped(first: int, second: int) -> Callable[[Lines], Any]:
    def edit(lines: Lines) -> None:
        lines[first], lines[second] = lines[second], lines[first]

    return edit


def scoped(lines: Lines) -> dict[str, Any]:
    """The token that works for the workspace."""
    return next(line for line in lines if line["kind"] == "token" and line["workspace"])


EDITS: dict[str, tuple[Callable[[Lines], Any], str]] = {
    "no-header": (lambda s: s.pop(0), "line 1: is not the header"),
    "later-version": (changed("header", version=2), "line 1: version: is not of 0 to 1"),
    "former-version": (changed("header", version=0), "line 1: version 0 is not known"),
    "other-format": (changed("header", format="x"), "line 1: format: is not ipgate-export"),
    "no-shards": (changed("header", shards=[]), "line 1: shards: is not a list of 16 shards"),
    "bad-epoch": (lambda s: s[0]["shards"][3].update(epoch="x"), "line 1: shards[3].epoch"),
    "wrong-counts": (lambda s: s[0]["counts"].update(key=9), "line 1: counts do not agree"),
    "second-header": (lambda s: s.insert(2, s[0]), "line 3: is a second header"),
    "list-before-workspace": (swapped(1, 2), "line 2: workspace: is not that of"),
    "lists-out-of-order": (swapped(2, 3), "line 4: comes twice, or in the wrong order"),
    "token-first": (lambda s: s.insert(1, scoped(s)), "line 2: workspace: there is no sample"),
    "twice": (lambda s: s.insert(3, s[2]), "line 4: comes twice"),
    "same-digest": (lambda s: s[5].update(digest=s[4]["digest"]), "line 6: digest: is that of"),
    "same-name": (lambda s: s[3].update(display_name="OFFICE", folded="office"), "line 4: display_name: another"),
    "no-such-list": (lambda s: s[4].update(lists=["nobody"]), "line 5: lists: there is no nobody"),
    "no-such-default": (lambda s: s[1].update(default_list="x"), "line 2: default_list: there is"),
    "default-of-none": (lambda s: s[1].update(default_list=""), "line 2: default_enabled: needs"),
    "token-of-nobody": (lambda s: s[6].update(workspace="x"), "line 7: workspace: there is no x"),
    "late-rev": (lambda s: s[2].update(rev=99), "line 3: rev: is later than"),
    "unknown-kind": (lambda s: s[2].update(kind="x"), "line 3: has no known kind"),
    "unknown-field": (lambda s: s[2].update(x=1), "line 3: x: is no field"),
    "missing-field": (lambda s: s[2].pop("etag"), "line 3: etag: is missing"),
    "no-ranges": (lambda s: s[2].update(ranges=[]), "line 3: ranges: is empty"),
    "host-bits": (lambda s: s[2].update(ranges=["10.0.0.1/8"]), "line 3: ranges[0]: '10.0.0.1/8'"),
    "long-form": (lambda s: s[2].update(ranges=["10.0.0.1/32"]), "line 3: ranges[0]: '10.0.0.1/32'"),
    "range-twice": (lambda s: s[2]["ranges"].append("192.0.2.0/24"), "line 3: ranges[2]:"),
    "range-number": (lambda s: s[2].update(ranges=[7]), "line 3: ranges[0]: '7'"),
    "bad-id": (lambda s: s[2].update(id="No"), "line 3: id: 'No' is not an id"),
    "no-description": (lambda s: s[2].update(description=""), "line 3: description: is required"),
    "hidden-name": (lambda s: s[4].update(display_name="\u202e"), "line 5: display_name:"),
    "text-flag": (lambda s: s[4].update(disabled="no"), "line 5: disabled: is not true or false"),
    "flag-time": (lambda s: s[4].update(created=True), "line 5: created: is not a whole number"),
    "no-time": (lambda s: s[4].update(expire=1 << 80), "line 5: expire: is not of -62135"),
    "short-digest": (lambda s: s[4].update(digest="ab"), "line 5: digest: is not a SHA-256"),
    "bad-etag": (lambda s: s[4].update(etag="ab"), "line 5: etag: is not 16"),
    "links-twice": (lambda s: s[4].update(lists=["office"] * 2), "line 5: lists: has ids twice"),
    "root": (lambda s: s[6].update(role="ROOT"), "line 7: role: is not one of"),
    "admin-of-all": (lambda s: s[6].update(role="WORKSPACE_ADMIN", workspace=""), "line 7: workspace"),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_a_file_that_is_not_right_is_refused_line_by_line(
    tmp_path: Path, lines: Lines, empty: StoreServer, name: str
) -> None:
    """The report names the line and what is wrong with it, and nothing is written."""
    edit, message = EDITS[name]
    edited = json.loads(json.dumps(lines))
    edit(edited)
    write(tmp_path / "x", edited)
    said = ipgate("import", tmp_path / "x", "--redis-url", empty.url, code=2)
    assert message in said
    assert "nothing was written" in said
    with empty.client() as plain:
        assert plain.dbsize() == 0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "the trailer is missing: the file is incomplete"),
        (lambda text: text.rpartition('{"kind": "trailer"')[0], "line 9: the trailer is missing"),
        (lambda text: text.replace("192.0.2.0/24", "192.0.3.0/24"), "the file was changed"),
        (lambda text: text.replace("\n", "\n\n", 1), "line 2: is not JSON"),
        (lambda text: text + text, "line 10: comes after the trailer"),
        (lambda text: "[]\n" + text, "line 1: is not a JSON object"),
        (lambda _: "", "line 1: the trailer is missing"),
        (lambda _: "\xff\xfe", "line 1: is not JSON"),
    ],
)
def test_a_damaged_file_is_refused(
    tmp_path: Path, lines: Lines, empty: StoreServer, damage: Callable[[str], str], message: str
) -> None:
    """Truncated, edited, doubled, or of another kind: nothing is written."""
    write(tmp_path / "x", lines)
    (tmp_path / "x").write_bytes(damage((tmp_path / "x").read_text()).encode("latin-1"))
    said = ipgate("import", tmp_path / "x", "--redis-url", empty.url, code=2)
    assert message in said
    with empty.client() as plain:
        assert plain.dbsize() == 0


def test_a_data_directory_that_an_import_makes_is_its_owners_alone(tmp_path: Path) -> None:
    """As one that the server makes."""
    (tmp_path / "x").write_text("")
    ipgate("import", tmp_path / "x", "--data-dir", tmp_path / "new", code=2)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """A device has no end, and a pipe cannot be read twice."""
    said = ipgate("import", "/dev/zero", "--data-dir", tmp_path / "new", code=2)
    assert "is not a regular file" in said


def test_at_most_100_faults_are_reported(tmp_path: Path, empty: StoreServer) -> None:
    """A file that is wrong everywhere does not flood the terminal."""
    export = large(500, 5)
    for record in export[3:]:
        record["digest"] = "x"
    write(tmp_path / "x", export)
    said = ipgate("import", tmp_path / "x", "--redis-url", empty.url, code=2)
    assert said.count("  line ") == 100


def test_an_import_into_a_store_that_is_not_empty_is_refused(tmp_path: Path, lines: Lines) -> None:
    """Not a key of it is changed, whatever it is that is there."""
    write(tmp_path / "x", lines)
    with filled(tmp_path) as store, store.client() as plain:
        before = contents(store)
        for option in ((), ("--restart",)):
            ipgate("import", tmp_path / "x", "--redis-url", store.url, *option, code=2)
        assert contents(store) == before
        plain.flushall()
        plain.set(f"ipgate:digest:{'c' * 64}", "w/k/0123456789abcdef")
        said = ipgate("import", tmp_path / "x", "--redis-url", store.url, code=2)
        assert "not empty" in said
        assert plain.dbsize() == 1


def contents(store: StoreServer) -> dict[Any, Any]:
    with store.client() as plain:
        values: dict[Any, Any] = {}
        for key in plain.scan_iter():
            kind = plain.type(key)
            if kind == "hash":
                values[key] = plain.hgetall(key)
            elif kind == "stream":
                values[key] = plain.xrange(key)
            else:
                values[key] = kind
        return values


def test_servers_on_the_store_take_up_an_import_without_a_restart(
    tmp_path: Path, lines: Lines, empty: StoreServer
) -> None:
    """A server that runs on the empty store answers by what was imported, its negatives dropped."""
    write(tmp_path / "x", lines)
    with serving(tmp_path / "d", "--redis-url", empty.url) as server:
        client = server.client()
        assert client.ask("198.51.100.73", key=CREDENTIAL).reason == authorize.REASON_KEY_UNKNOWN
        ipgate("import", tmp_path / "x", "--redis-url", empty.url)
        eventually(lambda: allowed(client, "198.51.100.73", CREDENTIAL), "it is served")
        client.unlink(f"workspaces/{W}/allowLists/office", f"workspaces/{W}/apiKeys/linked")
    ipgate("doctor", "--redis-url", empty.url)


def allowed(client: Client, ip: str, key: str) -> bool:
    try:
        return bool(client.ask(ip, key=key).allowed)
    except RpcFailed as failed:
        assert failed.code == "UNAVAILABLE"
        return False


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6])
def test_a_killed_import_never_serves_a_part(
    tmp_path: Path, empty: StoreServer, share: float
) -> None:
    """The server that runs goes on knowing nothing, none starts, changes are refused, and the
    import is rejected but for --restart, which makes it whole."""
    count = 6000
    write(tmp_path / "x", large(count, 10))
    url = ("--redis-url", empty.url)
    with serving(tmp_path / "d", *url) as server, empty.client() as plain:
        client = server.client()
        importing = subprocess.Popen([IPGATE, "import", tmp_path / "x", *url])
        eventually(lambda: plain.dbsize() > 32 + 3 * count * share, "a part is written")
        importing.send_signal(signal.SIGKILL)
        importing.wait()
        assert plain.hget(meta(LARGE_SHARD), "schema") in ("importing", "imported")
        some = [credential(index) for index in (0, 1, 2, count // 2, count - 1)]
        with ThreadPoolExecutor(len(some)) as pool:
            assert not any(pool.map(lambda key: allowed(client, "10.0.0.1", key), some))
        with pytest.raises(RpcFailed, match="UNAVAILABLE"):
            client.workspace()
        command = [str(IPGATE), "serve", "--data-dir", str(tmp_path / "e"), *url]
        failed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert failed.returncode == 2
        assert "an import into the store was interrupted" in failed.stderr
        assert "was interrupted" in ipgate("import", tmp_path / "x", *url, code=2)
        assert "interrupted" in ipgate("export", tmp_path / "y", *url, code=2)
        ipgate("import", tmp_path / "x", "--restart", *url)
        eventually(lambda: allowed(client, "10.0.0.1", credential(count - 1)), "it is served")
        assert not client.ask("9.9.9.9", key=credential(0)).allowed
    ipgate("doctor", *url)
    assert exported(empty.url, tmp_path / "y")[1:-1] == large(count, 10)[1:]


def test_a_restart_empties_what_another_file_left(
    tmp_path: Path, lines: Lines, empty: StoreServer
) -> None:
    """After an interrupted import of one file, that of another leaves nothing of the first."""
    write(tmp_path / "x", large(3000, 10))
    write(tmp_path / "y", lines)
    url = ("--redis-url", empty.url)
    with empty.client() as plain:
        importing = subprocess.Popen([IPGATE, "import", tmp_path / "x", *url])
        eventually(lambda: plain.dbsize() > 1000, "a part is written")
        importing.kill()
        importing.wait()
    ipgate("import", tmp_path / "y", "--restart", *url)
    assert exported(empty.url, tmp_path / "z")[1:-1] == lines[1:-1]
    ipgate("doctor", *url)


def test_an_import_that_finds_a_writer_leaves_all_as_it_was(
    tmp_path: Path, lines: Lines, empty: StoreServer
) -> None:
    """A shard that is not empty when it is to be marked: the marks of the others are taken back, those
    of an interrupted import stay, and it can be begun again when the shard is empty."""
    write(tmp_path / "x", lines)
    url = ("--redis-url", empty.url)
    with empty.client() as plain:
        for shard in range(15):
            fields = {"schema": "importing", "import": f"{'0' * 64}.x"}
            plain.hset(meta(shard), mapping=fields)
        plain.zadd("ipgate:{s15}:workspaces", {"late": 0})
        before = contents(empty)
        said = ipgate("import", tmp_path / "x", "--restart", *url, code=2)
        assert "somebody writes to it" in said
        assert contents(empty) == before
        plain.delete("ipgate:{s15}:workspaces")
    ipgate("import", tmp_path / "x", "--restart", *url)
    ipgate("doctor", *url)


def test_an_import_that_was_all_written_is_only_opened(
    tmp_path: Path, lines: Lines, empty: StoreServer
) -> None:
    """Where some shards are open and may have been changed, a restart opens the others, and does
    so only for the file that was imported."""
    write(tmp_path / "x", lines)
    write(tmp_path / "y", large(3, 3))
    url = ("--redis-url", empty.url)
    ipgate("import", tmp_path / "x", *url)
    sha256 = json.loads((tmp_path / "x").read_text().splitlines()[-1])["sha256"]
    with empty.client() as plain:
        for shard in (0, 5):
            plain.delete(meta(shard))
            plain.hset(meta(shard), mapping={"schema": "imported", "import": f"{sha256}.x"})
        before = plain.hgetall(meta(3))
        assert "another file" in ipgate("import", tmp_path / "y", "--restart", *url, code=2)
        ipgate("import", tmp_path / "x", "--restart", *url)
        assert plain.hgetall(meta(3)) == before
    ipgate("doctor", *url)
    assert exported(empty.url, tmp_path / "z")[1:-1] == lines[1:-1]


def test_an_export_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    """Private, without leftovers; a damaged store is rejected and leaves a former export alone."""
    target = tmp_path / "out"
    target.mkdir()
    with filled(tmp_path) as store, store.client() as plain:
        url = ("--redis-url", store.url)
        first = exported(store.url, target / "x")
        assert stat.S_IMODE((target / "x").stat().st_mode) == 0o600
        printed = subprocess.run([IPGATE, "export", *url], capture_output=True, check=True)
        assert [json.loads(line) for line in printed.stdout.splitlines()][1:-1] == first[1:-1]
        kept = (target / "x").read_bytes()
        plain.delete(*plain.keys("*:list:office:ranges"))
        said = ipgate("export", target / "x", *url, code=2)
        assert "line 3: ranges: is empty" in said
        assert "ipgate doctor" in said
        plain.hdel(f"{OWN}:list:spare", "description")
        assert "shard 3 is damaged" in ipgate("export", target / "x", *url, code=2)
        assert (target / "x").read_bytes() == kept
        assert list(target.iterdir()) == [target / "x"]
        assert "No such file" in ipgate("export", tmp_path / "none" / "x", *url, code=2)


def test_no_secret_is_in_an_export(tmp_path: Path) -> None:
    """Digests stand in for credentials and tokens, and the root token is nowhere."""
    with (
        running(tmp_path / "s") as store,
        serving(tmp_path / "d", "--redis-url", store.url) as server,
    ):
        client = server.client()
        parent = client.workspace()
        secrets = [client.key(parent, "k").credential, client.access_token("AUTHORIZER").token]
        exported(store.url, tmp_path / "x")
    text = (tmp_path / "x").read_text()
    assert not any(secret in text for secret in [*secrets, server.client().token])


def test_an_embedded_store_is_exported_and_made_anew(tmp_path: Path) -> None:
    """From a data directory with or without a running server, into one that is not there yet."""
    with serving(tmp_path / "a") as server:
        fill(server.client())
        ipgate("export", tmp_path / "x", "--data-dir", tmp_path / "a")
    ipgate("export", tmp_path / "y", "--data-dir", tmp_path / "a")
    first, second = ((tmp_path / name).read_text().splitlines() for name in "xy")
    assert first[1:-1] == second[1:-1]
    ipgate("import", tmp_path / "x", "--data-dir", tmp_path / "b")
    with serving(tmp_path / "b") as server:
        assert server.client().ask("198.51.100.73", key=CREDENTIAL).allowed
