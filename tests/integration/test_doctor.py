"""`ipgate doctor`: what it finds, what it repairs, and that it reports no healthy store."""

import asyncio
import json
import os
import random
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ipgate.clock import Clock
from ipgate.doctor import examination
from ipgate.doctor.findings import Problem
from ipgate.doctor.repair import Repair
from ipgate.store.connection import connect
from ipgate.store.key_names import WORKERS
from ipgate.store.scripts import Scripts
from ipgate.v1 import admin_pb2 as admin

from tests.harness.damage import (
    BEYOND_REPAIR,
    CREDENTIAL,
    REPAIRABLE,
    SHA256,
    Damage,
    Sample,
    W,
    filled,
)
from tests.harness.servers import IPGATE, RpcFailed, serving
from tests.harness.stores import StoreServer, running
from tests.harness.traffic import KeyTraffic, disturbed
from tests.harness.waiting import eventually

pytestmark = pytest.mark.store


def examined(store: StoreServer | str, *, fix: bool = False) -> examination.Report:
    url = store if isinstance(store, str) else store.url

    async def run() -> examination.Report:
        client = connect(url, connections=4)
        try:
            return await examination.examine(client, fix=fix, progress=lambda *_: None)
        finally:
            await client.aclose()

    return asyncio.run(run())


def called(*options: str, code: int = 0) -> str:
    """What `ipgate doctor` prints; checks the exit code."""
    done = subprocess.run(
        [IPGATE, "doctor", *options], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    with filled(tmp_path_factory.mktemp("doctor")) as store:
        yield Sample(store)


@pytest.fixture
def damaged(sample: Sample, request: pytest.FixtureRequest) -> StoreServer:
    """The store with the test's damage."""
    sample.damage(request.param)
    return sample.store


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else writes, so the second look need not wait."""
    monkeypatch.setattr(examination, "_PAUSE", 0.0)


def names(findings: Any) -> set[str]:
    return {finding.problem.name for finding in findings}


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("damaged", "damage"),
    [pytest.param(damage, damage, id=damage.name) for damage in REPAIRABLE],
    indirect=["damaged"],
)
def test_what_can_be_mended_is_found_and_mended(
    damaged: StoreServer, damage: Damage, tmp_path: Path
) -> None:
    """Each such damage is named as what it is, is gone after the repair, and all calls work again."""
    examination = examined(damaged)
    assert names(examination.remaining) == damage.problems
    assert all(finding.problem.value.is_automatic for finding in examination.remaining)
    report = examined(damaged, fix=True)
    assert set(report.repaired) == set(examination.remaining)
    assert not report.remaining
    assert not examined(damaged).remaining
    if damage.name == "token-of-no-workspace":
        return
    with serving(tmp_path, "--redis-url", damaged.url) as server:
        client = server.client()
        assert client.ask("198.51.100.73", key=CREDENTIAL).allowed
        assert not client.ask("9.9.9.9", key=CREDENTIAL).allowed
        assert client.call("ListWorkspaces", admin.ListWorkspacesRequest()).workspaces
        parent = f"workspaces/{W}"
        keys = client.call("ListApiKeys", admin.ListApiKeysRequest(parent=parent)).api_keys
        assert f"{parent}/apiKeys/linked" in [key.name for key in keys]
        lists = client.call("ListAllowLists", admin.ListAllowListsRequest(parent=parent))
        assert [allow_list.linked_api_key_count for allow_list in lists.allow_lists] == [1, 0]
        tokens = client.call("ListAccessTokens", admin.ListAccessTokensRequest(workspace=parent))
        assert len(tokens.access_tokens) == 1
        client.key(parent, "late", credential_sha256="a" * 64)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("damaged", "damage"),
    [pytest.param(damage, damage, id=damage.name) for damage in BEYOND_REPAIR],
    indirect=["damaged"],
)
def test_what_cannot_be_mended_is_found_and_left_alone(
    damaged: StoreServer, damage: Damage
) -> None:
    """Each such damage is named correctly, and a repair does not touch what it cannot repair."""
    assert names(examined(damaged).remaining) == damage.problems
    after = names(examined(damaged, fix=True).remaining)
    assert after >= {name for name in damage.problems if not Problem[name].value.is_automatic}


def test_every_problem_is_provoked_and_documented() -> None:
    """No check goes untested, and `docs/operations.md` explains each problem."""
    provoked = set().union(*(damage.problems for damage in REPAIRABLE + BEYOND_REPAIR))
    assert provoked == {problem.name for problem in Problem}
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    assert all(f"`{problem.name}`" in text for problem in Problem)


def test_a_store_in_use_has_no_findings(tmp_path: Path) -> None:
    """While four callers create, link, unlink and delete, and afterwards, nobody is accused."""
    with (
        running(tmp_path / "s") as store,
        serving(tmp_path / "d", "--redis-url", store.url) as server,
    ):
        client = server.client()
        workspace = client.workspace()
        with disturbed(client, workspace):
            for _ in range(3):
                assert not examined(store).remaining
        assert not examined(store).remaining
        assert examined(store).examined > 18, "there is more than the metas"


def test_a_refused_creation_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither a reservation nor an index entry, whatever it was that refused the creation."""
    options = ("--max-keys-per-workspace", "4")
    with filled(tmp_path) as store, store.client() as plain:
        before = set(plain.scan_iter())
        with serving(tmp_path / "d", "--redis-url", store.url, *options) as server:
            client = server.client()
            with pytest.raises(RpcFailed, match="registered already"):
                client.key(f"workspaces/{W}", "second", credential_sha256=SHA256)
            assert set(plain.scan_iter()) - {WORKERS} == before
            with ThreadPoolExecutor(8) as pool:
                futures = [pool.submit(client.key, f"workspaces/{W}", "same") for _ in range(8)]
            assert sum(future.exception() is None for future in futures) == 1
        assert len(set(plain.scan_iter()) - {WORKERS}) == len(before) + 2


def test_a_mended_index_entry_is_announced(tmp_path: Path) -> None:
    """A worker that remembers the credential as unknown learns of it when the entry is put back."""
    with filled(tmp_path) as store, serving(tmp_path / "d", "--redis-url", store.url) as server:
        client = server.client()
        with store.client() as plain:
            plain.delete(f"ipgate:digest:{SHA256}")
        assert not client.ask("198.51.100.73", key=CREDENTIAL).allowed
        assert "repaired" in called("--redis-url", store.url, "--fix")
        eventually(lambda: client.ask("198.51.100.73", key=CREDENTIAL).allowed, "it is known")


def test_mending_leaves_alone_what_changed_since_it_was_read(tmp_path: Path) -> None:
    """An entry that was taken over, a key that was created again, and a link that was taken off
    between the examination and the repair stay as they are."""
    with filled(tmp_path) as store, store.client() as plain:
        for damage in REPAIRABLE:
            if damage.name in ("entry-of-no-key", "cut-off-creation", "cut-off-deletion"):
                damage.make(plain)
        findings = list(examined(store).remaining)
        with serving(tmp_path / "d", "--redis-url", store.url) as server:
            client = server.client()
            for digest, key in (("a" * 64, "late"), ("b" * 64, "nobody")):
                client.key(f"workspaces/{W}", key, credential_sha256=digest)
            plain_again = client.key(f"workspaces/{W}", "plain").credential

            async def repair() -> None:
                redis_client = connect(store.url, connections=2)
                await Repair(Scripts(redis_client, Clock())).run(findings)
                await redis_client.aclose()

            asyncio.run(repair())
            for key in ("late", "nobody", "plain"):
                assert client.ask("10.0.0.1", api_key=f"workspaces/{W}/apiKeys/{key}").allowed
            assert client.ask("10.0.0.1", key=plain_again).allowed
        assert not examined(store).remaining


@pytest.mark.parametrize("seed", range(3))
def test_kills_at_random_lose_nothing_that_was_acknowledged(tmp_path: Path, seed: int) -> None:
    """Store, worker or everything is killed while keys are created, rotated and deleted. Afterwards each
    acknowledged change is there, no key is there by half, and the doctor leaves nothing."""
    chance = random.Random(seed)
    with serving(tmp_path) as server:
        traffics = [KeyTraffic(server.client(), server.client().workspace()) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            running = [
                pool.submit(traffic.run, random.Random(seed * 10 + index))
                for index, traffic in enumerate(traffics)
            ]
            eventually(lambda: any(traffic.gone for traffic in traffics), "keys are deleted")
            threading.Event().wait(chance.uniform(0, 0.5))
            victims = (server.stores(), server.workers(), [server.process.pid, *server.children()])
            for pid in victims[seed]:
                os.kill(pid, signal.SIGKILL)
            for future in running:
                future.result()
    eventually(lambda: can_be_examined(tmp_path), "the store is free")
    with serving(tmp_path) as server:
        client = server.client()
        for traffic in traffics:
            for credential, name in traffic.there.items():
                assert client.ask("8.8.8.8", key=credential).api_key == name
            for credential, name in traffic.gone.items():
                assert not client.ask("8.8.8.8", key=credential).allowed
                assert not client.ask("8.8.8.8", api_key=name).allowed
            for credential, name in traffic.open.items():
                answers = client.ask("8.8.8.8", key=credential), client.ask("8.8.8.8", api_key=name)
                assert answers[0].reason == answers[1].reason
        called("--data-dir", str(tmp_path), "--fix")
    called("--data-dir", str(tmp_path))


def can_be_examined(directory: Path) -> bool:
    command = [str(IPGATE), "doctor", "--data-dir", str(directory)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    return done.returncode < 2


def test_the_embedded_store_is_examined_with_and_without_a_server(tmp_path: Path) -> None:
    """Over the socket of the running server, else with a store of its own that ends with it."""
    with serving(tmp_path) as server:
        server.client().workspace()
        assert "0 remain" in called("--data-dir", str(tmp_path))
        server.client().workspace()
    assert "0 remain" in called("--data-dir", str(tmp_path))
    with serving(tmp_path) as server:
        assert (
            len(server.client().call("ListWorkspaces", admin.ListWorkspacesRequest()).workspaces)
            == 2
        )


def test_the_command_tells_what_is_wrong_and_whether_it_was_mended(tmp_path: Path) -> None:
    """Exit code 1 while anything is wrong, 0 when all was repaired; a table, or JSON."""
    with filled(tmp_path) as store, store.client() as plain:
        url = ("--redis-url", store.url)
        assert json.loads(called(*url, "--json"))["findings"] == []
        plain.delete(f"ipgate:digest:{SHA256}")
        said = called(*url, code=1)
        assert "NO_ENTRY" in said
        assert "can be repaired" in said
        plain.set("ipgate:{s00}:nonsense", "1")
        findings = json.loads(called(*url, "--json", "--fix", code=1))["findings"]
        assert {(finding["problem"], finding["state"]) for finding in findings} == {
            ("NO_ENTRY", "repaired"),
            ("UNKNOWN_KEY", "needs you"),
        }
        plain.delete("ipgate:{s00}:nonsense")
        assert "0 remain" in called(*url)


def test_the_memory_that_workers_take_is_reported(tmp_path: Path) -> None:
    """By the numbers of keys and ranges in the store."""
    with filled(tmp_path) as store:
        said = called("--redis-url", store.url)
    assert "400 bytes x 3 API keys + 24 bytes x 3 ranges" in said


def test_a_store_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """Exit code 2, one message, and no store is made."""
    assert "there is no store" in called("--data-dir", str(tmp_path / "none"), code=2)
    assert not (tmp_path / "none").exists()
    nobody = f"unix://{tmp_path}/nobody.sock"
    assert "cannot be used now" in called("--redis-url", nobody, code=2)
    assert "use redis://" in called("--redis-url", "nonsense", code=2)
