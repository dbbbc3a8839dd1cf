"""The root token: one for all servers of a store, or one that a server is given; and private files."""

import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from ipgate.app.private_files import check_private
from ipgate.app.root_token import ELSEWHERE, shared_root
from ipgate.clock import Clock
from ipgate.domain.errors import Unavailable
from ipgate.settings import BadSetting
from ipgate.store.connection import connect
from ipgate.store.root import RootStore
from ipgate.store.scripts import Scripts
from ipgate.v1 import admin_pb2 as admin

from tests.harness.groups import freeze, thaw
from tests.harness.servers import IPGATE, ROOT_TOKEN, Client, RpcFailed, Server, rejection, serving
from tests.harness.stores import StoreServer
from tests.harness.waiting import eventually

pytestmark = pytest.mark.engine

SHARED = {"IPGATE_ROOT_TOKEN": ""}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreServer]:
    running = StoreServer(tmp_path / "own").start()
    yield running
    running.stop()


def is_root(server: Server, token: str) -> bool:
    try:
        Client(server.address, token).call("ListWorkspaces", admin.ListWorkspacesRequest())
    except RpcFailed as failed:
        assert failed.reason == "TOKEN_INVALID"
        return False
    return True


def _lost(server: Server, token: str) -> bool:
    return not is_root(server, token)


def reset(*options: str) -> str:
    done = subprocess.run(
        [IPGATE, "token", "reset-root", *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_servers_on_one_store_share_a_root_token(tmp_path: Path, store: StoreServer) -> None:
    """The first keeps it, the second says where it is from; a reset makes a new one valid on both, and
    the former one invalid."""
    url = ("--redis-url", store.url)
    with (
        serving(tmp_path / "a", *url, **SHARED) as server,
        serving(tmp_path / "b", *url, **SHARED) as other,
    ):
        token = (tmp_path / "a" / "root-token").read_text().strip()
        assert not (tmp_path / "b" / "root-token").exists()
        assert is_root(server, token)
        assert is_root(other, token)
        assert not is_root(other, "x" * 40)
        said = reset(*url)
        assert "not shown again" in said
        renewed = said.splitlines()[0]
        for running in (server, other):
            eventually(partial(_lost, running, token), "the former is invalid")
            assert is_root(running, renewed)
        with store.client() as redis:
            dump = redis.get("ipgate:{s00}:root")
        assert renewed not in str(dump)
        assert "Traceback" not in server.log.read_text()


def test_a_token_that_is_given_holds_on_its_own_server(tmp_path: Path, store: StoreServer) -> None:
    """Whatever the store has; another server of the store does not know it."""
    url = ("--redis-url", store.url)
    with (
        serving(tmp_path / "a", *url) as server,
        serving(tmp_path / "b", *url, **SHARED) as other,
    ):
        shared = (tmp_path / "b" / "root-token").read_text().strip()
        assert is_root(server, ROOT_TOKEN)
        assert is_root(server, shared)
        assert is_root(other, shared)
        assert not is_root(other, ROOT_TOKEN)


def test_a_token_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """Without a restart; a file that holds no token leaves the former one valid, with one warning."""
    file = tmp_path / "token"
    file.write_text(f"{'a' * 40}\n")
    file.chmod(0o600)
    with serving(tmp_path / "s", **SHARED, IPGATE_ROOT_TOKEN_FILE=str(file)) as server:
        assert is_root(server, "a" * 40)
        file.write_text("short\n")
        eventually(lambda: "file='root token' reason=" in server.log.read_text(), "it warns")
        assert is_root(server, "a" * 40)
        file.write_text(f"{'b' * 40}\n")
        eventually(lambda: is_root(server, "b" * 40), "the new one is valid")
        assert not is_root(server, "a" * 40)
        log = server.log.read_text()
        assert log.count("file='root token' reason=") == 1
        assert "a" * 40 not in log
        assert "b" * 40 not in log


def test_the_embedded_stores_root_token_is_reset_in_its_file(tmp_path: Path) -> None:
    """The file has the new token, readable by its owner alone; the next start takes it."""
    with serving(tmp_path, **SHARED) as server:
        file = tmp_path / "root-token"
        token = file.read_text().strip()
        assert is_root(server, token)
        assert str(file) in reset("--data-dir", str(tmp_path))
        renewed = file.read_text().strip()
        assert file.stat().st_mode & 0o777 == 0o600
        assert renewed != token
        eventually(lambda: not is_root(server, token), "the former is invalid")
        assert is_root(server, renewed)
    with serving(tmp_path, **SHARED) as server:
        assert is_root(server, renewed)


def test_both_ways_to_give_a_token_are_too_many(tmp_path: Path) -> None:
    """The error names both, and no token."""
    said = rejection(
        *("--data-dir", str(tmp_path)), IPGATE_ROOT_TOKEN="x" * 40, IPGATE_ROOT_TOKEN_FILE="/f"
    )
    assert "IPGATE_ROOT_TOKEN and IPGATE_ROOT_TOKEN_FILE are both set" in said
    assert "x" * 40 not in said


def test_what_others_may_write_is_not_taken(tmp_path: Path) -> None:
    """A data directory or a token file that another user may change could be anybody's; the error has
    the command that repairs it, which works."""
    for path, mode, command in (
        (tmp_path / "data", 0o777, "chmod o-w"),
        (tmp_path / "data" / "root-token", 0o620, "chmod g-w"),
        (tmp_path / "data" / "root-token", 0o602, "chmod o-w"),
    ):
        (tmp_path / "data").mkdir(exist_ok=True)
        if path.name == "root-token":
            path.write_text("t" * 40)
        path.chmod(mode)
        said = rejection("--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"), **SHARED)
        assert f"run: {command} {path}" in said
        subprocess.run([*command.split(), path], check=True)
        check_private(path)
    sticky = tmp_path / "sticky"
    sticky.mkdir()
    sticky.chmod(0o1777)
    check_private(sticky)


def test_a_file_of_another_user_is_not_taken(tmp_path: Path) -> None:
    """Its owner could change it at any time."""
    file = tmp_path / "root-token"
    file.write_text("t" * 40)
    if os.geteuid() == 0:
        os.chown(file, 12345, 12345)
        with pytest.raises(BadSetting, match="belongs to another user"):
            check_private(file)


def test_a_symbolic_link_to_nothing_is_an_error(tmp_path: Path) -> None:
    """It is neither followed nor replaced."""
    link = tmp_path / "root-token"
    link.symlink_to(tmp_path / "nothing")
    said = rejection("--listen", "127.0.0.1:0", "--data-dir", str(tmp_path), **SHARED)
    assert "is a symbolic link to nothing" in said
    assert link.is_symlink()


async def test_a_token_that_was_reset_is_not_taken_while_the_store_is_silent(
    tmp_path: Path, store: StoreServer
) -> None:
    """A server with the former token in its data directory waits for the store to say which one holds."""
    url = ("--redis-url", store.url)
    with serving(tmp_path / "a", *url, **SHARED):
        former = (tmp_path / "a" / "root-token").read_text().strip()
    reset(*url)

    redis = connect(store.url, connections=1, socket_timeout=0.3)
    roots = RootStore(Scripts(redis, Clock()))
    freeze(store)
    with pytest.raises(Unavailable):
        await shared_root(roots, tmp_path / "a" / "root-token")
    thaw(store)
    digest, origin = await shared_root(roots, tmp_path / "a" / "root-token")
    assert (digest, origin) == (b"", ELSEWHERE)
    await redis.aclose()
    with serving(tmp_path / "a", *url, **SHARED) as server:
        assert not is_root(server, former)
