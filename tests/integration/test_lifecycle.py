"""Starting, stopping, and what happens when a part is killed."""

import os
import signal
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness import http2
from tests.harness.http2 import DATA, Wire, grpc_message
from tests.harness.servers import Client, RpcFailed, Server, serving
from tests.harness.waiting import eventually

pytestmark = pytest.mark.engine

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def health(client: Client, service: str = "") -> int:
    stub = health_pb2_grpc.HealthStub(client.channel)
    return int(stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5).status)


def _serves(client: Client, service: str) -> bool:
    return bool(health(client, service) == SERVING)


def allowed(client: Client, key: str) -> bool:
    """Whether the key is allowed now; False while the server cannot say."""
    try:
        return bool(client.ask("8.8.8.8", api_key=key, timeout=5).allowed)
    except RpcFailed as failed:
        assert failed.code == "UNAVAILABLE"
        return False


def test_health_is_told_to_everybody_for_each_service(client: Client) -> None:
    """Without a token, for the server and both services; an unknown service is not found."""
    for service in ("", "ipgate.v1.AdminService", "ipgate.v1.AuthorizeService"):
        eventually(partial(_serves, client, service), "it serves")
    with pytest.raises(grpc.RpcError) as error:
        health(client, "nonsense")
    assert error.value.code() is grpc.StatusCode.NOT_FOUND


def test_what_was_acknowledged_survives_a_restart_and_a_kill(tmp_path: Path) -> None:
    """After SIGTERM, and after SIGKILL of all processes together, all acknowledged changes are there."""
    with serving(tmp_path) as server:
        client = server.client()
        workspace = client.workspace()
        first = client.key(workspace, "k1")
        assert server.stop() == 0
    with serving(tmp_path) as server:
        client = server.client()
        assert client.ask("8.8.8.8", key=first.credential).allowed
        second = client.key(workspace, "k2")
        victims = [server.process.pid, *server.children()]
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        server.process.wait()
        eventually(lambda: not any(map(alive, victims)), "all processes are gone")
    with serving(tmp_path) as server:
        assert server.client().ask("8.8.8.8", key=second.credential).allowed


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]
    except OSError:
        return False


def test_no_process_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    """Workers and store end on their own, and the data directory can be used again immediately."""
    with serving(tmp_path, "--workers", "2") as server:
        children = server.children()
        assert len(children) == 3
        server.process.kill()
        server.process.wait()
        eventually(lambda: not any(map(alive, children)), "the children are gone")
    with serving(tmp_path) as server:
        server.client().workspace()


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    """The supervisor starts another one, on the same port, with the same data."""
    with serving(tmp_path) as server:
        client = server.client()
        key = client.key(client.workspace(), "k").api_key.name
        (worker,) = server.workers()
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: server.workers() not in ([], [worker]), "there is a new worker")
        eventually(lambda: allowed(server.client(), key), "the new worker answers")


def test_a_worker_that_hangs_does_not_outlive_the_stop(tmp_path: Path) -> None:
    """A stopped process cannot end gracefully; it is killed, and the port is free again."""
    with serving(tmp_path, "--shutdown-grace", "0") as server:
        (worker,) = server.workers()
        os.kill(worker, signal.SIGSTOP)
        assert server.stop() == 0
        assert not alive(worker)


def test_a_stop_that_comes_with_a_sign_of_life_is_obeyed(tmp_path: Path) -> None:
    """A supervisor that was stopped for a while, as with its virtual machine, notices both together."""
    with serving(tmp_path) as server:
        os.kill(server.process.pid, signal.SIGSTOP)
        time.sleep(1.5)  # a worker gives a sign every second
        server.process.send_signal(signal.SIGTERM)
        os.kill(server.process.pid, signal.SIGCONT)
        assert server.stop() == 0


def test_a_killed_embedded_store_is_started_again_with_its_data(tmp_path: Path) -> None:
    """Known keys are answered during the outage; afterwards changes are possible again."""
    with serving(tmp_path) as server:
        client = server.client()
        workspace = client.workspace()
        key = client.key(workspace, "k").api_key.name
        assert allowed(client, key)
        (store,) = server.stores()
        os.kill(store, signal.SIGKILL)
        assert client.ask("8.8.8.8", api_key=key).allowed, "answered from memory"
        eventually(lambda: created(client, workspace), "changes are possible again")
        assert server.stores() not in ([], [store])
        disable = admin.UpdateApiKeyRequest(api_key={"name": key, "disabled": True})
        revision = client.call("UpdateApiKey", disable).revision
        answer = client.ask("8.8.8.8", api_key=key, min_revision=revision)
        assert answer.reason == authorize.REASON_KEY_DISABLED


def created(client: Client, workspace: str) -> bool:
    try:
        client.key(workspace, "another")
        return True
    except RpcFailed as failed:
        assert failed.code in ("UNAVAILABLE", "ALREADY_EXISTS")
        return failed.code == "ALREADY_EXISTS"


def test_a_caller_that_heeds_health_loses_no_call_to_a_stop(tmp_path: Path) -> None:
    """After SIGTERM the server says NOT_SERVING and goes on answering until the drain is over."""
    with serving(tmp_path, "--drain-delay", "2") as server:
        client = server.client()
        key = client.key(client.workspace(), "k").api_key.name
        stopped = threading.Event()
        outcomes: set[str] = set()

        def ask() -> None:
            while not stopped.is_set():
                try:
                    client.ask("8.8.8.8", api_key=key)
                    outcomes.add("OK")
                except RpcFailed as failed:
                    outcomes.add(failed.code)

        with ThreadPoolExecutor(4) as pool:
            for _ in range(4):
                pool.submit(ask)
            eventually(lambda: "OK" in outcomes, "calls are answered")
            server.process.send_signal(signal.SIGTERM)
            eventually(lambda: health(client) == NOT_SERVING, "it says NOT_SERVING")
            client.ask("8.8.8.8", api_key=key)
            stopped.set()
        assert server.stop() == 0
        assert outcomes == {"OK"}
        log = server.log.read_text()
        assert "Traceback" not in log
        assert "ERROR" not in log


def _listens(server: Server) -> bool:
    host, _, port = server.address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except ConnectionError:
        return False
    return True


def test_an_answer_that_is_being_read_at_the_stop_is_read_to_its_end(tmp_path: Path) -> None:
    """The caller has room for a part of it when the stop begins, and takes the rest then."""
    with serving(tmp_path) as server:
        question = authorize.AuthorizeRequest(key="x", ip="1.2.3.4")
        batch = authorize.BatchAuthorizeRequest(requests=[question] * 1000)
        expected = server.client().call("BatchAuthorize", batch).ByteSize() + 5
        with Wire(server.address) as wire:
            wire.settings((http2.INITIAL_WINDOW_SIZE, 1000))
            wire.call(1, "/ipgate.v1.AuthorizeService/BatchAuthorize")
            wire.send(DATA, http2.END_STREAM, 1, grpc_message(batch.SerializeToString()))
            first = wire.first(DATA)
            assert first is not None
            server.process.terminate()
            eventually(lambda: not _listens(server), "the stop began")
            taken, a_little = len(first.payload), struct.pack(">I", 100)
            wire.send(http2.WINDOW_UPDATE, 0, 1, a_little)
            for frame in wire.frames():
                if frame.kind == DATA:
                    taken += len(frame.payload)
                    wire.send(http2.WINDOW_UPDATE, 0, 1, a_little)
                elif frame.kind == http2.HEADERS and frame.flags & http2.END_STREAM:
                    break
            assert frame.headers.get("grpc-status") == "0"
            assert taken == expected
        assert server.stop() == 0
