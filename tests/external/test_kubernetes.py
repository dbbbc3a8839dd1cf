"""The manifests of deploy/kubernetes, built by kustomize and checked against the schemas of Kubernetes."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ipgate.settings import Settings, variable

from tests.harness.sources import ROOT

KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.6.0"
SCHEMAS = "kubernetes-validate==1.37.0"
VERSION = "1.31"
OTHERS = ("Certificate", "PodMonitor")
"""Kinds of cert-manager and of the Prometheus operator, whose schemas are not Kubernetes' own."""


@pytest.fixture(scope="module", params=["example", "observability"])
def resources(request: pytest.FixtureRequest, go: Callable[[str], str]) -> list[dict[str, Any]]:
    overlay = ROOT / "deploy" / "kubernetes" / "overlays" / request.param
    command = [go(KUSTOMIZE), "build", str(overlay)]
    built = subprocess.run(command, check=True, capture_output=True, text=True)
    return list(yaml.safe_load_all(built.stdout))


def test_the_manifests_are_valid(resources: list[dict[str, Any]], tmp_path: Path) -> None:
    """No field is misspelled or misplaced; everything is in the namespace of the overlay."""
    own = [resource for resource in resources if resource["kind"] not in OTHERS]
    assert {resource["kind"] for resource in own} == {
        "Deployment", "HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget", "Service",
    }  # fmt: skip
    assert {resource["metadata"]["namespace"] for resource in resources} == {"ipgate"}
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all(own))
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "tool", "run", "--from", SCHEMAS, "kubernetes-validate"]
    subprocess.run([*command, "--strict", "-k", VERSION, str(file)], check=True, timeout=600)


def test_the_container_is_set_up_by_settings_that_exist(resources: list[dict[str, Any]]) -> None:
    """Its probes ask the operations port, it cannot write or gain rights, and its time to end is long enough."""
    (deployment,) = (resource for resource in resources if resource["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    names = {entry["name"] for entry in container["env"]}
    known = {variable(name) for name in Settings.__dataclass_fields__} | {"IPGATE_ROOT_TOKEN_FILE"}
    assert names <= known
    values = {entry["name"]: entry.get("value") for entry in container["env"]}
    ending = int(values["IPGATE_DRAIN_DELAY"]) + int(values["IPGATE_SHUTDOWN_GRACE"])
    assert pod["terminationGracePeriodSeconds"] > ending + 5
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["securityContext"]["readOnlyRootFilesystem"]
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
