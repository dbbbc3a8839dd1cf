"""Metrics, rules and the dashboard with a real Prometheus."""

import json
import re
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import grpc
import pytest
import trustme
import yaml

from tests.harness.operations import WAIT, Operations, operated
from tests.harness.servers import Client, RpcFailed
from tests.harness.sources import ROOT

DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus"
NAME = re.compile(r"\b(?:ipgate|grpc_server)_[a-z_]+")


def program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not installed; on Debian: apt-get install prometheus"
    return found


def promtool(*arguments: str, stdin: str = "", cwd: Path = RULES) -> None:
    done = subprocess.run(
        [program("promtool"), *arguments],
        input=stdin, capture_output=True, text=True, check=False, cwd=cwd, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_valid_and_raise_what_they_should() -> None:
    """By the unit tests beside them, one or more for each alert, and one in which none is raised."""
    promtool("check", "config", "prometheus.yml")
    promtool("test", "rules", "ipgate-alerts.test.yml")
    rules = yaml.safe_load((RULES / "ipgate-alerts.yml").read_text())["groups"][0]["rules"]
    tests = yaml.safe_load((RULES / "ipgate-alerts.test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    alerts = {rule["alert"] for rule in rules}
    assert alerts == {case["alertname"] for case in cases if case.get("exp_alerts")}
    assert alerts == {case["alertname"] for case in cases if not case.get("exp_alerts")}
    documented = (ROOT / "docs" / "operations.md").read_text()
    assert all(f"`{alert}`" in documented for alert in alerts)


def test_prometheus_reads_the_metrics_that_rules_and_dashboard_use(
    tmp_path: Path, free_port: int
) -> None:
    """Each of them, from a server with TLS, and what it reads passes its own check."""
    authority = trustme.CA()
    pair = authority.issue_cert("127.0.0.1")
    pair.private_key_pem.write_to_path(tmp_path / "key.pem")
    pair.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    options = ("--tls-cert", f"{tmp_path}/cert.pem", "--tls-key", f"{tmp_path}/key.pem")
    with operated(tmp_path / "s", free_port, *options) as running:
        roots = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
        address = running.server.address
        client = Client(address, channel=grpc.secure_channel(address, roots))
        client.ask("192.0.2.1", api_key=client.key(client.workspace(), "k").api_key.name)
        with pytest.raises(RpcFailed):
            client.as_("ipgt_wrong").workspace()
        running.wait_for("ipgate_decisions_total", "UNRESTRICTED", "true", "false", is_so=bool)
        _, text = running.get("/metrics")
        promtool("check", "metrics", stdin=text)
        expiry = running.value("ipgate_tls_certificate_expiry_timestamp_seconds")
        assert expiry > time.time()
        known = scraped(running, tmp_path)
    used = set(NAME.findall((RULES / "ipgate-alerts.yml").read_text()))
    dashboard = json.loads((DEPLOY / "grafana" / "ipgate.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            used |= set(NAME.findall(target["expr"]))
    assert len(used) > 25
    assert used <= known


def scraped(running: Operations, directory: Path) -> set[str]:
    """The names that a Prometheus knows after it has read a server's metrics."""
    port = running.port + 1
    config = yaml.safe_load((RULES / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{running.port}"]}]
    shutil.copy(RULES / "ipgate-alerts.yml", directory)
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        program("prometheus"),
        f"--config.file={directory}/prometheus.yml",
        f"--storage.tsdb.path={directory}/tsdb",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + WAIT
        while not _query(port, "query", query="ipgate_workers_serving > 0"):
            assert time.monotonic() < deadline, "Prometheus has read nothing"
            time.sleep(0.2)
        assert not _query(port, "query", query='ALERTS{alertstate="firing"}')
        return set(_query(port, "label/__name__/values"))
    finally:
        process.terminate()
        process.wait(timeout=WAIT)


def _query(port: int, path: str, **values: str) -> Any:
    try:
        url = f"http://127.0.0.1:{port}/api/v1/{path}?{urlencode(values)}"
        with urllib.request.urlopen(url, timeout=WAIT) as answer:
            data = json.load(answer)["data"]
    except OSError:
        return []
    return data["result"] if isinstance(data, dict) else data
