"""Real servers for tests: `ipgate serve` as a process, and a plain gRPC client of it."""

import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure, RetryInfo
from google.rpc.status_pb2 import Status
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize
from ipgate.v1 import resources_pb2 as resources
from ipgate.v1.admin_pb2_grpc import AdminServiceStub
from ipgate.v1.authorize_pb2_grpc import AuthorizeServiceStub

from tests.harness.ranges import plain

ROOT_TOKEN = "root-token-of-the-test-suite-0123456789"
TIMEOUT = 20.0
ENGINE = os.environ.get("IPGATE_TEST_ENGINE", "http2")
"""The engine of all servers that do not ask for another."""
IPGATE = Path(sys.executable).with_name("ipgate")


_WORKER = re.compile(r"ipgate\.app\.worker")


class RpcFailed(Exception):
    """A call that failed: its code, its message, and the details of its status."""

    def __init__(self, error: Any) -> None:
        self.code: str = error.code().name
        self.message: str = error.details() or ""
        self.status = Status()
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                self.status.ParseFromString(value)
        super().__init__(f"{self.code}: {self.message}")

    def detail(self, kind: type[Any]) -> Any:
        message = kind()
        for detail in self.status.details:
            if detail.Unpack(message):
                return message
        return None

    @property
    def reason(self) -> str:
        """The reason that ipgate gave; "" if the failure is not its own, as of a lost connection."""
        info = self.detail(ErrorInfo)
        return str(info.reason) if info is not None else ""

    @property
    def fields(self) -> dict[str, str]:
        """Violations: field to description."""
        return {
            violation.field: violation.description
            for violation in self.detail(BadRequest).field_violations
        }

    @property
    def subjects(self) -> list[str]:
        return [violation.subject for violation in self.detail(PreconditionFailure).violations]

    @property
    def retry_after(self) -> float:
        return float(self.detail(RetryInfo).retry_delay.ToMilliseconds()) / 1000


class Client:
    """A plain gRPC client. Calls return the response or raise RpcFailed."""

    def __init__(self, address: str, token: str = ROOT_TOKEN, channel: Any = None) -> None:
        self.address = address
        self.token = token
        self.channel: Any = channel or grpc.insecure_channel(
            address,
            (("grpc.max_receive_message_length", 64 << 20), ("grpc.use_local_subchannel_pool", 1)),
        )
        self._admin = _stub(AdminServiceStub, self.channel)
        self._authorize = _stub(AuthorizeServiceStub, self.channel)

    def as_(self, token: str) -> "Client":
        """The same server, as another caller."""
        return Client(self.address, token, self.channel)

    def call(self, method: str, request: Any, *, timeout: float = TIMEOUT) -> Any:
        stub = self._authorize if method.endswith("Authorize") else self._admin
        metadata = [("authorization", f"Bearer {self.token}")] if self.token else []
        try:
            if method == "StreamAuthorize":
                answers = stub.StreamAuthorize(iter([request]), timeout=timeout, metadata=metadata)
                return next(answers)
            if method == "ReplaceRanges":
                # One message, or several.
                request = iter(request if isinstance(request, list) else [request])
            return getattr(stub, method)(request, timeout=timeout, metadata=metadata)
        except grpc.RpcError as error:
            raise RpcFailed(error) from None

    def ask(self, ip: str, *, timeout: float = TIMEOUT, **subject: Any) -> Any:
        return self.call("Authorize", authorize.AuthorizeRequest(ip=ip, **subject), timeout=timeout)

    def workspace(self, **fields: Any) -> str:
        """A new workspace of a random id; returns its resource name."""
        response = self.call(
            "CreateWorkspace",
            admin.CreateWorkspaceRequest(
                workspace_id=f"w{secrets.token_hex(8)}", workspace=resources.Workspace(**fields)
            ),
        )
        return str(response.workspace.name)

    def allow_list(
        self, workspace: str, allow_list: str, ranges: Sequence[str | dict[str, Any]], **fields: Any
    ) -> Any:
        resource = {
            "display_name": allow_list,
            "description": "for a test",
            "ranges": plain(ranges),
        } | fields
        broad = resource.pop("allow_broad", False)
        return self.call(
            "CreateAllowList",
            admin.CreateAllowListRequest(
                parent=workspace,
                allow_list_id=allow_list,
                allow_list=resources.AllowList(**resource),
                allow_broad=broad,
            ),
        ).allow_list

    def key(self, workspace: str, key: str, **fields: Any) -> Any:
        """Creates a key; returns the response, credential included."""
        sha256 = fields.pop("credential_sha256", "")
        return self.call(
            "CreateApiKey",
            admin.CreateApiKeyRequest(
                parent=workspace,
                api_key_id=key,
                api_key=resources.ApiKey(**fields),
                credential_sha256=sha256,
            ),
        )

    def link(self, allow_list: str, *keys: str) -> str:
        request = admin.LinkApiKeysRequest(allow_list=allow_list, api_keys=keys)
        return str(self.call("LinkApiKeys", request).revision)

    def unlink(self, allow_list: str, *keys: str) -> str:
        """Also where keys become usable from every address."""
        request = admin.UnlinkApiKeysRequest(
            allow_list=allow_list, api_keys=keys, allow_unrestricted=True
        )
        return str(self.call("UnlinkApiKeys", request).revision)

    def default(
        self,
        workspace: str,
        allow_list: str = "",
        *,
        enabled: bool = True,
        report_only: bool = False,
    ) -> Any:
        """Also where keys become usable from every address."""
        return self.call(
            "UpdateDefaultAllowList",
            admin.UpdateDefaultAllowListRequest(
                workspace=workspace,
                default_allow_list=resources.DefaultAllowList(
                    enabled=enabled, allow_list=allow_list, report_only=report_only
                ),
                allow_unrestricted=True,
            ),
        ).workspace

    def access_token(self, role: str, workspace: str = "", **fields: Any) -> Any:
        """Creates an access token; returns the response, secret included."""
        return self.call(
            "CreateAccessToken",
            admin.CreateAccessTokenRequest(
                access_token=resources.AccessToken(
                    role=_role(role),
                    workspace=workspace,
                    **fields,
                )
            ),
        )


class Server:
    """A running `ipgate serve`."""

    def __init__(self, process: subprocess.Popen[str], address: str, log: Path) -> None:
        self.process = process
        self.address = address
        self.log = log

    def client(self, token: str = ROOT_TOKEN) -> Client:
        return Client(self.address, token)

    def children(self) -> list[int]:
        """Processes that the supervisor started: the store's and the workers'."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def workers(self) -> list[int]:
        return [pid for pid in self.children() if _WORKER.search(_command_line(pid))]

    def stores(self) -> list[int]:
        return [pid for pid in self.children() if "valkey-server" in _command_line(pid)]

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@contextmanager
def serving(directory: Path, *options: str, **environment: str) -> Iterator[Server]:
    """A server of the test's own on a free port, with its data under `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "log"
    command = [str(IPGATE), "serve", "--data-dir", str(directory), *options]
    if "--listen" not in options:
        command += ["--listen", "127.0.0.1:0"]
    if "--engine" not in options:
        command += ["--engine", ENGINE]
    if "--workers" not in options:
        command += ["--workers", "1"]
    variables = os.environ | {"IPGATE_ROOT_TOKEN": ROOT_TOKEN} | environment
    with log.open("a") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=variables
        )
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        assert "listens on" in first, f"the server did not start: {log.read_text()}"
        yield Server(process, first.split()[4], log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise AssertionError(f"the server did not stop: {log.read_text()}") from None
        process.stdout.close()


def _stub(kind: Any, channel: Any) -> Any:
    return kind(channel)


def _role(name: str) -> Any:
    return resources.AccessToken.Role.Value(f"ROLE_{name}")


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def rejection(*options: str, **variables: str) -> str:
    """What `ipgate serve` says when it does not start."""
    done = subprocess.run(
        [IPGATE, "serve", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | variables,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr
