"""What a refused setting's message says to do works when it is done to the letter."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
import trustme

from tests.harness.groups import Cluster
from tests.harness.servers import IPGATE, serving
from tests.harness.stores import running

PASSWORD = "a/b?c#d@e%f"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with a certificate, its key, and a store with a password."""
    directory = tmp_path_factory.mktemp("f")
    pair = trustme.CA().issue_cert("127.0.0.1")
    pair.private_key_pem.write_to_path(directory / "key.pem")
    pair.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    (directory / "text").write_text("nothing\n")
    with running(directory / "s") as store:
        with redis.Redis(unix_socket_path=str(store.socket)) as client:
            client.acl_setuser(
                "gate", enabled=True, passwords=[f"+{PASSWORD}"], keys=["*"], channels=["*"],
                commands=["+@all"],
            )  # fmt: skip
        yield directory


def rejection(directory: Path, *options: str, **variables: str) -> str:
    done = subprocess.run(
        [IPGATE, "serve", "--data-dir", str(directory), "--listen", "127.0.0.1:0", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | variables,
    )
    assert done.returncode == 2, done.stderr
    assert PASSWORD not in done.stderr
    return done.stderr


TLS = ("--tls-cert", "F/cert.pem", "--tls-key", "F/key.pem")


@pytest.mark.parametrize(
    ("wrong", "remedy", "right"),
    [
        (TLS[:2], "give both or neither", TLS),
        (TLS[:2], "give both or neither", ()),
        (("--listen", "0.0.0.0:0"), "give --tls-cert and --tls-key, or", (*TLS,)),
        (("--listen", "0.0.0.0:0"), "or --plaintext to accept that", ("--plaintext",)),
        (
            ("--trusted-proxies", "10.0.0.1/8"),
            "use '10.0.0.1' for this address alone, or '10.0.0.0/8'",
            ("--trusted-proxies", "10.0.0.0/8, unix"),
        ),
        (("--gateway-key", "x api key"), "use one as in x-api-key", ("--gateway-key", "x-api-key")),
        (
            ("--check-listen", "somewhere"),
            "use HOST:PORT, as in 127.0.0.1:9191",
            ("--check-listen", "127.0.0.1:9192"),
        ),
        (
            ("--check-listen", "127.0.0.1:9195", "--listen", "127.0.0.1:9195"),
            "is the address of --listen; choose another",
            ("--check-listen", "127.0.0.1:9196"),
        ),
        (
            ("--check-listen", "127.0.0.1:0"),
            "name a port, as in 127.0.0.1:9191",
            ("--check-listen", "127.0.0.1:9191"),
        ),
        (
            ("--check-listen", "0.0.0.0:9191"),
            "give --tls-cert and --tls-key, or --plaintext",
            ("--check-listen", "0.0.0.0:9193", "--plaintext"),
        ),
        (("--listen", "somewhere"), "use HOST:PORT", ("--listen", "127.0.0.1:0")),
        ((*TLS[:3], "F/text"), "give a certificate chain and its key, both as PEM", TLS),
        ((*TLS, "--tls-client-ca", "F/text"), "give certificates as PEM", (*TLS,)),
        (("--tls-client-ca", "F/cert.pem"), "needs --tls-cert and --tls-key", TLS),
        (("--engine", "quick"), "use http2 or grpcio", ("--engine", "grpcio")),
        (("--log-level", "LOUD"), "use DEBUG, INFO, WARNING or ERROR", ("--log-level", "ERROR")),
        (
            ("--store-binary", "redis-server", "--redis-url", "URL"),
            "leave out --redis-url",
            ("--store-binary", "redis-server"),
        ),
        (("--redis-url", "http://h"), "use redis://, rediss://, unix://", ("--redis-url", "URL")),
        (("--redis-url", "UNENCODED"), "percent-encode the user and", ("--redis-url", "ENCODED")),
    ],
)
def test_the_remedy_for_a_wrong_setting_works(
    tmp_path: Path, files: Path, wrong: tuple[str, ...], remedy: str, right: tuple[str, ...]
) -> None:
    """`serve` refuses the setting with the remedy in its message, and starts once it is followed."""
    socket = f"{files}/s/s.sock"
    names = {
        "URL": f"unix://{socket}",
        "UNENCODED": f"unix://gate:{PASSWORD}@{socket}",
        "ENCODED": f"unix://gate:{quote(PASSWORD, safe='')}@{socket}",
    }

    def filled(options: tuple[str, ...]) -> list[str]:
        return [names.get(option, option.replace("F/", f"{files}/")) for option in options]

    assert remedy in rejection(tmp_path / "d", *filled(wrong))
    if "0.0.0.0:0" in wrong:
        right = (*wrong, *right)
    with serving(tmp_path / "d", *filled(right)):
        pass


def test_the_remedy_for_a_path_that_is_too_long_works(tmp_path: Path) -> None:
    """A socket's path has a limit; a shorter data directory keeps it."""
    long = tmp_path / ("d" * 100)
    assert "choose a shorter --data-dir" in rejection(long)
    with serving(tmp_path / "d"):
        pass


def test_the_remedies_for_a_data_directory_in_use_work(tmp_path: Path) -> None:
    """Another directory serves beside, and the same one once the other server has stopped."""
    with serving(tmp_path / "d"):
        assert "stop it, or choose a --data-dir" in rejection(tmp_path / "d")
        with serving(tmp_path / "other"):
            pass
    with serving(tmp_path / "d"):
        pass


def test_the_remedies_for_a_missing_token_file_work(tmp_path: Path) -> None:
    """A token in the file serves, and so does the server without the file."""
    file = tmp_path / "token"
    variables = {"IPGATE_ROOT_TOKEN": "", "IPGATE_ROOT_TOKEN_FILE": str(file)}
    said = rejection(tmp_path / "d", **variables)
    assert "write a token into it, or do without it (IPGATE_ROOT_TOKEN_FILE)" in said
    file.touch(mode=0o600)
    assert "32 to 1,024 characters" in rejection(tmp_path / "d", **variables)
    file.write_text("t" * 32)
    with serving(tmp_path / "d", **variables):
        pass
    with serving(tmp_path / "e", IPGATE_ROOT_TOKEN=""):
        pass


def test_a_port_in_use_is_refused_until_another_is_chosen(tmp_path: Path, free_port: int) -> None:
    """Another program holds the port."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = f"127.0.0.1:{holder.getsockname()[1]}"
        assert "choose another" in rejection(tmp_path / "d", "--listen", taken)
        with serving(tmp_path / "d", "--listen", f"127.0.0.1:{free_port}"):
            pass


def test_a_password_in_two_places_is_refused_until_one_is_left(tmp_path: Path, files: Path) -> None:
    """In the URL, or in the file."""
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    file = ("--redis-password-file", str(tmp_path / "password"))
    encoded = f"unix://gate:{quote(PASSWORD, safe='')}@{files}/s/s.sock"
    said = rejection(tmp_path / "d", "--redis-url", encoded, *file)
    assert "give one of them" in said
    assert "needs --redis-url" in rejection(tmp_path / "d", *file)
    with serving(tmp_path / "d", "--redis-url", encoded):
        pass
    with serving(tmp_path / "d", "--redis-url", f"unix://gate@{files}/s/s.sock", *file):
        pass


def test_a_cluster_is_refused_until_its_url_says_so(tmp_path: Path) -> None:
    """redis+cluster:// with the hosts of the nodes, instead of redis:// with one of them."""
    cluster = Cluster(tmp_path / "c").start()
    try:
        hosts = [f"127.0.0.1:{node.port}" for node in cluster.nodes]
        said = rejection(tmp_path / "d", "--redis-url", f"redis://{hosts[0]}")
        assert "use redis+cluster://HOST,HOST instead of redis://HOST" in said
        with serving(tmp_path / "d", "--redis-url", f"redis+cluster://{','.join(hosts)}"):
            pass
    finally:
        cluster.stop()
