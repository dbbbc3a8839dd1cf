"""The remedies of `ipgate doctor` for what it cannot repair work when followed literally."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ipgate.v1 import admin_pb2 as admin

from tests.harness.damage import BEYOND_REPAIR, CREDENTIAL, OWN, Damage, Sample, W, filled
from tests.harness.ranges import plain
from tests.harness.servers import IPGATE, Client, RpcFailed, serving
from tests.harness.stores import StoreServer

pytestmark = pytest.mark.store

Follow = Callable[[Client, Any], Any]
NAME = f"workspaces/{W}"
OFFICE, SPARE = f"{NAME}/allowLists/office", f"{NAME}/allowLists/spare"
LINKED, PLAIN = f"{NAME}/apiKeys/linked", f"{NAME}/apiKeys/plain"


def update(method: str, resource: str, name: str, **fields: Any) -> Follow:
    kind = getattr(admin, f"{method}Request")
    request = kind(**{resource: {"name": name} | fields}, update_mask={"paths": fields})
    return lambda client, _: client.call(method, request)


def link_anew(client: Client, _: Any) -> None:
    client.link(OFFICE, LINKED)


def link_and_unlink(client: Client, _: Any) -> None:
    client.link(OFFICE, LINKED)
    client.unlink(OFFICE, LINKED)


def delete(key: str) -> Follow:
    return lambda client, _: client.call("DeleteApiKey", admin.DeleteApiKeyRequest(name=key))


def switch_off(client: Client, _: Any) -> None:
    client.default(NAME, enabled=False)


CASES: list[tuple[str, str, Follow]] = [
    (
        "bad-flag",
        "update the resource with a valid value",
        update("UpdateWorkspace", "workspace", NAME, require_allow_list=True),
    ),
    (
        "bad-name",
        "update the resource with a valid value",
        update("UpdateApiKey", "api_key", LINKED, display_name="x"),
    ),
    (
        "no-stamp",
        "update the resource with a valid value",
        update("UpdateAllowList", "allow_list", OFFICE, description="other"),
    ),
    (
        "no-ranges",
        "give the list all its ranges again",
        update("UpdateAllowList", "allow_list", OFFICE, ranges=plain(["192.0.2.0/24"])),
    ),
    (
        "bad-range",
        "give the list all its ranges again",
        update("UpdateAllowList", "allow_list", OFFICE, ranges=plain(["192.0.2.0/24"])),
    ),
    ("lost-default", "set another default list", lambda c, _: c.default(NAME, SPARE)),
    ("no-default", "set another default list", lambda c, _: c.default(NAME, SPARE)),
    ("lost-default", "or switch the default off", switch_off),
    ("unlinked-key", "link again", link_anew),
    ("unlinked-key", "then unlink if need be", link_and_unlink),
    ("credential-twice", "delete one of the two", delete(PLAIN)),
    ("unknown-key", "delete it by hand", lambda _, store: store.delete("ipgate:{s00}:nonsense")),
    (
        "may-evict",
        "set maxmemory-policy noeviction",
        lambda _, store: store.config_set("maxmemory-policy", "noeviction"),
    ),
]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    with filled(tmp_path_factory.mktemp("doctor")) as store:
        yield Sample(store)


def damaged(sample: Sample, name: str) -> StoreServer:
    sample.damage(next(damage for damage in BEYOND_REPAIR if damage.name == name))
    return sample.store


def doctor(store: StoreServer, *options: str, code: int) -> str:
    command = [str(IPGATE), "doctor", "--redis-url", store.url, *options]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(("name", "remedy", "follow"), CASES)
def test_the_remedy_for_a_finding_works(
    tmp_path: Path, sample: Sample, name: str, remedy: str, follow: Follow
) -> None:
    """The finding carries the remedy, and is gone once it is followed."""
    store = damaged(sample, name)
    assert remedy in doctor(store, code=1)
    options = ("--redis-url", store.url, "--allow-eviction")
    with serving(tmp_path, *options) as server, store.client() as plain:
        follow(server.client(), plain)
    doctor(store, code=0)


def test_a_damaged_root_token_is_made_anew(sample: Sample) -> None:
    """The command that doctor names makes a token with which the store is sound again."""
    store = damaged(sample, "bad-root")
    assert "ipgate token reset-root" in doctor(store, code=1)
    reset = [str(IPGATE), "token", "reset-root", "--redis-url", store.url]
    subprocess.run(reset, check=True, timeout=60, capture_output=True)
    doctor(store, code=0)


@pytest.mark.parametrize("renamed", [OFFICE, SPARE])
def test_one_of_two_lists_of_a_name_is_renamed(
    tmp_path: Path, sample: Sample, renamed: str
) -> None:
    """Whichever of them it is, both names are kept for their lists after it."""
    store = damaged(sample, "name-twice")
    assert "another display name, and run doctor with --fix" in doctor(store, code=1)
    with serving(tmp_path, "--redis-url", store.url) as server:
        update("UpdateAllowList", "allow_list", renamed, display_name="x")(server.client(), None)
    doctor(store, "--fix", code=0)


def test_a_lost_list_is_created_again(tmp_path: Path, sample: Sample) -> None:
    """It is linked as before, and has the ranges that are given: none of the lost one comes back."""
    store = damaged(sample, "lost-list")
    assert "free its name with --fix and create the list again" in doctor(store, code=1)
    doctor(store, "--fix", code=1)
    with serving(tmp_path, "--redis-url", store.url) as server:
        client = server.client()
        with pytest.raises(RpcFailed, match="UNAVAILABLE"):
            client.ask("192.0.2.1", key=CREDENTIAL)
        client.allow_list(NAME, "office", ["198.51.100.0/24"], display_name="Office")
        assert client.ask("198.51.100.1", key=CREDENTIAL).allowed
        assert not client.ask("192.0.2.1", key=CREDENTIAL).allowed
    doctor(store, code=0)


def test_a_key_of_a_lost_list_is_deleted(tmp_path: Path, sample: Sample) -> None:
    """Then nobody is linked to the list any more."""
    store = damaged(sample, "lost-list")
    assert "or delete the key" in doctor(store, code=1)
    with serving(tmp_path, "--redis-url", store.url) as server:
        server.client().call("DeleteApiKey", admin.DeleteApiKeyRequest(name=LINKED))
    assert "MISSING_LIST" not in doctor(store, code=1)


@pytest.mark.parametrize("damage", BEYOND_REPAIR, ids=lambda damage: damage.name)
def test_damage_is_no_fault_of_ipgate(tmp_path: Path, sample: Sample, damage: Damage) -> None:
    """What is stored and cannot be read fails a call with STORE_BROKEN, never with INTERNAL, and lets
    nobody in whom the sound store refuses."""
    sample.damage(damage)
    if damage.name in {"other-schema", "import", "wrong-type"}:
        return  # no server starts on the first two; the third is of no resource
    reads = {
        "GetWorkspace": {"name": NAME},
        "ListWorkspaces": {},
        "ListAllowLists": {"parent": NAME},
        "GetAllowList": {"name": OFFICE},
        "ListApiKeys": {"parent": NAME},
        "GetApiKey": {"name": LINKED},
        "ListLinkedApiKeys": {"allow_list": OFFICE},
        "ListAccessTokens": {"workspace": NAME},
    }
    with serving(tmp_path, "--redis-url", sample.store.url, "--allow-eviction") as server:
        client = server.client()
        for method, fields in reads.items():
            try:
                client.call(method, getattr(admin, f"{method}Request")(**fields))
            except RpcFailed as failed:
                assert failed.reason in {"STORE_BROKEN", "RESOURCE_NOT_FOUND"}, method
        for ip in ("8.8.8.8", "198.51.100.73"):
            try:
                assert not client.ask(ip, key=CREDENTIAL).allowed or ip != "8.8.8.8"
            except RpcFailed as failed:
                assert failed.reason in {"STORE_BROKEN", "STALE"}
        assert "Traceback" not in server.log.read_text()


def test_a_damaged_off_switch_opens_nothing(tmp_path: Path, sample: Sample) -> None:
    """A key whose `disabled` is neither 0 nor 1 may have been disabled: its calls fail."""
    damage = Damage(
        "bad-switch", lambda s: s.hset(f"{OWN}:key:linked", "disabled", "maybe"), {"BAD_FIELD"}
    )
    sample.damage(damage)
    with (
        serving(tmp_path, "--redis-url", sample.store.url, "--allow-eviction") as server,
        pytest.raises(RpcFailed) as failed,
    ):
        server.client().ask("198.51.100.73", key=CREDENTIAL)
    assert failed.value.reason == "STORE_BROKEN"
