"""Open Policy Agent: its REST API, a policy that asks `net.cidr_contains` for each range of its data."""

import json
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import ranges
from bench.contenders.contender import Ask, Contender, Running
from bench.h2load import Call
from bench.install import go_install
from bench.processes import free_address, launched

VERSION = "v1.22.3"
ROWS = {f"OPA, {count:,} ranges": count for count in (10, 1000)}
_POLICY = """package ipgate.r{count}

default allow := false

allow if {{
    some listed in data.ranges.r{count}
    net.cidr_contains(listed, input.ip)
}}
"""


@contextmanager
def start(directory: Path) -> Iterator[Running]:
    program = str(go_install(f"github.com/open-policy-agent/opa@{VERSION}"))
    address = free_address()
    listed = {
        f"r{count}": [_prefix(text) for text in ranges.texts(count)] for count in ROWS.values()
    }
    files = [directory / "data.json"]
    files[0].write_text(json.dumps({"ranges": listed}))
    for count in ROWS.values():
        files.append(directory / f"r{count}.rego")
        files[-1].write_text(_POLICY.format(count=count))
    options = ["--server", "--h2c", f"--addr={address}", "--log-level=error", "--disable-telemetry"]
    subprocess.run([program, "check", *map(str, files[1:])], check=True, timeout=60)
    command = [program, "run", *options, *map(str, files)]
    with launched(command, address, directory / "output") as pid:
        asks = {name: _ask(address, count, directory) for name, count in ROWS.items()}
        yield Running(f"OPA {VERSION}", lambda: [pid], asks)


def _prefix(text: str) -> str:
    return text if "/" in text else f"{text}/32"


def _ask(address: str, count: int, directory: Path) -> Ask:
    path = f"/v1/data/ipgate/r{count}/allow"
    ip = ranges.inside(ranges.texts(count))
    body = directory / f"ask{count}"
    body.write_text(_input(ip))
    call = Call(address, path, ("content-type: application/json",), directory, body)
    return Ask(call, _decided(f"http://{address}{path}", ip))


def _decided(url: str, ip: str) -> Callable[[], None]:
    def decide(ip: str) -> bool:
        request = urllib.request.Request(url, _input(ip).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bool(json.load(answer)["result"])

    def check() -> None:
        assert decide(ip)
        assert not decide(ranges.OUTSIDE)

    return check


def _input(ip: str) -> str:
    return json.dumps({"input": {"ip": ip}})


CONTENDER = Contender("OPA", tuple(ROWS), start)
