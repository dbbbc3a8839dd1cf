"""What the client library gives to the tests of applications."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from ipgate_client import Client, Forwarded, Verdict
from ipgate_client.testing import FakeClient, IpgateServer

from tests.harness.sources import ROOT

README = ROOT / "clients" / "python" / "README.md"
pytest_plugins = ["ipgate_client.testing.fixtures"]


@pytest.mark.parametrize("ranges", [(), ("192.0.2.0/24",), ("192.0.2.0/25", "192.0.2.7")])
@pytest.mark.parametrize("fields", [{}, {"disabled": True}, {"report_only": True}], ids=str)
def test_the_fake_decides_as_the_server_does(
    ipgate_server: IpgateServer, ranges: tuple[str, ...], fields: dict[str, bool]
) -> None:
    """For the same keys, allowed, denied and reported; and it fails as the server does."""
    fake = FakeClient()
    key = ipgate_server.create_key(*ranges, **fields)
    fake.allow(key, *ranges, **fields)
    with Client(ipgate_server.address, token=ipgate_server.token, timeout=10) as client:
        for asked in (key, "wrong"):
            for ip in ("192.0.2.7", "192.0.2.200", "198.51.100.1", "::ffff:192.0.2.7", "nowhere"):
                real, faked = (_said(asking.check(key=asked, ip=ip)) for asking in (client, fake))
                assert real == faked, (asked, ip)


def test_a_fake_knows_its_keys_by_name_and_its_limits() -> None:
    """It finds no addresses behind proxies, and says so; closed, it denies."""
    fake = FakeClient()
    fake.allow("a-key", "192.0.2.0/24")
    assert fake.check(api_key="workspaces/test/apiKeys/k1", ip="192.0.2.7")
    forwarded = Forwarded(peer="192.0.2.7")
    assert "give ip" in str(fake.check(key="a-key", forwarded=forwarded).error)
    fake.close()
    assert str(fake.check(key="a-key", ip="192.0.2.7").error) == "CANCELLED: the client is closed"


def _said(verdict: Verdict) -> tuple[object, ...]:
    """Without names, which differ."""
    code = verdict.error.code if verdict.error else None
    return (verdict.allowed, verdict.reason, verdict.range, verdict.report_only, code)


def test_the_fixture_works_as_the_readme_says(tmp_path: Path) -> None:
    """In a project that has nothing but the lines of the README."""
    (program,) = re.findall(r"```python\n(def test_an_office.*?)```", README.read_text(), re.DOTALL)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["ipgate_client.testing.fixtures"]\n')
    (tmp_path / "test_office.py").write_text(f"from ipgate_client import Client\n\n\n{program}")
    pytest_ = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path)
    done = subprocess.run(pytest_, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
