"""The log: as JSON, with the request id in every line of a call, and denied decisions on request."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from ipgate.authorizer.authorizer import Question, Verdict
from ipgate.domain.decision import KEY_UNKNOWN
from ipgate.rpc.denial_log import DenialLog
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize
from ipgate.v1.admin_pb2_grpc import AdminServiceStub

from tests.harness.servers import ROOT_TOKEN, Client, Server, serving

pytestmark = pytest.mark.engine

WAIT = 30.0


def lines(server: Server, event: str, count: int = 1) -> list[dict[str, Any]]:
    """The lines of a JSON log about an event, once there are so many."""
    deadline = time.monotonic() + WAIT
    while True:
        logged = [json.loads(line) for line in server.log.read_text().splitlines()]
        found = [line for line in logged if line["event"] == event]
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, logged[-5:]
        time.sleep(0.05)


def call(client: Client, method: str, request: object, request_id: str) -> None:
    metadata = [("authorization", f"Bearer {ROOT_TOKEN}"), ("x-request-id", request_id)]
    getattr(AdminServiceStub(client.channel), method)(request, metadata=metadata, timeout=WAIT)


def test_json_lines_have_fields(tmp_path: Path) -> None:
    """What a line names is a field; hostile values are values."""
    with serving(tmp_path, "--log-format", "json") as server:
        request = admin.CreateWorkspaceRequest(workspace_id="acme")
        call(server.client(), "CreateWorkspace", request, "of-the-gateway")
        (line,) = lines(server, "change")
        assert line["method"] == "ipgate.v1.AdminService/CreateWorkspace"
        assert line["resource"] == "workspaces/acme"
        assert line["actor"] == "<root>"
        assert line["request_id"] == "of-the-gateway"
        assert line["level"] == "INFO"
        call(
            server.client(),
            "CreateWorkspace",
            admin.CreateWorkspaceRequest(workspace_id="b"),
            "two words",
        )
        assert len(lines(server, "change", 2)[1]["request_id"]) == 16
        assert ROOT_TOKEN not in server.log.read_text()


@pytest.mark.parametrize("form", ["text", "json"])
def test_every_line_of_a_call_has_its_request_id(tmp_path: Path, form: str) -> None:
    """Also one about the store, deep below."""
    with serving(tmp_path, "--log-format", form) as server:
        client = server.client()
        client.workspace()
        (store,) = server.stores()
        os.kill(store, signal.SIGSTOP)
        try:
            with pytest.raises(grpc.RpcError):
                call(
                    client,
                    "CreateWorkspace",
                    admin.CreateWorkspaceRequest(workspace_id="w"),
                    "r-17",
                )
        finally:
            os.kill(store, signal.SIGCONT)
        deadline = time.monotonic() + WAIT
        while not any(
            "store command failed" in line and "r-17" in line
            for line in server.log.read_text().splitlines()
        ):
            assert time.monotonic() < deadline, server.log.read_text()
            time.sleep(0.05)


def test_denied_decisions_are_logged_on_request(tmp_path: Path) -> None:
    """With API key, address, reason and request id; those that only report, too. Not by default."""
    options = ("--workers", "1", "--log-format", "json", "--log-denials", "1000")
    with serving(tmp_path, *options) as server:
        client = server.client()
        workspace = client.workspace(ipv6_enabled=True)
        office = client.allow_list(workspace, "office", ["192.0.2.1"]).name
        keys = [
            client.key(workspace, name, report_only=name == "r").api_key.name for name in ("l", "r")
        ]
        revision = client.link(office, *keys)
        client.call("WaitForRevision", admin.WaitForRevisionRequest(revision=revision))
        for ip in ("192.0.2.1", "192.0.2.2"):
            client.ask(ip, api_key=keys[0])
        client.ask("2001:DB8::1", api_key=keys[1])
        client.ask("192.0.2.1", key="ipg_secret")
        batch = [authorize.AuthorizeRequest(ip="192.0.2.3", api_key=keys[0])]
        client.call("BatchAuthorize", authorize.BatchAuthorizeRequest(requests=batch))
        client.call("StreamAuthorize", authorize.StreamAuthorizeRequest(request=batch[0]))
        logged = [
            (line["api_key"], line["address"], line["reason"], line["report_only"])
            for line in lines(server, "denied", 5)
        ]
        assert logged == [
            (keys[0], "192.0.2.2", "NOT_IN_LINKED_LISTS", False),
            (keys[1], "2001:db8::1", "NOT_IN_LINKED_LISTS", True),
            ("unknown", "192.0.2.1", "KEY_UNKNOWN", False),
            (keys[0], "192.0.2.3", "NOT_IN_LINKED_LISTS", False),
            (keys[0], "192.0.2.3", "NOT_IN_LINKED_LISTS", False),
        ]
        assert "ipg_secret" not in server.log.read_text()
    with serving(tmp_path, "--workers", "1") as server:
        server.client().ask("192.0.2.2", api_key=keys[0])
        assert "192.0.2.2" not in server.log.read_text().rpartition("stopping")[2]


def test_denials_in_the_log_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """So many a second; the next second says how many were left out."""

    class Call:
        def request_id(self) -> str:
            return "r"

    now = 0.0
    log = DenialLog(3, lambda: now)
    call_: Any = Call()
    with caplog.at_level("INFO"):
        for _ in range(10):
            log.note(call_, Question(None, 1), Verdict(KEY_UNKNOWN, "", ""))
        assert len(caplog.records) == 3
        now = 1.0
        log.note(call_, Question(None, 1), Verdict(KEY_UNKNOWN, "", ""))
    assert caplog.records[3].getMessage() == "denied decisions that were not logged count=7"
    assert len(caplog.records) == 5
