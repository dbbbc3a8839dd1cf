"""Stores that are not ready, take no writes or hang while servers and workers start."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path

import pytest
import redis
from ipgate.store.connection import StoreNotReady, UnusableStore, unusable
from ipgate.v1 import admin_pb2 as admin
from redis import exceptions as errors
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.harness.groups import free_ports, freeze, thaw
from tests.harness.in_process import running_worker
from tests.harness.revisions import counts, in_force
from tests.harness.servers import IPGATE, ROOT_TOKEN, Client, RpcFailed, serving
from tests.harness.stores import StoreServer
from tests.harness.waiting import eventually

pytestmark = pytest.mark.store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreServer]:
    running = StoreServer(tmp_path / "own").start()
    yield running
    thaw(running)
    running.stop()


def take_no_writes(store: StoreServer, kind: str) -> None:
    with store.client() as direct:
        if kind == "full":
            direct.config_set("maxmemory", "1mb")
        else:
            direct.replicaof("127.0.0.1", str(free_ports(1)[0]))


def take_writes(store: StoreServer) -> None:
    with store.client() as direct:
        direct.config_set("maxmemory", "0")
        direct.replicaof("NO", "ONE")


def is_denied(client: Client, key: str) -> bool:
    """Whether there is an answer; none may allow."""
    try:
        assert not client.ask("8.8.8.8", api_key=key).allowed
    except RpcFailed as failed:
        assert failed.code == "UNAVAILABLE"
        return False
    return True


@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_servers_and_workers_start_on_a_store_that_takes_no_writes(
    tmp_path: Path, store: StoreServer, kind: str
) -> None:
    """They answer as the store has it, also a worker that replaces a killed one, though none has a
    lease; once the store takes writes again, all are counted."""
    # The killed worker is waited for until its lease ends: it cannot be removed until then.
    options = ("--redis-url", store.url, "--max-staleness", "2")
    with serving(tmp_path / "a", *options) as server:
        client = server.client()
        key = client.key(client.workspace(), "k").api_key.name
        take_no_writes(store, kind)
        (worker,) = server.workers()
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: server.workers() not in ([], [worker]), "it is replaced")
        eventually(lambda: answers(client, key), "the new worker answers")
        with serving(tmp_path / "b", *options) as other:
            assert other.client().ask("8.8.8.8", api_key=key).allowed
            assert "Traceback" not in other.log.read_text()
            take_writes(store)
            disable = admin.UpdateApiKeyRequest(api_key={"name": key, "disabled": True})
            revision = client.call("UpdateApiKey", disable).revision
            assert in_force(client, revision)
            # Where its machine is busy, it may have to look at the store first; it never allows.
            eventually(lambda: is_denied(other.client(), key), "the other server denies")
            eventually(lambda: counts(client, revision) == 2, "both are counted")


def answers(client: Client, key: str) -> bool:
    try:
        return bool(client.ask("8.8.8.8", api_key=key, timeout=2).allowed)
    except RpcFailed as failed:
        assert failed.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
        return False


@pytest.mark.parametrize("subject", ["name", "credential", "unknown"])
async def test_without_a_lease_no_answer_is_older_than_its_question(
    store: StoreServer, subject: str
) -> None:
    """WaitForRevision does not wait for a worker without a lease, so that one looks at the store for
    each question, whatever it has in memory, and answers once it has applied what it found."""

    async with running_worker(store.url) as p:
        secret = "" if subject == "name" else "secret"
        if subject != "unknown":
            await p.key("k", secret)
            await p.allow_list("l", "192.0.2.1")
        await p.caught_up()
        before = await p.ask("192.0.2.1", secret=secret)
        p.follower.freshness.lease(-inf)
        assert await p.ask("192.0.2.1", secret=secret) == before, "it answers without a lease"
        p.feed_gate.shut()
        await p.feed_gate.reached.wait()
        if subject == "unknown":
            await p.key("k", secret)
        else:
            await p.link("l", "k")
        asking = asyncio.create_task(p.ask("8.8.8.8", secret=secret))
        done, _ = await asyncio.wait([asking], timeout=0.3)
        assert not done, "it waits for the change that it has not applied"
        p.feed_gate.open()
        wanted = "UNRESTRICTED" if subject == "unknown" else "NOT_IN_LINKED_LISTS"
        assert await asking == wanted


async def test_one_look_at_the_store_serves_all_questions_that_wait(store: StoreServer) -> None:
    """A hundred questions without a lease cost few looks, each of which began after its questions."""

    async with running_worker(store.url) as p:
        await p.key("k")
        await p.caught_up()
        await p.ask("192.0.2.1")
        p.follower.freshness.lease(-inf)
        with store.client() as direct:
            before = evals(direct)
            await asyncio.gather(*(p.ask("192.0.2.1") for _ in range(100)))
            assert evals(direct) - before < 10


def evals(direct: redis.Redis) -> int:
    return int(direct.info("commandstats")["cmdstat_eval"]["calls"])


@contextmanager
def starting(
    directory: Path, *options: str, token: str = ROOT_TOKEN
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A server that may not come up, and its log."""
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "log"
    command = [str(IPGATE), "serve", "--listen", "127.0.0.1:0", "--workers", "1"]
    with log.open("w") as errors_to:
        process = subprocess.Popen(
            [*command, "--data-dir", str(directory), *options],
            stdout=subprocess.PIPE,
            stderr=errors_to,
            text=True,
            env=os.environ | {"IPGATE_ROOT_TOKEN": token},
        )
    assert process.stdout is not None
    try:
        yield process, log
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


@pytest.mark.parametrize("state", ["refused", "busy", "read-only", "silent"])
def test_a_store_in_a_passing_state_is_waited_for(
    tmp_path: Path, store: StoreServer, state: str
) -> None:
    """One line says what is waited for; when the state passes, the server serves."""
    with store.client() as direct:
        if state == "refused":
            store.stop()
        elif state == "silent":
            freeze(store)
        elif state == "read-only":
            take_no_writes(store, state)
        else:
            direct.config_set("busy-reply-threshold", "100")
            with pytest.raises(redis.exceptions.TimeoutError):
                impatient(store).eval("while true do end", 0)
        with starting(tmp_path / "s", "--redis-url", store.url) as (process, log):
            eventually(lambda: "waiting for the store" in log.read_text(), "it says so")
            assert process.poll() is None
            if state == "refused":
                store.start()
            elif state == "silent":
                thaw(store)
            elif state == "read-only":
                take_writes(store)
            else:
                direct.script_kill()
            assert process.stdout is not None
            assert "listens on" in process.stdout.readline()
            assert log.read_text().count("waiting for the store") == 1
            assert "Traceback" not in log.read_text()


def impatient(store: StoreServer) -> redis.Redis:
    return redis.Redis(
        unix_socket_path=str(store.socket), socket_timeout=0.5, retry=Retry(NoBackoff(), 0)
    )


def test_a_store_that_never_gets_ready_ends_the_start(tmp_path: Path) -> None:
    """After --store-timeout one line says what is wrong, and the exit code is 2."""
    url = f"unix://{tmp_path}/nothing.sock"
    with starting(tmp_path / "s", "--redis-url", url, "--store-timeout", "1") as (process, log):
        assert process.wait(timeout=30) == 2
        last = log.read_text().splitlines()[-1]
        assert last.startswith("ipgate: the store cannot be used now")
        assert "--store-timeout" in last
        assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("state", ["missing", "silent"])
def test_a_server_that_waits_for_the_store_can_be_stopped(
    tmp_path: Path, store: StoreServer, state: str
) -> None:
    """SIGTERM ends it immediately, with exit code 0, and no root token is left behind."""
    freeze(store)
    url = store.url if state == "silent" else f"unix://{tmp_path}/nothing.sock"
    with starting(tmp_path / "s", "--redis-url", url, token="") as (process, log):
        if state == "missing":
            eventually(lambda: "waiting for the store" in log.read_text(), "it waits")
        else:
            eventually(lambda: connected(process.pid), "it waits for an answer")
        process.terminate()
        assert process.wait(timeout=4) == 0
        assert not (tmp_path / "s" / "root-token").exists()
        assert "root token" not in log.read_text()


def connected(pid: int) -> bool:
    """Whether a process has a socket, beside those that it listens on."""
    with suppress(FileNotFoundError):  # one that was just closed
        links = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
        return sum(link.startswith("socket:") for link in links) > 3
    return False


def test_a_stop_is_not_held_up_by_a_silent_store(tmp_path: Path, store: StoreServer) -> None:
    """The worker leaves within its margin and is not killed, though it cannot take itself out of the
    register."""
    options = ("--redis-url", store.url, "--shutdown-grace", "1")
    with serving(tmp_path / "s", *options) as server:
        freeze(store)
        assert server.stop() == 0
        assert "killed it" not in server.log.read_text()
        thaw(store)


@pytest.mark.parametrize(
    ("error", "passing", "text"),
    [
        (errors.BusyLoadingError("Redis is loading the dataset in memory"), True, "loading"),
        (errors.ResponseError("BUSY Redis is busy running a script."), True, "BUSY"),
        (errors.ClusterDownError("CLUSTERDOWN The cluster is down"), True, "cluster is down"),
        (errors.ReadOnlyError("You can't write against a read only replica."), True, "read only"),
        (errors.MasterDownError("Link with MASTER is down"), True, "MASTER"),
        (ConnectionRefusedError("refused"), True, "refused"),
        (errors.MovedError("1 127.0.0.1:7000"), False, "redis+cluster://"),
        (errors.AuthenticationError("WRONGPASS"), False, "user or password"),
        (errors.NoPermissionError("no permissions to run 'info'"), False, "docs/security.md"),
        (errors.ResponseError("ERR unknown command"), False, "unknown command"),
    ],
)
def test_what_may_pass_is_told_from_what_must_be_mended(
    error: Exception, passing: bool, text: str
) -> None:
    """A state that may pass is waited for, anything else ends the start with what to do."""
    reason = unusable(error)
    assert isinstance(reason, UnusableStore)
    assert isinstance(reason, StoreNotReady) == passing
    assert text in str(reason)


def test_a_worker_killed_in_an_outage_is_back_with_the_store(
    tmp_path: Path, store: StoreServer
) -> None:
    """It waits for the store instead of failing again and again, and says so in one line."""
    with serving(tmp_path / "a", "--redis-url", store.url) as server:
        client = server.client()
        key = client.key(client.workspace(), "k").api_key.name
        freeze(store)
        (worker,) = server.workers()
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: server.workers() not in ([], [worker]), "it is replaced")
        eventually(lambda: "waiting for the store" in server.log.read_text(), "it waits")
        (replacement,) = server.workers()
        thaw(store)
        eventually(lambda: answers(client, key), "it answers")
        assert server.workers() == [replacement], "it did not have to be started again"
        log = server.log.read_text()
        assert "Traceback" not in log
        assert log.count("waiting for the store") == 1


def test_a_store_that_hangs_while_workers_start_stops_none_of_them(
    tmp_path: Path, store: StoreServer
) -> None:
    """The ones that serve already go on, and the others come when the store is back."""
    options = ("--redis-url", store.url, "--workers", "6")
    with starting(tmp_path / "a", *options) as (process, log):
        with store.client() as direct:
            eventually(lambda: direct.hlen("ipgate:workers") > 0, "the first serves")
        freeze(store)
        eventually(lambda: "cannot be followed" in log.read_text(), "the hang is noticed")
        thaw(store)
        assert process.stdout is not None
        assert "listens on" in process.stdout.readline()
