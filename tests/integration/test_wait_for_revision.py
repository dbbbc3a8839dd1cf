"""WaitForRevision, and the registry of live workers behind it."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ipgate.authorizer.revision_waits import MAX_PER_TOKEN, MAX_PER_WORKSPACE, RevisionWaits
from ipgate.domain.errors import LimitExceeded
from ipgate.domain.resources import Caller, Role
from ipgate.domain.revision import parse_revision
from ipgate.v1 import admin_pb2 as admin

from tests.harness.revisions import counts, in_force
from tests.harness.servers import Client, RpcFailed, Server, serving
from tests.harness.waiting import eventually

pytestmark = pytest.mark.store

STALENESS = 2.0
LEASE = STALENESS + 2


def change(client: Client, workspace: str) -> str:
    update = admin.UpdateWorkspaceRequest(workspace={"name": workspace, "display_name": "x"})
    update.update_mask.paths.append("display_name")
    return str(client.call("UpdateWorkspace", update).revision)


def test_after_the_wait_no_worker_answers_by_less(tmp_path: Path) -> None:
    """All workers of both servers are counted, and each answers by the change without being told its
    revision."""
    with serving(tmp_path / "a", "--workers", "2") as server:
        url = f"unix://{tmp_path}/a/store/valkey.sock"
        with serving(tmp_path / "b", "--redis-url", url, "--workers", "2") as other:
            clients = [target.client() for target in (server, other) for _ in range(6)]
            workspace = clients[0].workspace()
            key = clients[0].key(workspace, "k").api_key.name
            name = clients[0].allow_list(workspace, "l", ["192.0.2.1"]).name
            for client in clients:
                assert client.ask("8.8.8.8", api_key=key).allowed
            for index, writer in enumerate(clients):
                linking = writer.unlink if index % 2 else writer.link
                assert in_force(writer, linking(name, key)) == 4
                for client in clients:
                    assert client.ask("8.8.8.8", api_key=key).allowed == bool(index % 2)


def test_workers_that_end_are_not_waited_for(tmp_path: Path) -> None:
    """A killed worker is deregistered by its supervisor, and so is a server that stops."""
    with serving(tmp_path / "a", "--workers", "2") as server:
        url = f"unix://{tmp_path}/a/store/valkey.sock"
        client = server.client()
        workspace = client.workspace()
        with serving(tmp_path / "b", "--redis-url", url) as other:
            eventually(lambda: counts(client, change(client, workspace)) == 3, "all are counted")
            (worker,) = other.workers()
            os.kill(worker, signal.SIGKILL)
            eventually(lambda: other.workers() not in ([], [worker]), "it is replaced")
            eventually(
                lambda: counts(client, change(client, workspace)) == 3, "again", within=LEASE * 3
            )
        assert in_force(client, change(client, workspace)) == 2


def _frozen(server: Server) -> int:
    (worker,) = server.workers()
    os.kill(worker, signal.SIGSTOP)
    return worker


def test_a_frozen_worker_is_waited_for_while_it_may_answer(tmp_path: Path) -> None:
    """Until its lease runs out a revision is not in force; then it is, and the worker, thawed, does
    not answer from what it had. One that stays frozen is killed and replaced."""
    options = ("--max-staleness", str(STALENESS))
    with serving(tmp_path / "a", *options) as server:
        url = f"unix://{tmp_path}/a/store/valkey.sock"
        with serving(tmp_path / "b", "--redis-url", url, *options) as other:
            client, elsewhere = server.client(), other.client()
            workspace = client.workspace()
            key = client.key(workspace, "k").api_key.name
            assert elsewhere.ask("8.8.8.8", api_key=key).allowed
            worker = _frozen(other)
            disable = admin.UpdateApiKeyRequest(api_key={"name": key, "disabled": True})
            revision = client.call("UpdateApiKey", disable).revision
            eventually(lambda: _spread(client, revision) == (1, 2, 1), "one worker applies it")
            with pytest.raises(RpcFailed, match="1 of 2 workers"):
                in_force(client, revision, timeout=2.5)
            eventually(lambda: counts(client, revision) == 1, "the lease runs out")
            os.kill(worker, signal.SIGCONT)

            def answered() -> bool:
                try:
                    assert not elsewhere.ask("8.8.8.8", api_key=key).allowed
                except RpcFailed as failed:
                    assert failed.code == "UNAVAILABLE"
                    return False
                return True

            eventually(answered, "the thawed worker answers")
            eventually(partial(_counted, client, revision, 2), "it is counted again")
            worker = _frozen(other)
            eventually(lambda: other.workers() not in ([], [worker]), "it is replaced", within=60)


def _spread(client: Client, revision: str) -> tuple[int, int, int]:
    """How many workers have applied a revision, how many there are, and how many are named as behind."""
    request = admin.GetRevisionStatusRequest(revision=revision)
    try:
        status = client.call("GetRevisionStatus", request)
    except RpcFailed as failed:
        assert (failed.code, failed.reason) == ("UNAVAILABLE", "REVISION_NOT_REACHED")
        return 0, 0, 0
    return status.applied_worker_count, status.worker_count, len(status.workers_behind)


def _counted(client: Client, revision: str, count: int) -> bool:
    return counts(client, revision) == count


def test_a_revision_that_is_none_is_refused(client: Client) -> None:
    """The violation names the field."""
    for text in ("", "x", "r1.0.0"):
        with pytest.raises(RpcFailed) as failed:
            in_force(client, text)
        assert list(failed.value.fields) == ["revision"]


def made_up(revision: str, *, epoch: str = "", ahead: int = 0) -> str:
    """A revision that nobody was given."""
    real = parse_revision("x", revision)
    return replace(
        real, epoch=epoch or real.epoch, sequence=real.sequence + ahead, change_id="0" * 16
    ).token()


@pytest.mark.parametrize("fields", [{"epoch": "f" * 16}, {"ahead": 100_000}])
def test_a_revision_of_another_store_is_not_waited_for(
    client: Client, workspace: str, fields: dict[str, Any]
) -> None:
    """A fresh look at the store settles it, for WaitForRevision and for `min_revision` alike."""
    foreign = made_up(change(client, workspace), **fields)
    key = client.key(workspace, "k").api_key.name
    for wait in (
        lambda: in_force(client, foreign),
        lambda: client.ask("192.0.2.1", api_key=key, min_revision=foreign),
    ):
        with pytest.raises(RpcFailed, match="does not have the revision") as failed:
            wait()
        assert (failed.value.code, failed.value.reason) == ("UNAVAILABLE", "REVISION_NOT_REACHED")


def test_waits_for_made_up_revisions_leave_room_for_others(client: Client, workspace: str) -> None:
    """A token holds a bounded number of waits; its other calls, and waits of other tokens, go on."""
    revision = made_up(change(client, workspace), ahead=500)
    viewer = Client(client.address, client.access_token("WORKSPACE_VIEWER", workspace).token)
    request = admin.WaitForRevisionRequest(revision=revision)

    def wait(_: int) -> str:
        try:
            viewer.call("WaitForRevision", request, timeout=5)
        except RpcFailed as failed:
            return failed.code
        return "OK"

    count = MAX_PER_TOKEN + 10
    with ThreadPoolExecutor(count) as pool:
        waiting = [pool.submit(wait, index) for index in range(count)]
        eventually(
            lambda: sum(future.done() for future in waiting) >= 10, "the excess fails immediately"
        )
        assert viewer.call("GetWorkspace", admin.GetWorkspaceRequest(name=workspace))
        assert in_force(client, change(client, workspace))
        results = [future.result() for future in waiting]
    assert results.count("RESOURCE_EXHAUSTED") == 10
    assert "OK" not in results


def test_a_wait_that_ended_makes_room() -> None:
    """What is counted is given back, whatever ends the wait, and root has no workspace to fill."""
    waits = RevisionWaits()
    caller = Caller("t", Role.AUTHORIZER, "w")
    with ExitStack() as stack:
        for _ in range(MAX_PER_TOKEN):
            stack.enter_context(waits.waiting(caller))
        with pytest.raises(LimitExceeded), waits.waiting(caller):
            pass
        with waits.waiting(Caller("other", Role.AUTHORIZER, "w")):
            pass
        for number in range(MAX_PER_WORKSPACE - MAX_PER_TOKEN):
            another = Caller(f"t{number // 10}", Role.AUTHORIZER, "w")
            stack.enter_context(waits.waiting(another))
        with (
            pytest.raises(LimitExceeded, match="workspace"),
            waits.waiting(Caller("new", Role.AUTHORIZER, "w")),
        ):
            pass
        with waits.waiting(Caller("new", Role.AUTHORIZER, "elsewhere")):
            pass
    with waits.waiting(caller):
        pass
