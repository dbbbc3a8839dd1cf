"""What one worker takes on at a time, and what becomes of the rest."""

import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from ipgate.engines import health, reflection
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness import http2
from tests.harness.http2 import AUTHORIZE, DATA, Wire, grpc_message
from tests.harness.servers import IPGATE, RpcFailed, Server, serving
from tests.harness.waiting import eventually

pytestmark = pytest.mark.engine

STREAM = "/ipgate.v1.AuthorizeService/StreamAuthorize"
WATCH = f"/{health.SERVICE}/Watch"
REFLECT = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
QUESTION = grpc_message(authorize.AuthorizeRequest(key="x", ip="1.2.3.4").SerializeToString())
CALLS, CONNECTIONS = 30, 8


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with room for few calls and connections."""
    options = ["--max-concurrent-calls", str(CALLS), "--max-connections", str(CONNECTIONS)]
    with serving(tmp_path_factory.mktemp("l"), *options) as running:
        yield running


def asked(wire: Wire, stream: int) -> str:
    """The status with which a question on that stream ends."""
    wire.call(stream)
    wire.send(DATA, http2.END_STREAM, stream, QUESTION)
    return wire.status(stream)


def test_more_calls_than_there_is_room_for_are_refused_at_once(small: Server) -> None:
    """RESOURCE_EXHAUSTED, while the calls in flight continue and succeed; then there is room again."""
    with Wire(small.address) as wire:
        wire.settings()
        for stream in range(1, CALLS * 2, 2):
            wire.call(stream)
        more, is_refused = count(CALLS * 2 + 1, 2), lambda: _code(small) == "RESOURCE_EXHAUSTED"
        eventually(partial(_filled_up, wire, more, AUTHORIZE, is_refused), "there is no room")
        wire.send(DATA, http2.END_STREAM, 1, QUESTION)
        assert wire.status(1) == "0"
    eventually(lambda: _code(small) == "OK", "there is room again")


def test_calls_of_all_kinds_share_the_room(small: Server) -> None:
    """Streams that are open leave no room for questions, and the other way round; a full worker goes on
    answering health checks."""
    for path, other in ((STREAM, AUTHORIZE), (AUTHORIZE, STREAM)):
        with Wire(small.address) as wire, Wire(small.address) as late:
            wire.settings()
            late.settings()
            for stream in range(1, CALLS * 2, 2):
                wire.call(stream, path)
            asked, more = count(1, 2), count(CALLS * 2 + 1, 2)
            full = partial(_filled_up, wire, more, path, partial(_refused, late, asked, other))
            eventually(full, "there is no room")
            assert _health(late, next(asked)) == "0"
        eventually(lambda: _code(small) == "OK", "there is room again")


def _filled_up(wire: Wire, more: Iterator[int], path: str, is_refused: Callable[[], bool]) -> bool:
    """Whether there is no room; else one more call takes it. The call that asked may have had the place
    of one of the others, which was refused for good then."""
    if is_refused():
        return True
    wire.call(next(more), path)
    return False


def _health(wire: Wire, stream: int) -> str:
    wire.call(stream, f"/{health.SERVICE}/Check", token=None)
    wire.send(DATA, http2.END_STREAM, stream, grpc_message(b""))
    return wire.status(stream)


def _refused(wire: Wire, streams: Iterator[int], path: str) -> bool:
    stream = next(streams)
    wire.call(stream, path)
    wire.send(DATA, http2.END_STREAM, stream, grpc_message(b""))
    return wire.status(stream) == "8"


def test_a_message_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    """By its size alone, to the byte, for a caller who is known already."""
    with serving(tmp_path, "--max-message-bytes", "1024") as server:
        client = server.client()
        fits, request = "k" * 1000, authorize.AuthorizeRequest(ip="1.2.3.4")
        request.key = fits + "k" * (
            1024 - authorize.AuthorizeRequest(ip="1.2.3.4", key=fits).ByteSize()
        )
        for _ in range(2):
            assert client.call("Authorize", request).reason == authorize.REASON_KEY_UNKNOWN
        request.key += "k" * 100  # too long for a credential: it counts as unknown immediately
        for method, message in (
            ("Authorize", request),
            ("BatchAuthorize", authorize.BatchAuthorizeRequest(requests=[request])),
        ):
            with pytest.raises(RpcFailed) as failed:
                client.call(method, message)
            assert failed.value.code == "RESOURCE_EXHAUSTED"


def _code(server: Server) -> str:
    client = server.client()
    try:
        client.ask("1.2.3.4", key="x")
    except RpcFailed as failed:
        return failed.code
    finally:
        # Else it would count as one of the few connections that there may be, for a while.
        client.channel.close()
    return "OK"


def test_more_connections_than_there_is_room_for_are_closed(small: Server) -> None:
    """The connection too many ends without an answer, those that are there go on."""
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(small.address)) for _ in range(CONNECTIONS * 2)]
        served = []
        for wire in wires:
            try:
                wire.settings()
                served.append(asked(wire, 1) == "0")
            except ConnectionError:
                served.append(False)
        assert 0 < sum(served) <= CONNECTIONS
    eventually(lambda: _code(small) == "OK", "there is room again")


def test_a_host_by_name_has_no_more_room(tmp_path: Path) -> None:
    """The limit holds for all its addresses together."""
    with (
        serving(tmp_path, "--listen", "localhost:0", "--max-connections", "4") as server,
        ExitStack() as stack,
    ):
        port, served = server.address.rpartition(":")[2], 0
        for host in ("127.0.0.1", "::1"):
            for _ in range(8):
                try:
                    wire = stack.enter_context(Wire(f"{host}:{port}"))
                    wire.settings()
                    served += asked(wire, 1) == "0"
                except ConnectionError:
                    continue
        assert 0 < served <= 4


def test_a_watcher_that_reads_nothing_stops_neither_health_nor_the_server(tmp_path: Path) -> None:
    """Others learn that the server stops, and it does, in time."""
    with serving(tmp_path, "--drain-delay", "1", "--shutdown-grace", "1") as server:
        with Wire(server.address) as wire:
            wire.settings((http2.INITIAL_WINDOW_SIZE, 0))
            for stream in range(1, 20, 2):
                wire.call(stream, WATCH, token=None)
                wire.send(DATA, http2.END_STREAM, stream, grpc_message(b""))
            assert wire.first(http2.HEADERS) is not None
            stub = health_pb2_grpc.HealthStub(server.client().channel)
            seen = stub.Watch(health_pb2.HealthCheckRequest(), timeout=20)
            assert next(seen).status == health_pb2.HealthCheckResponse.SERVING
            server.process.terminate()
            assert next(seen).status == health_pb2.HealthCheckResponse.NOT_SERVING
            assert server.stop() == 0
        assert "killed" not in server.log.read_text()


def test_a_watcher_that_reads_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    """It learns of the stop, then its call ends well before the grace is over."""
    with serving(tmp_path, "--shutdown-grace", "60") as server:
        stub = health_pb2_grpc.HealthStub(server.client().channel)
        seen = stub.Watch(health_pb2.HealthCheckRequest(), timeout=60)
        assert next(seen).status == health_pb2.HealthCheckResponse.SERVING
        server.process.terminate()
        assert [answer.status for answer in seen] == [health_pb2.HealthCheckResponse.NOT_SERVING]
        assert server.stop() == 0


def test_watchers_and_reflection_streams_are_counted(server: Server) -> None:
    """A stream over the limit is rejected, and the streams of a connection that ended count no more."""
    for path, most in ((WATCH, health.MAX_WATCHERS), (REFLECT, reflection.MAX_STREAMS)):
        with ExitStack() as stack:
            wires = [stack.enter_context(Wire(server.address)) for _ in range(2)]
            for wire in wires:
                wire.settings((http2.INITIAL_WINDOW_SIZE, 0))
                for stream in range(1, most + 1, 2):
                    wire.call(stream, path)
                    wire.send(DATA, 0, stream, grpc_message(b""))
            eventually(partial(_filled, stack, server, path), "no more are let in")
        eventually(lambda: not _is_full(server, path), "there is room again")  # noqa: B023


def _filled(stack: ExitStack, server: Server, path: str) -> bool:
    """As `_is_full`; opens some more if not, since a loaded server gives up a few."""
    if _is_full(server, path):
        return True
    wire = stack.enter_context(Wire(server.address))
    wire.settings((http2.INITIAL_WINDOW_SIZE, 0))
    for stream in range(1, 17, 2):
        wire.call(stream, path)
        wire.send(DATA, 0, stream, grpc_message(b""))
    return False


def _is_full(server: Server, path: str) -> bool:
    """Whether a stream is rejected with RESOURCE_EXHAUSTED."""
    with Wire(server.address) as wire:
        wire.settings()
        wire.call(1, path)
        wire.send(DATA, 0, 1, grpc_message(b""))
        headers = wire.first(http2.HEADERS)
        return headers is not None and headers.headers.get("grpc-status") == "8"


def test_a_health_check_that_never_comes_is_given_up(server: Server) -> None:
    """A stranger has 2 s for its request."""
    with Wire(server.address, timeout=15) as wire:
        wire.settings()
        wire.call(1, f"/{health.SERVICE}/Check", token=None)
        began = time.monotonic()
        assert wire.status(1) == "14"
        assert time.monotonic() - began >= health.READ_TIMEOUT - 0.1


def test_damaged_requests_to_health_and_reflection_are_refused(server: Server) -> None:
    """INVALID_ARGUMENT, and no traceback in the log, which a stranger could fill with it."""
    for path in (WATCH, REFLECT, f"/{health.SERVICE}/Check"):
        with Wire(server.address) as wire:
            wire.settings()
            wire.call(1, path)
            wire.send(DATA, http2.END_STREAM, 1, grpc_message(b"\xff\xff\xff"))
            assert wire.status(1) == "3", path
    assert "Traceback" not in server.log.read_text()


def test_the_first_and_the_later_calls_of_a_token_are_alike(server: Server) -> None:
    """A token is served before and after it is known, and not once it is revoked."""
    client = server.client()
    token = client.access_token("AUTHORIZER", client.workspace())
    for _ in range(3):
        assert not client.as_(token.token).ask("1.2.3.4", key="x").allowed
    client.call("RevokeAccessToken", admin.RevokeAccessTokenRequest(name=token.access_token.name))

    def gone() -> bool:
        with pytest.raises(grpc.RpcError) as error:
            client.channel.unary_unary(AUTHORIZE)(
                b"", metadata=[("authorization", f"Bearer {token.token}")], timeout=10
            )
        return error.value.code() is grpc.StatusCode.UNAUTHENTICATED

    eventually(gone, "the token is refused")


def test_the_lists_of_a_workspace_are_counted(tmp_path: Path) -> None:
    """One more than `max-lists-per-workspace` is rejected with the setting; a deleted one makes room."""
    with serving(tmp_path, "--max-lists-per-workspace", "2") as server:
        client = server.client()
        workspace = client.workspace()
        names = [client.allow_list(workspace, name, ["192.0.2.1"]).name for name in ("a", "b")]
        with pytest.raises(RpcFailed, match="max-lists-per-workspace") as failed:
            client.allow_list(workspace, "c", ["192.0.2.1"])
        assert (failed.value.code, failed.value.reason) == (
            "RESOURCE_EXHAUSTED",
            "LIMIT_EXCEEDED",
        )
        client.call("DeleteAllowList", admin.DeleteAllowListRequest(name=names[0]))
        client.allow_list(workspace, "c", ["192.0.2.1"])
        client.allow_list(client.workspace(), "c", ["192.0.2.1"])


def test_the_limit_of_open_files_is_raised_to_what_the_system_permits(tmp_path: Path) -> None:
    """A low soft limit does not bound the connections; a low hard one is reported, with how many fit."""
    for limit, warned in (("ulimit -Sn 300", False), ("ulimit -n 500; ulimit -Sn 400", True)):
        command = (
            f"{limit}; exec {IPGATE} serve --listen 127.0.0.1:0 --workers 1 --data-dir {tmp_path}"
        )
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen(
                ["bash", "-c", command], stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert process.stdout is not None
        assert "listens on" in process.stdout.readline()
        soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()
        assert soft == hard
        text = (tmp_path / "log").read_text()
        assert (
            "fewer connections; raise it (ulimit -Hn) max_connections=1000 per_worker=300" in text
        ) == warned
