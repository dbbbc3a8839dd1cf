"""StreamAuthorize: many questions over one call."""

import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from ipgate.domain.revision import parse_revision
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize
from ipgate.v1.authorize_pb2_grpc import AuthorizeServiceStub

from tests.harness import http2
from tests.harness.http2 import DATA, Wire, grpc_message
from tests.harness.servers import ROOT_TOKEN, TIMEOUT, Client, RpcFailed, Server
from tests.harness.waiting import eventually

pytestmark = pytest.mark.engine

STREAM = "/ipgate.v1.AuthorizeService/StreamAuthorize"


class Stream:
    """An open stream of a client."""

    def __init__(self, client: Client) -> None:
        self._questions: queue.Queue[Any] = queue.Queue()
        kind: Any = AuthorizeServiceStub
        metadata = [("authorization", f"Bearer {client.token}")] if client.token else []
        self.answers = kind(client.channel).StreamAuthorize(
            iter(self._questions.get, None), metadata=metadata, timeout=TIMEOUT * 3
        )

    def ask(self, request_id: str, ip: str, **subject: Any) -> None:
        request = authorize.AuthorizeRequest(ip=ip, **subject)
        self._questions.put(authorize.StreamAuthorizeRequest(id=request_id, request=request))

    def end(self) -> None:
        self._questions.put(None)

    def take(self, count: int) -> dict[str, Any]:
        """So many answers by their ids."""
        by_id = {answer.id: answer for answer in islice(self.answers, count)}
        assert len(by_id) == count
        return by_id


@pytest.fixture
def stream(client: Client) -> Iterator[Stream]:
    stream = Stream(client)
    yield stream
    stream.end()


def test_every_request_gets_its_answer(client: Client, workspace: str, stream: Stream) -> None:
    """Allowed, denied and refused ones, known and new ones, by their ids; then the stream ends."""
    keys = [client.key(workspace, f"k{index}") for index in range(40)]
    allow_list = client.allow_list(workspace, "l", ["10.0.0.0/8"]).name
    client.link(allow_list, *(key.api_key.name for key in keys[:20]))
    for index, key in enumerate(keys):
        stream.ask(f"in-{index}", "10.1.2.3", key=key.credential)
        stream.ask(f"out-{index}", "11.1.2.3", api_key=key.api_key.name)
    stream.ask("bad", "10.1.2", key=keys[0].credential)
    stream.ask("nobody's", "10.1.2.3", key="x")
    stream.ask("no subject", "10.1.2.3")
    answers = stream.take(83)
    for index in range(40):
        assert answers[f"in-{index}"].response.allowed
        assert answers[f"out-{index}"].response.allowed == (index >= 20)
    assert answers["bad"].error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert answers["no subject"].error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert answers["nobody's"].response.reason == authorize.REASON_KEY_UNKNOWN
    stream.end()
    assert list(stream.answers) == []
    assert stream.answers.code() is grpc.StatusCode.OK


def test_an_answer_is_what_authorize_says(client: Client, workspace: str, stream: Stream) -> None:
    """Field by field."""
    created = client.key(workspace, "k")
    client.link(client.allow_list(workspace, "l", ["10.0.0.0/8"]).name, created.api_key.name)
    for ip in ("10.0.0.1", "11.0.0.1", "::1"):
        stream.ask(ip, ip, key=created.credential)
        assert stream.take(1)[ip].response == client.ask(ip, key=created.credential)


def test_a_question_that_waits_holds_up_no_other(
    client: Client, workspace: str, stream: Stream
) -> None:
    """A revision that does not come is waited for while others are answered."""
    name = client.key(workspace, "k").api_key.name
    stream.ask("waits", "1.2.3.4", api_key=name, min_revision=_later(client, name))
    stream.ask("goes", "1.2.3.4", api_key=name)
    assert list(stream.take(1)) == ["goes"]
    assert stream.take(1)["waits"].error.code == grpc.StatusCode.UNAVAILABLE.value[0]


def _later(client: Client, name: str) -> str:
    present = parse_revision("x", client.ask("1.2.3.4", api_key=name).revision)
    return replace(present, sequence=present.sequence + 100).token()


def test_a_change_is_seen_within_a_stream(client: Client, workspace: str, stream: Stream) -> None:
    """The policy is that of the moment of each request, not of the stream's beginning."""
    name = client.key(workspace, "k").api_key.name
    stream.ask("before", "1.2.3.4", api_key=name)
    assert stream.take(1)["before"].response.allowed
    disable = admin.UpdateApiKeyRequest(api_key={"name": name, "disabled": True})
    revision = client.call("UpdateApiKey", disable).revision
    stream.ask("after", "1.2.3.4", api_key=name, min_revision=revision)
    assert not stream.take(1)["after"].response.allowed


def test_a_revoked_token_ends_its_streams(client: Client, workspace: str) -> None:
    """With UNAUTHENTICATED at the next request, which is not answered."""
    token = client.access_token("AUTHORIZER", workspace)
    stream = Stream(client.as_(token.token))
    stream.ask("1", "1.2.3.4", key="x")
    stream.take(1)
    revoke = admin.RevokeAccessTokenRequest(name=token.access_token.name)
    revision = client.call("RevokeAccessToken", revoke).revision
    client.call("WaitForRevision", admin.WaitForRevisionRequest(revision=revision))
    stream.ask("2", "1.2.3.4", key="x")
    with pytest.raises(grpc.RpcError) as failed:
        next(stream.answers)
    assert RpcFailed(failed.value).code == "UNAUTHENTICATED"
    assert RpcFailed(failed.value).reason == "TOKEN_INVALID"
    stream.end()


@pytest.mark.parametrize(
    ("token", "code"), [("", "UNAUTHENTICATED"), ("viewer", "PERMISSION_DENIED")]
)
def test_a_stream_needs_a_token_with_the_role(
    client: Client, workspace: str, token: str, code: str
) -> None:
    """Before any question is read."""
    if token:
        token = client.access_token("WORKSPACE_VIEWER", workspace).token
    stream = Stream(client.as_(token))
    with pytest.raises(grpc.RpcError) as failed:
        next(stream.answers)
    assert RpcFailed(failed.value).code == code
    stream.end()


def test_what_is_no_message_ends_the_stream(server: Server) -> None:
    """With INVALID_ARGUMENT; what came before it is answered."""
    good = authorize.StreamAuthorizeRequest(
        id="1", request=authorize.AuthorizeRequest(key="x", ip="1.2.3.4")
    )
    with Wire(server.address) as wire:
        wire.settings()
        wire.call(1, STREAM)
        wire.send(DATA, 0, 1, grpc_message(good.SerializeToString()))
        answer = wire.first(DATA, 1)
        assert answer is not None
        assert authorize.StreamAuthorizeResponse.FromString(answer.payload[5:]).id == "1"
        wire.send(DATA, 0, 1, grpc_message(b"\xff\xff"))
        assert wire.status(1) == "3"


QUESTIONS = 50_000
UNREAD = grpc_message(
    authorize.StreamAuthorizeRequest(
        id="x" * 1000, request=authorize.AuthorizeRequest(key="x", ip="1.2.3.4")
    ).SerializeToString()
)


def _fill(wire: Wire, streams: int, token: str = ROOT_TOKEN) -> None:
    """Asks over so many streams and takes no answer, until no more questions are taken."""
    wire.settings((http2.INITIAL_WINDOW_SIZE, 0))
    ids = range(1, 2 * streams, 2)
    for stream_id in ids:
        wire.call(stream_id, STREAM, token=token)
    unsent = {stream_id: memoryview(UNREAD * (QUESTIONS // streams)) for stream_id in ids}
    room = dict.fromkeys((0, *ids), 65_535)
    while unsent:
        for stream_id in list(unsent):
            # Whatever fits, also a part of a message: a server makes room as it needs it.
            part = unsent[stream_id][: max(0, min(room[0], room[stream_id], 16_384))]
            if part:
                wire.send(DATA, 0, stream_id, bytes(part))
                unsent[stream_id] = unsent[stream_id][len(part) :]
                for stream in (0, stream_id):
                    room[stream] -= len(part)
            if not unsent[stream_id]:
                del unsent[stream_id]
        if room[0] <= 0 or not any(room[stream_id] > 0 for stream_id in unsent):
            try:
                stream, more = wire.granted()
            except TimeoutError:
                return
            for stream_id in ids if stream < 0 else (stream,):
                room[stream_id] += more
    pytest.fail("it is read from without end")


@pytest.mark.parametrize("streams", [1, 200])
def test_a_caller_that_takes_no_answers_is_not_read_from(server: Server, streams: int) -> None:
    """Questions are taken until the answers fill what little is kept of them, then no more."""
    with Wire(server.address, timeout=3) as wire:
        _fill(wire, streams)


def test_a_caller_that_takes_no_answers_holds_up_nobody(
    server: Server, client: Client, workspace: str
) -> None:
    """Neither the changes, streams and health checks of others, nor their questions."""
    with Wire(server.address, timeout=3) as wire:
        _fill(wire, 200, client.access_token("AUTHORIZER", workspace).token)
        assert client.call("GetWorkspace", admin.GetWorkspaceRequest(name=workspace), timeout=10)
        question = authorize.AuthorizeRequest(key="x", ip="1.2.3.4")
        asked = authorize.StreamAuthorizeRequest(id="1", request=question)
        assert client.call("StreamAuthorize", asked, timeout=10).id == "1"
        assert client.call("Authorize", question, timeout=10)
        health = health_pb2_grpc.HealthStub(client.channel)
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=10).status


def test_a_stream_that_is_left_leaves_nothing(server: Server, client: Client) -> None:
    """Callers that go away in the middle are forgotten, and leave no traceback in the log."""
    for _ in range(20):
        stream = Stream(client)
        stream.ask("1", "1.2.3.4", key="x")
        stream.take(1)
        threading.Timer(0.01, stream.answers.cancel).start()
        stream.ask("2", "1.2.3.4", api_key="workspaces/none/apiKeys/none")
        time.sleep(0.02)
        stream.end()
    eventually(lambda: client.ask("1.2.3.4", key="x"), "it answers")
    assert "Traceback" not in server.log.read_text()
