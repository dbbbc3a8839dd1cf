"""Clients that others wrote get the right answers from both engines."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness.servers import ROOT_TOKEN, Server
from tests.harness.sources import ROOT

GRPCURL = "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4"
GHZ = "github.com/bojand/ghz/cmd/ghz@v0.93.0"
PROBE = "github.com/grpc-ecosystem/grpc-health-probe@v0.4.62"
TOKEN = f"authorization: Bearer {ROOT_TOKEN}"
INSIDE, OUTSIDE = "192.0.2.1", "198.51.100.1"

Go = Callable[[str], str]


def run(*command: str, **variables: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env=os.environ | variables
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def credential(server: Server) -> str:
    """Of a key that is allowed from INSIDE alone."""
    client = server.client()
    workspace = client.workspace()
    created = client.key(workspace, "k")
    client.link(client.allow_list(workspace, "l", [INSIDE]).name, created.api_key.name)
    return str(created.credential)


def question(credential: str, ip: str) -> str:
    return json.dumps({"key": credential, "ip": ip})


def test_grpcurl_asks_and_describes(server: Server, credential: str, go: Go) -> None:
    """By reflection: services, a method by its name, and answers. It is built on grpc-go."""
    call = (go(GRPCURL), "-plaintext", "-H", TOKEN)
    assert "ipgate.v1.AuthorizeService" in run(*call, server.address, "list")
    method = "ipgate.v1.AuthorizeService.Authorize"
    assert "is a method" in run(*call, server.address, "describe", method)
    for ip in (INSIDE, OUTSIDE):
        asked = (
            "-d",
            question(credential, ip),
            server.address,
            "ipgate.v1.AuthorizeService/Authorize",
        )
        assert json.loads(run(*call, *asked)).get("allowed", False) == (ip == INSIDE)


def test_ghz_loads_by_reflection(server: Server, credential: str, go: Go) -> None:
    """Thousands of calls over several connections, all of them answered."""
    metadata = json.dumps({"authorization": f"Bearer {ROOT_TOKEN}"})
    options = ("--insecure", "-n", "3000", "-c", "30", "--connections", "3", "-O", "json")
    said = run(
        *(go(GHZ), *options, "--call", "ipgate.v1.AuthorizeService/Authorize"),
        *("-m", metadata, "--reflect-metadata", metadata),
        *("-d", question(credential, INSIDE), server.address),
    )
    assert json.loads(said)["statusCodeDistribution"] == {"OK": 3000}


def test_the_health_probe_sees_the_server(server: Server, go: Go) -> None:
    """As Kubernetes asks."""
    for service in ("", "ipgate.v1.AuthorizeService"):
        run(go(PROBE), f"-addr={server.address}", f"-service={service}")


def test_buf_curl_asks(server: Server, credential: str) -> None:
    """By reflection, over HTTP/2 by prior knowledge."""
    url = f"http://{server.address}/ipgate.v1.AuthorizeService/Authorize"
    buf = str(Path(sys.executable).with_name("buf"))
    options = ("--protocol", "grpc", "--http2-prior-knowledge", "--reflect-header", TOKEN)
    said = run(buf, "curl", *options, "-H", TOKEN, "-d", question(credential, INSIDE), url)
    assert json.loads(said)["allowed"]


def test_grpc_js_asks_and_streams(server: Server, credential: str, node_modules: Path) -> None:
    """Answers, a stream, and the code of an error, in Node.js."""
    asked = (server.address, ROOT_TOKEN, credential, INSIDE, OUTSIDE, str(ROOT / "protos"))
    script = str(Path(__file__).parent / "client.js")
    output: Any = json.loads(run("node", script, *asked, NODE_PATH=str(node_modules)))
    assert output == {"allowed": [True, False], "streamed": [True, False], "refused": 3}
