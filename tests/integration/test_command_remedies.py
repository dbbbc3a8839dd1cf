"""What a command says to do about wrong options works when it is done to the letter."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.harness.servers import IPGATE, ROOT_TOKEN, Server, serving

Run = Any
CREATE = ("list", "create", "n", "--name", "N", "--description", "d")
LINES = "10.0.0.1\n"
TABLE = "ip,note\n10.0.0.1,a\n"


@pytest.mark.parametrize(
    "case",
    [
        (("-f", "a", "-f", "b"), LINES, "put all ranges into one file", ("-f", "-")),
        (("-f", ""), LINES, "give the name of a file", ("-f", "FILE")),
        (
            ("-f", "-", "--column", ""),
            TABLE,
            "the number of a column",
            ("-f", "-", "--column", "ip"),
        ),
        (("-f", "-"), TABLE, "name the column", ("-f", "-", "--column", "ip")),
        (("-r", "192.0.2.10-20"), "", "; use '192.0.2.10/31'", ("-r", "192.0.2.10/31")),
        (("-r", "2001:db8::1", "-r", "192.0.2.1"), "", "or leave it out", ("-r", "192.0.2.1")),
        (("-r", "10.0.0.0/7"), "", "give --allow-broad", ("-r", "10.0.0.0/7", "--allow-broad")),
        (("-r", "192.0.2.0/255.0.255.0"), "", "write it as CIDR ranges", ("-r", "192.0.2.0/24")),
        (("-r", "192.0.2.0/99"), "", "; check it", ("-r", "192.0.2.0/24")),
        (("-r", "10.0.0.1/0.0.0.0"), "", "write a prefix length", ("-r", "10.0.0.1/32")),
        (
            ("-f", "-"),
            "192.0.2.1 and 192.0.2.2\n",
            "write one range a line, and only what is allowed",
            ("-r", "192.0.2.1", "-r", "192.0.2.2"),
        ),
    ],
)
def test_the_remedy_for_wrong_ranges_works(
    run: Run, tmp_path: Path, case: tuple[Any, str, str, Any]
) -> None:
    """The command fails with the remedy in its message and changes nothing; followed, it succeeds."""
    wrong, content, remedy, right = case
    (tmp_path / "f").write_text(content)
    assert remedy in run(*CREATE, *wrong, code=2, stdin=content)
    options = [str(tmp_path / "f") if argument == "FILE" else argument for argument in right]
    assert "N" in run(*CREATE, *options, stdin=content)


@pytest.mark.parametrize("day", ["2999-01-31", "2999-01-31T12:00:00Z"])
def test_the_remedy_for_a_wrong_expiry_works(run: Run, day: str) -> None:
    """Each of the two forms that the message shows is taken, with another year."""
    said = run("key", "create", "k", "--expires", "tomorrow", code=2)
    assert day.replace("2999", "2027") in said
    run("key", "create", "k", "--expires", day)


def test_the_remedies_for_a_wrong_server_work(tmp_path: Path) -> None:
    """An empty --server, half a pair and a file that is not PEM are refused; what they ask for connects."""
    authority = trustme.CA()
    pair = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    pair.private_key_pem.write_to_path(tmp_path / "key.pem")
    pair.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    (tmp_path / "text").write_text("nothing")
    paths = {name: str(tmp_path / name) for name in ("ca.pem", "key.pem", "cert.pem", "text")}
    tls = ("--tls-cert", paths["cert.pem"], "--tls-key", paths["key.pem"])
    with serving(tmp_path / "d", *tls, "--tls-client-ca", paths["ca.pem"]) as server:

        def ask(*options: str, code: int = 0) -> str:
            done = subprocess.run(
                [str(IPGATE), *options, "health"],
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            assert done.returncode == code, done.stdout + done.stderr
            return done.stdout + done.stderr

        where = ("--server", server.address, "--tls-ca", paths["ca.pem"])
        assert "give HOST:PORT" in ask("--server", "", code=2)
        assert "give both or neither" in ask(*where, *tls[:2], code=2)
        bad = ("--server", server.address, "--tls-ca", paths["text"])
        assert "give PEM files without a password" in ask(*bad, *tls, code=2)
        assert "SERVING" in ask(*where, *tls)


def test_the_remedies_for_a_message_that_is_too_large_work(tmp_path: Path) -> None:
    """Fewer ranges at a time are taken, and all of them by a server that takes larger messages."""
    ranges = tmp_path / "f"
    ranges.write_text("\n".join(f"10.0.{n >> 8}.{n & 255}" for n in range(20_000)))
    few = tmp_path / "few"
    few.write_text("\n".join(ranges.read_text().split()[:1000]))

    def create(server: Server, file: Path, *, code: int = 0) -> str:
        environment = os.environ | {"IPGATE_SERVER": server.address, "IPGATE_TOKEN": ROOT_TOKEN}
        workspace = server.client().workspace().rpartition("/")[2]
        done = subprocess.run(
            [str(IPGATE), *CREATE, "-f", str(file)],
            env=environment | {"IPGATE_WORKSPACE": workspace},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    with serving(tmp_path / "d", "--max-message-bytes", "65536") as server:
        said = create(server, ranges, code=2)
        assert "send less at a time, or raise --max-message-bytes of the server" in said
        create(server, few)
    with serving(tmp_path / "d", "--max-message-bytes", "4194304") as server:
        create(server, ranges)
