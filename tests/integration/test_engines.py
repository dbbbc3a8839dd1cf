"""Both engines, side by side on one store: what a gRPC client sees of them must be the same."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import grpc
import pytest
from google.rpc.status_pb2 import Status
from ipgate.domain.revision import parse_revision
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.servers import ROOT_TOKEN, TIMEOUT, Server, serving

SERVICE = "/ipgate.v1.AuthorizeService"
QUESTION = authorize.AuthorizeRequest(key="nobody's", ip="192.0.2.1")
ROOT = ("authorization", f"Bearer {ROOT_TOKEN}")


class Seen(NamedTuple):
    """All that a call gives its caller."""

    code: str
    text: str
    details: Status
    answer: bytes
    metadata: set[str]


class Pair(NamedTuple):
    servers: list[Server]
    workspace: str
    viewer: str
    confined: str
    credential: str


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    directory = tmp_path_factory.mktemp("e")
    with serving(directory / "a", "--engine", "grpcio") as one:
        url = f"unix://{directory}/a/store/valkey.sock"
        with serving(directory / "b", "--engine", "http2", "--redis-url", url) as other:
            client = one.client()
            workspace = client.workspace()
            created = client.key(workspace, "k")
            allow_list = client.allow_list(workspace, "l", ["10.0.0.0/8"]).name
            client.link(allow_list, created.api_key.name)
            yield Pair(
                [one, other],
                workspace,
                client.access_token("WORKSPACE_VIEWER", workspace).token,
                client.access_token("AUTHORIZER", client.workspace()).token,
                created.credential,
            )


def seen(
    server: Server,
    path: str,
    message: bytes,
    metadata: tuple[tuple[str, str], ...] = (ROOT,),
    *,
    timeout: float = TIMEOUT,
    compression: Any = None,
) -> Seen:
    with grpc.insecure_channel(server.address) as channel:
        method: Any = channel.unary_unary(path)
        answer, call = b"", cast("Any", None)
        try:
            answer, call = method.with_call(
                message, metadata=metadata, timeout=timeout, compression=compression
            )
        except grpc.RpcError as error:
            call = error
        trailing = dict(call.trailing_metadata() or ())
        details = Status()
        details.ParseFromString(trailing.pop("grpc-status-details-bin", b""))
        names = set(trailing) | {name for name, _ in call.initial_metadata() or ()}
        return Seen(call.code().name, call.details() or "", details, answer, names)


def same(pair: Pair, *args: Any, **options: Any) -> Seen:
    """What both engines give, which must be the same."""
    first, second = (seen(server, *args, **options) for server in pair.servers)
    assert first == second
    return first


def ask(**fields: Any) -> bytes:
    return authorize.AuthorizeRequest(**fields).SerializeToString()


def test_answers_are_the_same(pair: Pair) -> None:
    """Allowed, denied, unknown: by name and by credential, for root and for a confined caller."""
    name = f"{pair.workspace}/apiKeys/k"
    for subject in (
        {"key": pair.credential},
        {"api_key": name},
        {"key": "x"},
        {"api_key": name + "x"},
    ):
        for ip in ("10.1.2.3", "11.0.0.0", "::1", "::ffff:10.0.0.1"):
            for token in (ROOT_TOKEN, pair.confined):
                for _ in range(3):  # loaded, held, on the short way
                    outcome = same(
                        pair,
                        f"{SERVICE}/Authorize",
                        ask(ip=ip, **subject),
                        (("authorization", f"Bearer {token}"),),
                    )
                    assert outcome.code == "OK"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (ask(ip="10.0.0.1"), "INVALID_ARGUMENT"),
        (ask(key="x", ip="10.0.0.01"), "INVALID_ARGUMENT"),
        (ask(key="x", ip="%41\n\u00fc\u4e2d"), "INVALID_ARGUMENT"),
        (ask(key="x", ip="1" * 7_000), "INVALID_ARGUMENT"),
        (ask(api_key="nonsense", ip="10.0.0.1"), "INVALID_ARGUMENT"),
        (ask(key="x", ip="10.0.0.1", min_revision="made up"), "INVALID_ARGUMENT"),
        (b"", "INVALID_ARGUMENT"),
        (b"\xff\xff\xff", "INVALID_ARGUMENT"),
        (ask(key="x" * 5_000_000, ip="10.0.0.1"), "RESOURCE_EXHAUSTED"),
    ],
    ids=range(9),
)
def test_refused_requests_are_the_same(pair: Pair, message: bytes, code: str) -> None:
    """The code, the text and the details of what cannot be answered."""
    if code == "RESOURCE_EXHAUSTED":
        # Of messages that are too large each library has its own words.
        assert {seen(server, f"{SERVICE}/Authorize", message).code for server in pair.servers} == {
            code
        }
    else:
        assert same(pair, f"{SERVICE}/Authorize", message).code == code


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ((), "UNAUTHENTICATED"),
        ((("authorization", ""),), "UNAUTHENTICATED"),
        ((("authorization", ROOT_TOKEN),), "UNAUTHENTICATED"),
        ((("authorization", f"Bearer {ROOT_TOKEN}x"),), "UNAUTHENTICATED"),
        ((("authorization", f"bearer {ROOT_TOKEN}"),), "OK"),
        ((("authorization", "Bearer x"), ROOT), "UNAUTHENTICATED"),
        ((ROOT, ("authorization", "Bearer x")), "UNAUTHENTICATED"),
        ((ROOT, ("x-of-mine", "a"), ("x-of-mine-bin", b"\0\xff")), "OK"),
    ],
    ids=range(8),
)
def test_metadata_is_taken_alike(pair: Pair, metadata: Any, code: str) -> None:
    """Two tokens are none; other metadata is nobody's business."""
    message = QUESTION.SerializeToString()
    for method, body in (("Authorize", message), ("BatchAuthorize", batch(1))):
        assert same(pair, f"{SERVICE}/{method}", body, metadata).code == code


def batch(count: int) -> bytes:
    return authorize.BatchAuthorizeRequest(requests=[QUESTION] * count).SerializeToString()


@pytest.mark.parametrize("count", [0, 1, 17, 1000, 1001])
def test_batches_are_the_same(pair: Pair, count: int) -> None:
    """From none to one too many."""
    outcome = same(pair, f"{SERVICE}/BatchAuthorize", batch(count))
    assert outcome.code == ("OK" if 1 <= count <= 1000 else "INVALID_ARGUMENT")


def test_roles_are_the_same(pair: Pair) -> None:
    """A viewer may not ask, whichever engine it asks."""
    outcome = same(
        pair,
        f"{SERVICE}/Authorize",
        QUESTION.SerializeToString(),
        (("authorization", f"Bearer {pair.viewer}"),),
    )
    assert outcome.code == "PERMISSION_DENIED"


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed_requests_are_taken_alike(pair: Pair, compression: Any) -> None:
    """A client may compress what it sends."""
    assert same(pair, f"{SERVICE}/BatchAuthorize", batch(100), compression=compression).code == "OK"


@pytest.mark.parametrize(
    "path", [f"{SERVICE}/Authorize2", f"{SERVICE}/", "/x.Y/Z", "/", f"{SERVICE}/Authorize?x=y"]
)
def test_paths_that_are_no_method_are_refused_alike(pair: Pair, path: str) -> None:
    """UNIMPLEMENTED, in the same words."""
    assert same(pair, path, QUESTION.SerializeToString()).code == "UNIMPLEMENTED"


def test_deadlines_end_waits_alike(pair: Pair) -> None:
    """A revision that does not come is waited for until shortly before the deadline."""
    name = f"{pair.workspace}/apiKeys/k"
    present = parse_revision("x", pair.servers[0].client().ask("10.1.2.3", api_key=name).revision)
    later = replace(present, sequence=present.sequence + 100).token()
    message = ask(key="x", ip="10.0.0.1", min_revision=later)
    outcome = same(pair, f"{SERVICE}/Authorize", message, timeout=1)
    assert outcome.code == "UNAVAILABLE"
    tight = {
        seen(server, f"{SERVICE}/Authorize", message, timeout=0.002).code for server in pair.servers
    }
    assert tight <= {"DEADLINE_EXCEEDED", "UNAVAILABLE"}


def test_only_workers_let_each_other_finish_when_they_wake(pair: Pair) -> None:
    """All threads of a worker, which calls pass through one after the other; not its supervisor, which
    must come to its turn when a worker does not."""
    for server in pair.servers:
        assert seen(server, f"{SERVICE}/Authorize", QUESTION.SerializeToString()).code == "OK"
        (worker,) = server.workers()
        threads = [int(path.name) for path in Path(f"/proc/{worker}/task").iterdir()]
        assert {os.sched_getscheduler(thread) for thread in threads} == {os.SCHED_BATCH}
        assert os.sched_getscheduler(server.process.pid) == os.SCHED_OTHER
