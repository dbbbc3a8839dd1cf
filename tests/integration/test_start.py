"""What a server says and does when it starts: its banner, its root token, and settings that cannot work."""

import socket
import stat
import subprocess
from pathlib import Path

import pytest
import trustme

from tests.harness.servers import IPGATE, Server, rejection, serving
from tests.harness.stores import REDIS, StoreServer

pytestmark = pytest.mark.engine


def test_the_root_token_is_made_once_and_kept_private(tmp_path: Path) -> None:
    """Without IPGATE_ROOT_TOKEN a token is made, readable by its owner alone, and stays."""
    tokens = []
    for _ in range(2):
        with serving(tmp_path, IPGATE_ROOT_TOKEN="") as server:
            file = tmp_path / "root-token"
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            tokens.append(file.read_text().strip())
            server.client(tokens[-1]).workspace()
            assert tokens[-1] not in server.log.read_text()
    assert tokens[0] == tokens[1]
    assert list(tmp_path.glob(".root-token*")) == []


def test_the_three_printed_commands_work(tmp_path: Path) -> None:
    """A new user can copy them line by line."""
    command = [
        str(IPGATE),
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        str(tmp_path / "d"),
        "--workers",
        "1",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        banner = [process.stdout.readline() for _ in range(8)]
        tries = [line.strip() for line in banner if line.startswith("  ")]
        assert len(tries) == 3
        said = [
            subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
            for command in tries
        ]
        assert said[-1].stdout == "ALLOWED UNRESTRICTED\n"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--listen", "0.0.0.0:0"], "plain text; give --tls-cert"),
        (["--listen", "[::]:0"], "plain text"),
        (["--listen", "nonsense"], "use HOST:PORT"),
        (["--listen", "127.0.0.1:99999"], "use HOST:PORT"),
        (["--tls-cert", "/nowhere"], "go together"),
        (["--tls-cert", "/nowhere", "--tls-key", "/nowhere"], "there is no file '/nowhere'"),
        (["--tls-client-ca", "/nowhere"], "needs --tls-cert"),
        (["--log-level", "LOUD"], "use DEBUG"),
        (["--engine", "quick"], "use http2 or grpcio"),
        (["--redis-url", "http://user:hush@localhost"], "use redis://, rediss://, unix://"),
        (["--max-staleness", "0"], "--max-staleness"),
    ],
)
def test_a_setting_that_does_not_work_is_refused_in_one_line(
    tmp_path: Path, options: list[str], message: str
) -> None:
    """The message names the setting and the remedy, and never a password."""
    said = rejection("--data-dir", str(tmp_path), *options)
    assert message in said
    assert "hush" not in said


@pytest.mark.parametrize("host", ["localhost", "[::1]"])
@pytest.mark.parametrize("engine", ["grpcio", "http2"])
def test_a_host_is_listened_on_by_name_and_in_ipv6(tmp_path: Path, engine: str, host: str) -> None:
    """At every address that it has."""
    listen = f"{host}:{free()}"
    with serving(tmp_path, "--engine", engine, "--listen", listen) as server:
        assert server.address == listen
        server.client().workspace()


def free() -> int:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as probe:
        return int(probe.getsockname()[1])


def test_a_short_root_token_is_refused(tmp_path: Path) -> None:
    """Fewer than 32 characters are no secret, and are not shown."""
    said = rejection("--data-dir", str(tmp_path), IPGATE_ROOT_TOKEN="short-one")
    assert "32 to 1,024 characters" in said
    assert "short-one" not in said


def test_a_port_or_data_directory_in_use_is_refused(server: Server, tmp_path: Path) -> None:
    """Two servers never share a port or a store directory by accident."""
    said = rejection("--listen", server.address, "--data-dir", str(tmp_path))
    assert "Address already in use" in said
    with serving(tmp_path / "d"):
        said = rejection("--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "d"))
        assert "another ipgate uses" in said


def test_a_store_that_may_evict_keys_is_refused(tmp_path: Path) -> None:
    """Losing keys silently would lose revocations; it takes a flag to accept that."""
    store = StoreServer(tmp_path / "s", "--maxmemory-policy", "allkeys-lru").start()
    try:
        options = ["--listen", "127.0.0.1:0", "--data-dir", str(tmp_path), "--redis-url", store.url]
        said = rejection(*options)
        assert "maxmemory-policy allkeys-lru" in said
        assert "--allow-eviction" in said
        with serving(tmp_path / "d", "--redis-url", store.url, "--allow-eviction") as server:
            server.client().workspace()
    finally:
        store.stop()


def test_a_store_with_user_and_password_over_tcp(tmp_path: Path, free_port: int) -> None:
    """The URL carries both; a wrong password is a clear refusal that does not show it."""
    users = tmp_path / "users.acl"
    users.write_text("user default off\nuser gate on >right-word ~* &* +@all\n")
    store = StoreServer(tmp_path / "s", "--aclfile", str(users), port=free_port).start()
    try:
        good = f"redis://gate:right-word@127.0.0.1:{free_port}"
        with serving(tmp_path / "d", "--redis-url", good) as server:
            server.client().workspace()
            assert "right-word" not in server.log.read_text()
        bad = f"redis://gate:wrong-word@127.0.0.1:{free_port}"
        said = rejection("--listen", "127.0.0.1:0", "--data-dir", str(tmp_path), "--redis-url", bad)
        assert "rejects the user or password" in said
        assert "wrong-word" not in said
    finally:
        store.stop()


def test_a_store_over_tls(tmp_path: Path, free_port: int) -> None:
    """`rediss://` works against a server with a certificate, and refuses one that is not trusted."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    store = StoreServer(
        tmp_path / "s",
        *("--tls-port", str(free_port), "--tls-cert-file", str(tmp_path / "cert.pem")),
        *("--tls-key-file", str(tmp_path / "key.pem"), "--tls-auth-clients", "no"),
        program=REDIS,  # the embedded Valkey is built without TLS
    )
    store.start()
    try:
        url = f"rediss://127.0.0.1:{free_port}"
        with serving(
            tmp_path / "d", "--redis-url", f"{url}?ssl_ca_certs={tmp_path}/ca.pem"
        ) as server:
            server.client().workspace()
        said = rejection("--listen", "127.0.0.1:0", "--data-dir", str(tmp_path), "--redis-url", url)
        assert "is not trusted" in said
    finally:
        store.stop()
