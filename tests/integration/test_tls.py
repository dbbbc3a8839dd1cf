"""TLS and mutual TLS."""

import os
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from ipgate.engines import tls
from ipgate.settings import BadSetting, Settings

from tests.harness.http2 import PREFACE
from tests.harness.servers import Client, RpcFailed, Server, serving
from tests.harness.waiting import eventually

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's certificate and key, and the authority's certificate."""
    directory = tmp_path_factory.mktemp("tls")
    authority.cert_pem.write_to_path(directory / "ca.pem")
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.private_key_pem.write_to_path(directory / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    return directory


@pytest.fixture(scope="module")
def server(files: Path) -> Iterator[Server]:
    """A server that wants certificates of its clients."""
    options = ["--tls-cert", f"{files}/cert.pem", "--tls-key", f"{files}/key.pem"]
    with serving(files / "d", *options, "--tls-client-ca", f"{files}/ca.pem") as running:
        yield running


def connect(server: Server, **credentials: Any) -> Client:
    channel = grpc.secure_channel(server.address, grpc.ssl_channel_credentials(**credentials))
    return Client(server.address, channel=channel)


def issued(authority: trustme.CA) -> dict[str, bytes]:
    certificate = authority.issue_cert("client@example.org")
    return {
        "private_key": certificate.private_key_pem.bytes(),
        "certificate_chain": certificate.cert_chain_pems[0].bytes(),
    }


def test_a_client_with_a_certificate_gets_in(
    server: Server, files: Path, authority: trustme.CA
) -> None:
    """Both sides trust each other."""
    roots = (files / "ca.pem").read_bytes()
    connect(server, root_certificates=roots, **issued(authority)).workspace()


def test_a_client_without_a_trusted_certificate_does_not(server: Server, files: Path) -> None:
    """None, and one of another authority, end at the handshake; so does plain text."""
    roots = (files / "ca.pem").read_bytes()
    strangers = [
        connect(server, root_certificates=roots),
        connect(server, root_certificates=roots, **issued(trustme.CA())),
        server.client(),
    ]
    for stranger in strangers:
        with pytest.raises(RpcFailed) as failed:
            stranger.workspace()
        assert failed.value.code == "UNAVAILABLE"


def test_damaged_key_material_is_refused_at_the_start(files: Path, tmp_path: Path) -> None:
    """The server does not come up without TLS; it does not come up at all."""
    (tmp_path / "bad.pem").write_text("nonsense")
    options = ["--tls-cert", f"{files}/cert.pem", "--tls-key", f"{tmp_path}/bad.pem"]
    with (
        pytest.raises(AssertionError, match="the server did not start"),
        serving(tmp_path / "d", *options),
    ):
        pass


def test_files_that_do_not_work_are_refused_before_anything_starts(
    files: Path, tmp_path: Path
) -> None:
    """One line names the setting, the file and what is wrong, whichever engine would serve."""
    (tmp_path / "junk.pem").write_text("junk")
    (tmp_path / "other.pem").write_bytes(
        trustme.CA().issue_cert("localhost").private_key_pem.bytes()
    )
    cert, key = str(files / "cert.pem"), str(files / "key.pem")
    junk, other = str(tmp_path / "junk.pem"), str(tmp_path / "other.pem")
    for wrong, named, reason in (
        (Settings(tls_cert=cert, tls_key=other), other, "mismatch"),
        (Settings(tls_cert=junk, tls_key=key), junk, "as PEM"),
        (Settings(tls_cert=cert, tls_key=junk), junk, "as PEM"),
        (Settings(tls_cert=cert, tls_key=key, tls_client_ca=junk), junk, "no certificate"),
    ):
        with pytest.raises(BadSetting, match=reason) as failed:
            tls.read(wrong)
        assert repr(named) in str(failed.value)
    assert tls.read(Settings(tls_cert=cert, tls_key=key, tls_client_ca=cert))


def gets_in(client: Client) -> bool:
    try:
        client.workspace()
    except RpcFailed:
        return False
    return True


class Rotating:
    """A directory with the files of a server, which are replaced."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.options = (
            *("--tls-cert", f"{directory}/cert.pem", "--tls-key", f"{directory}/key.pem"),
            *("--tls-client-ca", f"{directory}/ca.pem"),
        )

    def put(self, name: str, content: bytes) -> None:
        """As certificate managers do: whole, or not at all."""
        new = self.directory / f"{name}.new"
        new.write_bytes(content)
        new.rename(self.directory / name)

    def issue(self, authority: trustme.CA) -> trustme.LeafCert:
        return authority.issue_cert("127.0.0.1")

    def put_pair(self, certificate: trustme.LeafCert) -> None:
        self.put("key.pem", certificate.private_key_pem.bytes())
        self.put("cert.pem", certificate.cert_chain_pems[0].bytes())


def served(server: Server, authority: trustme.CA, client: trustme.CA) -> str:
    """The certificate that a new connection gets, "" if it fails."""
    host, _, port = server.address.rpartition(":")
    context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    context.set_alpn_protocols(["h2"])
    certificate = client.issue_cert("client@example.org")
    with certificate.private_key_and_cert_chain_pem.tempfile() as path:
        context.load_cert_chain(path)
    try:
        with (
            socket.create_connection((host, int(port)), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        ):
            secured.sendall(PREFACE + bytes(3) + b"\x04" + bytes(5))
            # A client that is not trusted learns of it when it reads.
            if not secured.recv(1):
                return ""
            presented = secured.getpeercert(binary_form=True)
            return ssl.DER_cert_to_PEM_cert(presented or b"").strip()
    except OSError:
        return ""


def text(certificate: trustme.LeafCert) -> str:
    return certificate.cert_chain_pems[0].bytes().decode().strip()


@pytest.mark.parametrize("engine", ["grpcio", "http2"])
def test_certificates_are_replaced_while_serving(tmp_path: Path, engine: str) -> None:
    """New connections get the new pair, open ones go on; a half-written pair leaves the former in force, with
    one warning, also for a worker that starts in that time; another client authority is taken alike."""
    ours, clients, others = trustme.CA(), trustme.CA(), trustme.CA()
    files = Rotating(tmp_path)
    first, second = files.issue(ours), files.issue(ours)
    files.put_pair(first)
    files.put("ca.pem", clients.cert_pem.bytes())
    with serving(tmp_path / "d", "--engine", engine, *files.options) as server:
        identity = clients.issue_cert("client@example.org")
        client = connect(
            server,
            root_certificates=ours.cert_pem.bytes(),
            private_key=identity.private_key_pem.bytes(),
            certificate_chain=identity.cert_chain_pems[0].bytes(),
        )
        client.workspace()
        assert served(server, ours, clients) == text(first)
        assert served(server, ours, others) == ""
        files.put("key.pem", second.private_key_pem.bytes())
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: "file='TLS files' reason=" in server.log.read_text(), "it is logged")
        (worker,) = server.workers()
        os.kill(worker, signal.SIGHUP)
        assert served(server, ours, clients) == text(first)
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: served(server, ours, clients) == text(first), "another worker serves")
        assert server.log.read_text().count("file='TLS files' reason=") == 1
        eventually(lambda: gets_in(client), "the client has connected again")
        files.put("cert.pem", second.cert_chain_pems[0].bytes())
        eventually(lambda: served(server, ours, clients) == text(second), "the new pair is served")
        client.workspace()
        files.put("ca.pem", others.cert_pem.bytes())
        eventually(lambda: served(server, ours, others) == text(second), "others are trusted")
        assert served(server, ours, clients) == ""
        assert second.private_key_pem.bytes().decode() not in server.log.read_text()
        assert "Traceback" not in server.log.read_text()
