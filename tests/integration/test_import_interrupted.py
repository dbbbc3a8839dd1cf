"""Import replaces nothing, and is put in force completely or not at all, also when it is killed."""

import json
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ipgate.store.key_names import meta
from ipgate.store.scripts import SCHEMA

from tests.harness.backups import (
    LARGE_SHARD,
    Lines,
    credential,
    exported,
    ipgate,
    large,
    write,
)
from tests.harness.damage import filled
from tests.harness.servers import IPGATE, Client, RpcFailed, serving
from tests.harness.stores import StoreServer
from tests.harness.waiting import eventually

pytestmark = pytest.mark.store


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

        def interrupt(mark: str) -> None:
            for shard in (0, 5):
                plain.delete(meta(shard))
                plain.hset(meta(shard), mapping={"schema": "imported", "import": mark})

        before = plain.hgetall(meta(3))
        for mark, file in ((f"{SCHEMA}.{sha256}.x", "y"), (f"{sha256}.x", "x")):
            interrupt(mark)
            said = ipgate("import", tmp_path / file, "--restart", *url, code=2)
            assert "another file, or by another version" in said
        interrupt(f"{SCHEMA}.{sha256}.x")
        ipgate("import", tmp_path / "x", "--restart", *url)
        assert plain.hgetall(meta(3)) == before
    ipgate("doctor", *url)
    assert exported(empty.url, tmp_path / "z")[1:-1] == lines[1:-1]
