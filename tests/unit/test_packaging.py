"""The two distributions of this tree fit together."""

import hashlib
import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from ipgate.version import VERSION

from tests.harness.sources import ROOT


def test_the_server_depends_on_the_client_of_its_own_version() -> None:
    """Both are released together."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"ipgate-client=={VERSION}" in project["dependencies"]


def test_no_file_is_in_both_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They share the namespace package `ipgate`, which therefore has no `__init__.py`."""
    files = []
    for directory in (ROOT, ROOT / "clients" / "python"):
        monkeypatch.chdir(directory)
        (wheel,) = WheelBuilder(str(directory)).build(
            directory=str(tmp_path), versions=["standard"]
        )
        with zipfile.ZipFile(wheel) as archive:
            files.append(set(archive.namelist()))
    server, client = files
    assert not server & client
    assert "ipgate/__init__.py" not in server | client
    assert {"ipgate/app/worker.py", "ipgate/store/lua/get.lua"} <= server
    assert {
        "ipgate/domain/decision.py",
        "ipgate/v1/authorize_pb2.py",
        "ipgate_client/py.typed",
    } <= client


def test_scripts_of_others_are_those_of_their_packages() -> None:
    """As `make assets` copied them from the pinned versions, with their licences."""
    static = ROOT / "service" / "ipgate" / "console" / "static"
    sums = (ROOT / "tools" / "assets" / "sha256sums").read_text().splitlines()
    recorded = {name: digest for digest, _, name in (line.partition("  ") for line in sums)}
    assert {name for name in recorded if name.endswith(".js")} == {
        path.name for path in static.glob("*.min.js")
    }
    for name, digest in recorded.items():
        assert hashlib.sha256((static / name).read_bytes()).hexdigest() == digest, name
