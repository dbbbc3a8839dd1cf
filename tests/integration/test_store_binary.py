"""The embedded store: which server program it runs, and whose files that program may open."""

import asyncio
import shutil
from pathlib import Path

import pytest
from ipgate.store import store_binary
from ipgate.store.connection import UnusableStore
from ipgate.store.embedded import EmbeddedStore
from ipgate.store.store_binary import Version, find_store_binary

from tests.harness.servers import IPGATE, serving
from tests.integration.test_setting_remedies import rejection


@pytest.fixture
def redis_server() -> str:
    path = shutil.which("redis-server")
    assert path, "redis-server is not installed; make test installs it (Debian: redis-server)"
    return path


def test_the_store_runs_the_configured_program(tmp_path: Path, redis_server: str) -> None:
    """With --store-binary it is that one, and the directory says which server wrote it."""
    with serving(tmp_path, "--store-binary", redis_server) as server:
        client = server.client()
        client.key(client.workspace(), "k")
    assert (tmp_path / "store" / "server").read_text().startswith("redis 7.")
    with serving(tmp_path) as server:
        assert server.client().workspace()  # Valkey reads what Redis 7.0 wrote
    assert (tmp_path / "store" / "server").read_text().startswith("valkey ")


def test_a_store_that_cannot_read_the_data_leaves_them_alone(
    tmp_path: Path, redis_server: str
) -> None:
    """Redis 7 does not read the files of Valkey 9: one line says so, and the remedy works."""
    with serving(tmp_path) as server:
        client = server.client()
        workspace = client.workspace()
        client.key(workspace, "k")
    said = rejection(tmp_path, "--store-binary", redis_server)
    assert "was written by valkey 9" in said
    assert "give --store-binary with valkey 9" in said
    valkey = asyncio.run(find_store_binary("")).path
    with serving(tmp_path, "--store-binary", valkey) as server:
        assert server.client().ask("1.2.3.4", api_key=f"{workspace}/apiKeys/k").allowed


@pytest.mark.parametrize(
    ("program", "reason"),
    [("/nowhere/valkey-server", "cannot be run"), (str(IPGATE), "is neither valkey-server nor")],
)
def test_a_program_that_is_no_store_is_rejected(tmp_path: Path, program: str, reason: str) -> None:
    """With one line that names it."""
    assert reason in rejection(tmp_path, "--store-binary", program)


def test_without_the_package_a_server_on_the_path_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_server: str
) -> None:
    """And without either, the error names three ways out."""
    monkeypatch.setattr(store_binary, "_packaged", lambda: None)
    binary = asyncio.run(find_store_binary(""))
    assert binary.path in (shutil.which("valkey-server"), redis_server)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnusableStore, match="no server for the embedded store; give --redis-url"):
        asyncio.run(EmbeddedStore(tmp_path / "s").start())


@pytest.mark.parametrize(
    ("mine", "written", "reads"),
    [
        (("valkey", (9, 1)), ("valkey", (9, 1)), True),
        (("valkey", (9, 1)), ("valkey", (8, 0)), True),
        (("valkey", (8, 0)), ("valkey", (9, 1)), False),
        (("valkey", (8, 0)), ("redis", (7, 2)), True),
        (("valkey", (9, 1)), ("redis", (7, 4)), False),
        (("redis", (8, 0)), ("valkey", (8, 0)), False),
        (("redis", (7, 4)), ("redis", (7, 0)), True),
    ],
)
def test_files_are_read_by_the_same_or_a_later_server(
    mine: tuple[str, tuple[int, int]], written: tuple[str, tuple[int, int]], *, reads: bool
) -> None:
    """Valkey also reads those of the Redis that it came from; nothing reads those of a later one."""
    assert Version(*mine).reads(Version(*written)) is reads
