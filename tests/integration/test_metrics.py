"""What Prometheus sees of a server."""

import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from operator import eq
from pathlib import Path
from threading import Event

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from ipgate.domain.revision import parse_revision
from ipgate.engines.health import LIVENESS
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.operations import WAIT, Operations, operated
from tests.harness.servers import ENGINE, Client, RpcFailed, serving

pytestmark = pytest.mark.engine

AUTHORIZE, ADMIN = "ipgate.v1.AuthorizeService", "ipgate.v1.AdminService"


def port_of_nobody() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operations]:
    """Of a server with two workers."""
    directory = tmp_path_factory.mktemp("o")
    with operated(directory, port_of_nobody(), "--workers", "2") as running:
        yield running


@pytest.fixture
def client(operations: Operations) -> Client:
    return operations.server.client()


def fail(client: Client, method: str, request: object, code: str) -> None:
    with pytest.raises(RpcFailed) as failed:
        client.call(method, request)
    assert failed.value.code == code


def test_decisions_are_counted_by_their_reasons(operations: Operations, client: Client) -> None:
    """Of calls, batches and streams alike; one that only reports is allowed."""
    workspace = client.workspace()
    office = client.allow_list(workspace, "office", ["192.0.2.1"]).name
    linked, reporting = (
        client.key(workspace, name, report_only=name == "r").api_key.name for name in ("l", "r")
    )
    revision = client.link(office, linked, reporting)
    client.call("WaitForRevision", admin.WaitForRevisionRequest(revision=revision))
    match = ("LINKED_LIST_MATCH", "true", "false")
    denied = ("NOT_IN_LINKED_LISTS", "false", "false")
    reported = ("NOT_IN_LINKED_LISTS", "true", "true")
    unknown = ("KEY_UNKNOWN", "false", "false")
    before = {
        row: operations.value("ipgate_decisions_total", *row)
        for row in (match, denied, reported, unknown)
    }
    inside = authorize.AuthorizeRequest(ip="192.0.2.1", api_key=linked)
    outside = authorize.AuthorizeRequest(ip="192.0.2.2", api_key=linked)
    client.call("Authorize", inside)
    client.call("Authorize", outside)
    client.ask("192.0.2.2", api_key=reporting)
    client.ask("192.0.2.2", key="ipg_nobody")
    client.call("BatchAuthorize", authorize.BatchAuthorizeRequest(requests=[inside, outside]))
    client.call("StreamAuthorize", authorize.StreamAuthorizeRequest(request=inside))
    for row, more in ((match, 3), (denied, 2), (reported, 1), (unknown, 1)):
        operations.wait_for("ipgate_decisions_total", *row, is_so=partial(eq, before[row] + more))
    hits, misses = (operations.value(f"ipgate_cache_{kind}_total") for kind in ("hits", "misses"))
    decisions = sum(
        value
        for (name, *_), value in operations.samples().items()
        if name == "ipgate_decisions_total"
    )
    assert hits + misses >= decisions > hits > 0
    assert misses > 0
    assert operations.value("ipgate_decision_seconds_count", "BatchAuthorize") >= 1


def test_calls_are_counted_by_their_status(operations: Operations, client: Client) -> None:
    """Whatever ended them: the method, the rights of the caller, or its deadline."""
    workspace = client.workspace()
    nobody = client.as_("ipgt_wrong")
    viewer = client.as_(client.access_token("WORKSPACE_VIEWER", workspace).token)

    def counted(method: str, code: str, service: str = ADMIN) -> float:
        return operations.value("grpc_server_handled_total", service, method, code)

    def wait(method: str, code: str, more: float, service: str = ADMIN) -> None:
        operations.wait_for(
            "grpc_server_handled_total", service, method, code, is_so=lambda value: value == more
        )

    get = admin.GetWorkspaceRequest(name=workspace)
    before = counted("GetWorkspace", "OK")
    client.call("GetWorkspace", get)
    wait("GetWorkspace", "OK", before + 1)
    fail(nobody, "GetWorkspace", get, "UNAUTHENTICATED")
    wait("GetWorkspace", "UNAUTHENTICATED", 1)
    fail(client, "GetWorkspace", admin.GetWorkspaceRequest(name="workspaces/no"), "NOT_FOUND")
    wait("GetWorkspace", "NOT_FOUND", 1)
    key = admin.CreateApiKeyRequest(parent=workspace)
    fail(viewer, "CreateApiKey", key, "PERMISSION_DENIED")
    wait("CreateApiKey", "PERMISSION_DENIED", 1)
    question = authorize.AuthorizeRequest(ip="no", api_key="k")
    fail(client, "Authorize", question, "INVALID_ARGUMENT")
    wait("Authorize", "INVALID_ARGUMENT", 1, AUTHORIZE)
    revision = client.key(workspace, "k").revision
    client.call("WaitForRevision", admin.WaitForRevisionRequest(revision=revision))
    ahead = parse_revision("revision", revision)
    never = replace(ahead, sequence=ahead.sequence + 500).token()
    late = authorize.AuthorizeRequest(
        ip="192.0.2.1", api_key=f"{workspace}/apiKeys/k", min_revision=never
    )
    with pytest.raises(RpcFailed):
        client.call("Authorize", late, timeout=0.5)
    wait("Authorize", "UNAVAILABLE", 1, AUTHORIZE)


def test_no_label_names_a_tenant_or_a_person(operations: Operations, client: Client) -> None:
    """Nor a key, a credential, a token or an address."""
    workspace = client.workspace()
    client.allow_list(workspace, "some-list", ["198.51.100.73"])
    key = client.key(workspace, "some-key")
    client.ask("198.51.100.73", key=key.credential)
    operations.wait_for("ipgate_cache_keys", is_so=bool)
    _, text = operations.get("/metrics")
    identifier = workspace.rpartition("/")[2]
    for secret in (identifier, "some-key", "some-list", key.credential, client.token, "198.51"):
        assert secret not in text


def test_a_worker_that_ends_leaves_its_counts(tmp_path: Path, free_port: int) -> None:
    """A counter never falls, and the restart is counted."""
    with operated(tmp_path, free_port, "--workers", "2") as running:
        client = running.server.client()
        workspace = client.workspace()
        key = client.key(workspace, "k").api_key.name
        for _ in range(20):
            client.ask("192.0.2.1", api_key=key)
        reason = ("UNRESTRICTED", "true", "false")
        running.wait_for("ipgate_decisions_total", *reason, is_so=lambda value: value == 20)
        running.wait_for("ipgate_workers_serving", is_so=lambda value: value == 2)
        handled = running.value("grpc_server_handled_total", ADMIN, "CreateWorkspace", "OK")
        for pid in running.server.workers():
            os.kill(pid, signal.SIGKILL)
        running.wait_for("ipgate_worker_restarts_total", is_so=lambda value: value == 2)
        assert running.value("ipgate_decisions_total", *reason) == 20
        assert running.value("grpc_server_handled_total", ADMIN, "CreateWorkspace", "OK") == handled
        running.wait_for("ipgate_workers_serving", is_so=lambda value: value == 2)
        Client(running.server.address).ask("192.0.2.1", api_key=key)
        running.wait_for("ipgate_decisions_total", *reason, is_so=lambda value: value == 21)


def test_scrapes_during_the_end_of_workers_never_fail(tmp_path: Path, free_port: int) -> None:
    """And never show less than before."""
    with operated(tmp_path, free_port, "--workers", "2") as running:
        client = running.server.client()
        key = client.key(client.workspace(), "k").api_key.name
        for _ in range(50):
            client.ask("192.0.2.1", api_key=key)
        running.wait_for(
            "ipgate_decisions_total", "UNRESTRICTED", "true", "false", is_so=lambda v: v == 50
        )

        def scrape(_: int) -> float:
            return running.value("ipgate_decisions_total", "UNRESTRICTED", "true", "false")

        with ThreadPoolExecutor(4) as pool:
            scraped = pool.map(scrape, range(60))
            os.kill(running.server.workers()[0], signal.SIGKILL)
            assert set(scraped) == {50}


def test_refusals_are_counted_by_their_limit(tmp_path: Path, free_port: int) -> None:
    """A worker that is full says so, and answers its probes."""
    with operated(tmp_path, free_port, "--workers", "1", "--max-concurrent-calls", "1") as running:
        client = running.server.client()
        question = authorize.AuthorizeRequest(ip="192.0.2.1", api_key="workspaces/w/apiKeys/k")
        stub = client.channel.stream_stream(
            f"/{AUTHORIZE}/StreamAuthorize",
            request_serializer=authorize.StreamAuthorizeRequest.SerializeToString,
            response_deserializer=authorize.StreamAuthorizeResponse.FromString,
        )
        metadata = [("authorization", f"Bearer {client.token}")]
        over = Event()

        def nothing() -> Iterator[authorize.StreamAuthorizeRequest]:
            over.wait(WAIT)
            yield from ()

        open_call = stub(nothing(), metadata=metadata)
        running.wait_for("ipgate_calls_in_flight", is_so=lambda value: value == 1)
        assert running.value("ipgate_streams") == 1
        fail(client, "Authorize", question, "RESOURCE_EXHAUSTED")
        running.wait_for("ipgate_refusals_total", "calls", is_so=lambda value: value == 1)
        assert running.get("/livez") == running.get("/readyz") == (200, "ok\n")
        open_call.cancel()
        over.set()
        running.wait_for("ipgate_calls_in_flight", is_so=lambda value: value == 0)
        if ENGINE == "http2":  # to grpcio it may look as one that ended
            running.wait_for(
                "grpc_server_handled_total", AUTHORIZE, "StreamAuthorize", "CANCELLED", is_so=bool
            )


def test_the_lag_and_the_probes_follow_the_store(tmp_path: Path, free_port: int) -> None:
    """A server whose store does not answer is alive and not ready, and ready again afterwards."""
    with operated(tmp_path, free_port, "--workers", "1", "--max-staleness", "2") as running:
        running.wait_for("ipgate_store_up", is_so=lambda value: value == 1)
        running.wait_for("ipgate_change_lag_seconds", is_so=lambda value: value < 2)
        (store,) = running.server.stores()
        os.kill(store, signal.SIGSTOP)
        try:
            running.wait_for("ipgate_change_lag_seconds", is_so=lambda value: value > 3)
            running.wait_for("ipgate_workers_serving", is_so=lambda value: value == 0)
            status, text = running.get("/readyz")
            assert status == 503
            assert "no worker can answer" in text
            assert running.get("/livez") == (200, "ok\n")
            stub = health_pb2_grpc.HealthStub(running.server.client().channel)
            for name, wanted in ((LIVENESS, "SERVING"), ("", "NOT_SERVING")):
                answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=WAIT)
                assert health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status) == wanted
            running.wait_for("ipgate_store_up", is_so=lambda value: value == 0)
        finally:
            os.kill(store, signal.SIGCONT)
        running.wait_for("ipgate_workers_serving", is_so=lambda value: value == 1)
        assert running.get("/readyz") == (200, "ok\n")
        running.wait_for("ipgate_store_errors_total", is_so=bool)


def test_the_operations_port_resists(operations: Operations) -> None:
    """Silent connections, other methods and paths, and requests that are none."""
    assert operations.get("/metrics", "POST")[0] == 405
    assert operations.get("/")[0] == 404
    assert operations.get("/metrics?x=" + "y" * 60_000)[0] in (200, 414)
    silent = [socket.create_connection(("127.0.0.1", operations.port)) for _ in range(100)]
    try:
        for number, connection in enumerate(silent):
            connection.sendall(b"GET /metr" if number % 2 else b"\0\xff\r\n\r\n")
        operations.wait_for("ipgate_workers", is_so=lambda value: value == 2)
    finally:
        for connection in silent:
            connection.close()


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """And what the message says to do works: another one, or none."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(AssertionError, match=f"--ops-listen 127.0.0.1:{port}: Address already"),
            serving(tmp_path, "--ops-listen", f"127.0.0.1:{port}"),
        ):
            pass
        for options in ((), ("--ops-listen", "127.0.0.1:0")):
            with serving(tmp_path, *options) as server:
                assert server.client().workspace()


def test_without_the_port_nothing_is_counted(tmp_path: Path) -> None:
    """No worker has the memory for it."""
    with serving(tmp_path) as server:
        for pid in server.workers():
            files = [str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()]
            assert not any("ipgate-metrics" in file for file in files)
