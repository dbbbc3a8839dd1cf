"""The connection of the commands to a running server, and its errors in words."""

import re
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, PreconditionFailure
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_status import rpc_status

from ipgate.cli.endpoint import CliError, Endpoint
from ipgate.settings import tls_error
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1.admin_pb2_grpc import AdminServiceStub
from ipgate.v1.authorize_pb2_grpc import AuthorizeServiceStub

_MAX_ANSWER = 64 << 20
_PAGE = 1000
_MAX_TOKEN_BYTES = 4096


class Connection:
    """Calls a server. Every method raises CliError."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def admin(self, method: str, request: Message) -> Any:
        """Calls a method of AdminService. Raises CliError."""
        return self._call(AdminServiceStub, method, request)

    def wait(self, revision: str) -> None:
        """Waits until every worker of every server answers by a revision. Raises CliError."""
        request = admin.WaitForRevisionRequest(revision=revision)
        try:
            count = self.admin("WaitForRevision", request).worker_count
        except CliError as failure:
            raise CliError(
                f"the change was made, but may not be in force yet: {failure}"
            ) from failure
        print(f"in force at every worker ({count})", file=sys.stderr)

    def authorize(self, request: Message) -> Any:
        """Calls Authorize. Raises CliError."""
        return self._call(AuthorizeServiceStub, "Authorize", request)

    def pages(self, method: str, request: Any, items: str) -> Iterator[Message]:
        """All resources of a listing, page by page. Raises CliError."""
        request.page_size = _PAGE
        while True:
            answer = self.admin(method, request)
            yield from getattr(answer, items)
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    def serving(self, service: str) -> bool:
        """Whether a service, or the server for "", is serving; no token is needed. Raises CliError."""
        request = HealthCheckRequest(service=service)
        answer = self._call(HealthStub, "Check", request, metadata=())
        return bool(answer.status == HealthCheckResponse.SERVING)

    def _call(self, stub: Any, method: str, request: Message, metadata: Any = None) -> Any:
        options = (("grpc.max_receive_message_length", _MAX_ANSWER),)
        if metadata is None:
            metadata = (("authorization", f"Bearer {self._secret()}"),)
        with self._channel(options) as channel:
            try:
                call = getattr(stub(channel), method)
                return call(request, metadata=metadata, timeout=self._endpoint.timeout)
            except grpc.RpcError as error:
                raise CliError(self._explained(error)) from error

    def _channel(self, options: Any) -> grpc.Channel:
        """Raises CliError."""
        if not self._endpoint.server:
            raise CliError("--server is empty; give HOST:PORT")
        if bool(self._endpoint.tls_cert) != bool(self._endpoint.tls_key):
            raise CliError("--tls-cert and --tls-key go together; give both or neither")
        if not self._endpoint.tls_ca:
            if self._endpoint.tls_cert:
                # Else the token would go in clear where TLS was meant.
                raise CliError("--tls-cert needs --tls-ca, the certificates to trust")
            return grpc.insecure_channel(self._endpoint.server, options)
        self._check_files()
        pair = [
            Path(path).read_bytes()
            for path in (self._endpoint.tls_key, self._endpoint.tls_cert)
            if path
        ]
        credentials = grpc.ssl_channel_credentials(Path(self._endpoint.tls_ca).read_bytes(), *pair)
        return grpc.secure_channel(self._endpoint.server, credentials, options)

    def _check_files(self) -> None:
        """Raises CliError for files that are no good for TLS, of which gRPC says nothing helpful."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        what = f"--tls-ca {self._endpoint.tls_ca!r}"
        try:
            context.load_verify_locations(self._endpoint.tls_ca)
            if self._endpoint.tls_cert:
                what = f"--tls-cert {self._endpoint.tls_cert!r} and --tls-key {self._endpoint.tls_key!r}"
                # A key under a password is refused here, where OpenSSL would ask for it.
                context.load_cert_chain(
                    self._endpoint.tls_cert, self._endpoint.tls_key, password=lambda: b""
                )
        except OSError as error:
            text = f"{what}: {tls_error(error)}; give PEM files without a password"
            raise CliError(text) from error

    def _secret(self) -> str:
        """The token. Raises CliError."""
        if self._endpoint.token:
            return _checked(self._endpoint.token, "IPGATE_TOKEN")
        try:
            with self._endpoint.token_file.open("rb") as source:
                text = source.read(_MAX_TOKEN_BYTES).decode()
            return _checked(text.strip(), f"--token-file {self._endpoint.token_file}")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not text"
            raise CliError(
                f"no access token: set IPGATE_TOKEN, or --token-file to a file that holds one "
                f"({self._endpoint.token_file}: {why})"
            ) from error

    def _explained(self, error: Any) -> str:
        code, details = error.code(), error.details() or ""
        if code is grpc.StatusCode.UNAVAILABLE and rpc_status.from_call(error) is None:
            return (
                f"no ipgate answers at {self._endpoint.server}: start it with 'ipgate serve', or set --server, "
                f"and --tls-ca if it serves TLS ({details})"
            )
        too_large = "larger than max" in details or "this method takes at most" in details
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED and too_large:
            details += "; send less at a time, or raise --max-message-bytes of the server"
        return _in_flags("\n".join([f"{code.name}: {details}", *_particulars(error)]))


def _in_flags(text: str) -> str:
    """What the API says to set, as the flags that the commands have."""
    text = re.sub(r"set (allow_unrestricted|allow_broad)", r"give --\1", text)
    text = text.replace("--allow_", "--allow-").replace("use force", "use --force")
    return text.replace("use display_name,", "give --name,") if "names nothing" in text else text


def _checked(token: str, where: str) -> str:
    """The token if it can be sent at all. Raises CliError."""
    if not token or not token.isascii() or not token.isprintable():
        raise CliError(f"{where} holds no access token: a token is printable ASCII")
    return token


def _particulars(error: Any) -> list[str]:
    """One line for each violation after the first, which the message has."""
    status = rpc_status.from_call(error)
    lines = []
    for detail in status.details if status else ():
        bad, failure = BadRequest(), PreconditionFailure()
        if detail.Unpack(bad):
            lines += [
                f"  {violation.field}: {violation.description}"
                for violation in bad.field_violations
            ]
        elif detail.Unpack(failure):
            lines += [f"  {violation.description}" for violation in failure.violations]
    return lines[1:]
