"""The connection of the commands to a running server, and its errors in the words of the commands."""

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from ipgate_client import (
    CallFailed,
    ConfigError,
    Tls,
    call_failed,
    open_channel,
    read_token,
)
from ipgate_client.admin import AdminClient
from ipgate_client.token import bearer

from ipgate.cli.endpoint import CliError, Endpoint
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1.authorize_pb2_grpc import AuthorizeServiceStub


class Connection:
    """Calls a server.

    Every method raises CliError.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def admin(self, method: str, request: Message) -> Any:
        """Call a method of AdminService."""
        with self._client() as client:
            return client.call(method, request)

    def authorize(self, request: Any) -> Any:
        """Ask for a decision."""
        with self._errors(), self._channel() as channel:
            return self._called(
                AuthorizeServiceStub(channel).Authorize, request, bearer(self._token())
            )

    def upload(self, method: str, requests: Iterable[Message]) -> Any:
        """Call a method of AdminService that takes many messages."""
        with self._client() as client:
            return client.upload(method, requests)

    def pages(self, method: str, request: Any, field: str) -> Iterator[Any]:
        """Yield the resources in `field` of all pages of a listing."""
        with self._client() as client:
            yield from client.pages(method, request, field)

    def wait(self, revision: str) -> None:
        """Wait until every worker of every server answers by a revision."""
        request = admin.WaitForRevisionRequest(revision=revision)
        try:
            count = self.admin("WaitForRevision", request).worker_count
        except CliError as error:
            raise CliError(f"the change was made, but may not be in force yet: {error}") from error
        print(f"in force at every worker ({count})", file=sys.stderr)

    def serving(self, service: str) -> bool:
        """Ask whether a service, or the server for "", is serving.

        This needs no token.
        """
        request = HealthCheckRequest(service=service)
        with self._errors(), self._channel() as channel:
            answer = self._called(HealthStub(channel).Check, request)
            return bool(answer.status == HealthCheckResponse.SERVING)

    def _channel(self) -> grpc.Channel:
        return open_channel(self._endpoint.server, tls_of(self._endpoint))

    def _called(self, method: Any, request: Message, metadata: Any = ()) -> Any:
        try:
            return method(request, timeout=self._endpoint.timeout, metadata=metadata)
        except grpc.RpcError as error:
            raise call_failed(error) from error

    @contextmanager
    def _client(self) -> Iterator[AdminClient]:
        endpoint = self._endpoint
        with (
            self._errors(),
            AdminClient(
                endpoint.server, self._token(), tls=tls_of(endpoint), timeout=endpoint.timeout
            ) as client,
        ):
            yield client

    def _token(self) -> str:
        if self._endpoint.token:
            return self._endpoint.token
        try:
            return read_token(self._endpoint.token_file)
        except ConfigError as error:
            raise CliError(
                f"no access token: set IPGATE_TOKEN, or --token-file to a file that holds one ({error})"
            ) from error

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the errors of the client into CliError."""
        if not self._endpoint.server:
            raise CliError("--server is empty; give HOST:PORT")
        try:
            yield
        except ConfigError as error:
            # A token of a file is checked before, so this one is of the environment.
            raise CliError(
                _in_flags(str(error)).replace("token holds", "IPGATE_TOKEN holds")
            ) from error
        except CallFailed as error:
            raise CliError(self._explained(error)) from error

    def _explained(self, error: CallFailed) -> str:
        message = error.message
        if error.code is grpc.StatusCode.UNAVAILABLE and not error.from_server:
            return (
                f"no ipgate answers at {self._endpoint.server}: start it with 'ipgate serve', or set --server, "
                f"and --tls-ca if it serves TLS ({message})"
            )
        too_large = "larger than max" in message or "this method takes at most" in message
        if error.code is grpc.StatusCode.RESOURCE_EXHAUSTED and too_large:
            message += "; send less at a time, or raise --max-message-bytes of the server"
        # The message has the first violation already.
        return _in_flags("\n".join([f"{error.code.name}: {message}", *_lines(error)[1:]]))


def tls_of(endpoint: Endpoint) -> Tls | None:
    """Return the files of TLS for an endpoint, None for plaintext.

    Raises: ConfigError and CliError.
    """
    if not (endpoint.tls_ca or endpoint.tls_cert or endpoint.tls_key):
        return None
    tls = Tls(endpoint.tls_ca, endpoint.tls_cert, endpoint.tls_key)
    if not endpoint.tls_ca:
        # Otherwise the token would travel in clear text although TLS was meant.
        raise CliError("--tls-cert needs --tls-ca, the certificates to trust")
    return tls


def _lines(error: CallFailed) -> list[str]:
    fields = error.code is grpc.StatusCode.INVALID_ARGUMENT
    return [
        f"  {violation.field}: {violation.description}" if fields else f"  {violation.description}"
        for violation in error.violations
    ]


def _in_flags(text: str) -> str:
    """Name what the API and the client say to set by the flags of the commands."""
    text = re.sub(r"\btls_(ca|cert|key)\b", r"--tls-\1", text)
    text = re.sub(r"set (allow_unrestricted|allow_broad)", r"give --\1", text)
    text = text.replace(
        "set ipv6_enabled of the workspace, or leave it out",
        "enable it with 'ipgate workspace update --ipv6', or leave it out (of a file with --skip-ipv6)",
    ).replace(
        "change them with UpdateRanges, or leave them out",
        "change them with 'ipgate list set', or leave them out",
    )
    text = text.replace("--allow_", "--allow-").replace("use force", "use --force")
    return text.replace("use display_name,", "give --name,") if "names nothing" in text else text
