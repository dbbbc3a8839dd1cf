"""TLS and mutual TLS."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from ipgate.settings import BadSetting, Settings

from tests.harness.servers import Client, Refused, Server, serving


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
        with pytest.raises(Refused) as refused:
            stranger.workspace()
        assert refused.value.code == "UNAVAILABLE"


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
        with pytest.raises(BadSetting, match=reason) as refused:
            wrong.check()
        assert repr(named) in str(refused.value)
    Settings(tls_cert=cert, tls_key=key, tls_client_ca=cert).check()
