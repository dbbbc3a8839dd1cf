"""The image of the Dockerfile, built by buildah, with a read-only root and a user that it does not know."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.operations import WAIT, Operations
from tests.harness.servers import Server
from tests.harness.sources import ROOT

NAME = "localhost/ipgate-test"
UID = 54_321
RUN = Path(__file__).with_name("run-read-only")


def buildah(*arguments: str) -> str:
    environment = os.environ | {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
    command = ["buildah", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def root() -> Iterator[str]:
    """The root file system of the image."""
    subprocess.run([ROOT / "tools" / "build-image", NAME], check=True, timeout=1200)
    container = buildah("from", NAME)
    yield buildah("mount", container)
    buildah("rm", container)


def command(root: str, data: Path, *arguments: str) -> list[str]:
    data.mkdir(mode=0o700)
    os.chown(data, UID, 0)
    return ["unshare", "--mount", str(RUN), root, str(UID), str(data), *arguments]


@pytest.mark.timeout(1500)
def test_the_image_serves(root: str, tmp_path: Path, free_port: int) -> None:
    """It is ready, answers, and keeps what it must in its data directory alone; how long it takes is printed."""
    options = ["--listen", "127.0.0.1:0", "--ops-listen", f"127.0.0.1:{free_port}"]
    began = time.monotonic()
    process = subprocess.Popen(
        command(root, tmp_path / "data", "ipgate", "serve", *options),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        print(f"serves after {time.monotonic() - began:.2f} s")
        server = Server(process, line.split()[4], tmp_path / "log")
        operations = Operations(server, free_port)
        operations.wait_for("ipgate_workers_serving", is_so=bool)
        token = (tmp_path / "data" / "root-token").read_text().strip()
        assert server.client(token).workspace()
    finally:
        process.terminate()
        process.wait(timeout=WAIT)
        assert process.stdout
        process.stdout.close()


def test_it_does_not_open_itself_to_the_network_without_tls(root: str, tmp_path: Path) -> None:
    """By default it listens on all interfaces of its container, and asks for consent or TLS."""
    variables = ["env", "IPGATE_LISTEN=0.0.0.0:50051"]
    done = subprocess.run(
        command(root, tmp_path / "data", *variables, "ipgate", "serve"),
        capture_output=True, text=True, check=False, timeout=WAIT,
    )  # fmt: skip
    assert done.returncode == 2
    assert "give --tls-cert and --tls-key, or --plaintext" in done.stderr
