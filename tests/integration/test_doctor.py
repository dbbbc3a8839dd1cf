"""`ipgate doctor`: what it finds, what it mends, and that it accuses nobody wrongly."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from ipgate.store.connection import connect
from ipgate.store.upkeep import doctor
from ipgate.store.upkeep.findings import Problem
from ipgate.v1 import admin_pb2 as admin

from tests.harness.damage import BEYOND_MENDING, CREDENTIAL, MENDABLE, Damage, W, filled
from tests.harness.servers import IPGATE, serving
from tests.harness.stores import StoreServer


def examined(store: StoreServer | str, *, mend: bool = False) -> doctor.Report:
    url = store if isinstance(store, str) else store.url

    async def run() -> doctor.Report:
        client = connect(url, connections=4)
        try:
            return await doctor.examine(client, mend=mend, progress=lambda *_: None)
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
def sample(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[StoreServer, dict[str, Any]]]:
    """A store for all the damage, and the dumps of its keys as they were before."""
    with filled(tmp_path_factory.mktemp("doctor")) as store:
        with redis.Redis(unix_socket_path=str(store.socket)) as client:
            dumps = {key: client.dump(key) for key in client.scan_iter()}
        yield store, dumps


@pytest.fixture
def damaged(
    sample: tuple[StoreServer, dict[str, Any]], request: pytest.FixtureRequest
) -> StoreServer:
    """The store with the test's damage."""
    store, dumps = sample
    with redis.Redis(unix_socket_path=str(store.socket)) as client:
        client.flushall()
        for key, dump in dumps.items():
            client.restore(key, 0, dump)
    with store.client() as client:
        assert request.param.make(client) is not False
    return store


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else writes, so the second look need not wait."""
    monkeypatch.setattr(doctor, "_PAUSE", 0.0)


def names(findings: Any) -> set[str]:
    return {each.problem.name for each in findings}


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("damaged", "damage"),
    [pytest.param(each, each, id=each.name) for each in MENDABLE],
    indirect=["damaged"],
)
def test_what_can_be_mended_is_found_and_mended(
    damaged: StoreServer, damage: Damage, tmp_path: Path
) -> None:
    """Each such damage is named as what it is, is gone after mending, and all calls work again."""
    found = examined(damaged)
    assert names(found.remaining) == damage.found
    assert all(each.problem.value.mend for each in found.remaining)
    report = examined(damaged, mend=True)
    assert set(report.mended) == set(found.remaining)
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
        assert f"{parent}/apiKeys/linked" in [each.name for each in keys]
        lists = client.call("ListAllowLists", admin.ListAllowListsRequest(parent=parent))
        assert [each.linked_api_key_count for each in lists.allow_lists] == [1, 0]
        tokens = client.call("ListAccessTokens", admin.ListAccessTokensRequest(workspace=parent))
        assert len(tokens.access_tokens) == 1
        client.key(parent, "late", credential_sha256="a" * 64)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("damaged", "damage"),
    [pytest.param(each, each, id=each.name) for each in BEYOND_MENDING],
    indirect=["damaged"],
)
def test_what_cannot_be_mended_is_found_and_left_alone(
    damaged: StoreServer, damage: Damage
) -> None:
    """Each such damage is named as what it is, and mending does not touch what it cannot mend."""
    assert names(examined(damaged).remaining) == damage.found
    after = names(examined(damaged, mend=True).remaining)
    assert after >= {name for name in damage.found if not Problem[name].value.mend}


def test_every_problem_is_provoked_and_documented() -> None:
    """No check goes untested, and `docs/operations.md` explains each problem."""
    provoked = set().union(*(each.found for each in MENDABLE + BEYOND_MENDING))
    assert provoked == {each.name for each in Problem}
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    assert all(f"`{each.name}`" in text for each in Problem)
