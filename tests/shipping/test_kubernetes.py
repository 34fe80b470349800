"""Kubernetes takes what is in `deploy/kubernetes`, and it keeps what processes promise."""

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
import yaml

from shared.settings import REFRESHERS_ONLY, Settings, load
from shared.version import VERSION
from tests.end_to_end.fleet import procfile
from tests.exposed import a_fleet, families
from tests.shipping.dockerfile import only
from tests.shipping.environment import DEADLINE, GRACE, KINDS, ROOT, SECRETS, program, run

KUBERNETES = ROOT / "deploy" / "kubernetes"
# The oldest that kustomization.yaml speaks of, and the newest whose schemas there are.
KUBERNETES_VERSIONS = ["1.29", "1.37"]


@cache
def objects() -> list[dict[str, Any]]:
    """What kustomization.yaml names, as it is written."""
    names = kustomization()["resources"]
    read = [yaml.safe_load_all((KUBERNETES / name).read_text()) for name in names]
    return [one for several in read for one in several]


def kustomization() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    return read


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    """Objects by their names."""
    return {one["metadata"]["name"]: one for one in objects() if one["kind"] == kind}


def pod(kind: str) -> dict[str, Any]:
    spec: dict[str, Any] = of_kind("Deployment")[kind]["spec"]["template"]["spec"]
    return spec


def container(kind: str) -> dict[str, Any]:
    (only_one,) = pod(kind)["containers"]
    found: dict[str, Any] = only_one
    return found


def assert_valid(one: Mapping[str, Any], version: str) -> None:
    """By Kubernetes's own schemas, with nothing that they do not name."""
    validator = import_module("kubernetes_validate")
    validator.validate(one, version, strict=True)


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_kubernetes_takes_every_object(version: str) -> None:
    secrets = yaml.safe_load_all((KUBERNETES / "secrets.example.yaml").read_text())
    for one in (*objects(), *secrets):
        assert_valid(one, version)


def test_the_schemas_refuse_what_is_wrong() -> None:
    wrong = {**of_kind("Deployment")["reader"], "sepc": {}}
    with pytest.raises(import_module("kubernetes_validate").ValidationError):
        assert_valid(wrong, KUBERNETES_VERSIONS[-1])


def test_kustomize_builds_what_kubernetes_takes() -> None:
    built = run(program("kubectl", "KUSTOMIZATION"), "kustomize", KUBERNETES)
    assert built.returncode == 0, built.stderr
    made = list(yaml.safe_load_all(built.stdout))
    for one in made:
        assert_valid(one, KUBERNETES_VERSIONS[-1])
    kinds = sorted(one["kind"] for one in made)
    assert kinds == sorted([*(one["kind"] for one in objects()), "ConfigMap"])
    images = re.findall(r"image: (\S+)", built.stdout)
    assert images == [f"registry.example.com/api-read-cache:{VERSION}"] * len(KINDS)
    (settings,) = (one["metadata"]["name"] for one in made if one["kind"] == "ConfigMap")
    assert built.stdout.count(f"name: {settings}") == len(KINDS) + 1, "all have its generated name"


def test_the_kustomization_names_every_file() -> None:
    files = {file.name for file in KUBERNETES.iterdir()}
    rest = {"kustomization.yaml", "secrets.example.yaml"}
    assert files == {*kustomization()["resources"], *rest}
    assert [image["newTag"] for image in kustomization()["images"]] == [VERSION]


def test_settings_for_kubernetes_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    (generated,) = kustomization()["configMapGenerator"]
    for literal in generated["literals"]:
        name, _, value = literal.partition("=")
        assert name.lower() in Settings.model_fields
        assert name not in SECRETS
        monkeypatch.setenv(name, value)
    for kind in KINDS:
        for variable in container(kind).get("env", []):
            assert variable["name"].lower() in Settings.model_fields
            assert variable["name"] not in SECRETS
            monkeypatch.setenv(variable["name"], variable["value"])
    load()


@pytest.mark.parametrize("kind", KINDS)
def test_kubernetes_runs_what_the_procfile_runs(kind: str) -> None:
    assert container(kind)["command"] == procfile()[kind]
    assert "args" not in container(kind)
    assert container(kind)["image"] == "api-read-cache"


@pytest.mark.parametrize("kind", KINDS)
def test_every_pod_can_do_no_more_than_it_has_to(kind: str) -> None:
    user = int(only("USER").partition(":")[0])
    assert pod(kind)["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container(kind)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    shared = ["/dev/shm"] if kind == "reader" else []
    mounted = [mount["mountPath"] for mount in container(kind)["volumeMounts"]]
    assert mounted == ["/tmp", *shared]
    assert all("emptyDir" in volume for volume in pod(kind)["volumes"])
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod(kind))
    assert {"requests", "limits"} <= set(container(kind)["resources"])


@pytest.mark.parametrize("kind", KINDS)
def test_no_pod_holds_a_token_of_kubernetes(kind: str) -> None:
    assert pod(kind)["serviceAccountName"] == kind
    assert pod(kind)["automountServiceAccountToken"] is False
    assert of_kind("ServiceAccount")[kind]["automountServiceAccountToken"] is False
    assert pod(kind)["enableServiceLinks"] is False


def test_secrets_are_named_not_contained_and_go_to_those_who_need_them() -> None:
    assert not of_kind("Secret")
    example = yaml.safe_load_all((KUBERNETES / "secrets.example.yaml").read_text())
    named = {one["metadata"]["name"]: one["stringData"] for one in example}
    assert {value for values in named.values() for value in values.values()} == {""}
    given = {
        kind: [one["secretRef"]["name"] for one in container(kind)["envFrom"] if "secretRef" in one]
        for kind in KINDS
    }
    assert given == {
        "reader": ["redis", "readers"],
        "refresher": ["redis", "github"],
        "scheduler": ["redis"],
    }
    assert set(named["github"]) == set(REFRESHERS_ONLY) - {"GITHUB_APP_PRIVATE_KEY_FILE"}
    assert not set(REFRESHERS_ONLY) & {*named["redis"], *named["readers"]}


def test_readers_are_probed_and_drained() -> None:
    reader = container("reader")
    assert reader["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
    assert reader["readinessProbe"]["httpGet"] == {"path": "/healthcheck", "port": "http"}
    (port,) = reader["ports"]
    environment = {variable["name"]: variable["value"] for variable in reader["env"]}
    assert str(port["containerPort"]) == environment["PORT"]
    name, pause = reader["lifecycle"]["preStop"]["exec"]["command"]
    assert name == "sleep"
    assert int(pause) + GRACE < pod("reader")["terminationGracePeriodSeconds"]
    assert pod("refresher")["terminationGracePeriodSeconds"] > DEADLINE


@pytest.mark.parametrize("kind", ["reader", "refresher"])
def test_there_are_always_some(kind: str) -> None:
    labels = {"app.kubernetes.io/name": kind}
    budget = of_kind("PodDisruptionBudget")[kind]["spec"]
    scaler = of_kind("HorizontalPodAutoscaler")[kind]["spec"]
    assert budget["selector"]["matchLabels"] == labels
    assert budget["maxUnavailable"] < scaler["minReplicas"]
    assert scaler["scaleTargetRef"]["name"] == kind
    assert "replicas" not in of_kind("Deployment")[kind]["spec"], "the autoscaler's alone"
    for constraint in pod(kind)["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"] == labels


def test_refreshers_are_scaled_by_a_metric_that_readers_expose() -> None:
    (metric,) = of_kind("HorizontalPodAutoscaler")["refresher"]["spec"]["metrics"]
    name = metric["external"]["metric"]["name"]
    assert name in families(a_fleet())
    assert f"max({name}{{" in (ROOT / "docs" / "deploying.md").read_text(), "the rule is there"


def test_the_service_leads_to_readers() -> None:
    spec = of_kind("Service")["reader"]["spec"]
    template = of_kind("Deployment")["reader"]["spec"]["template"]
    assert spec["selector"].items() <= template["metadata"]["labels"].items()
    assert [port["targetPort"] for port in spec["ports"]] == ["http"]


def test_nobody_speaks_to_anybody_but_for_what_is_allowed() -> None:
    policies = {name: one["spec"] for name, one in of_kind("NetworkPolicy").items()}
    denied = policies.pop("nothing-else")
    assert denied == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert policies["all-to-dns"]["podSelector"] == {} == policies["all-to-redis"]["podSelector"]
    ways_in = [name for name, spec in policies.items() if "Ingress" in spec["policyTypes"]]
    assert ways_in == ["ingress-and-prometheus-to-readers"]
    (way_in,) = policies[ways_in[0]]["ingress"]
    assert all({"namespaceSelector", "podSelector"} == set(peer) for peer in way_in["from"])
    ways_out = [name for name, spec in policies.items() if "ipBlock" in json.dumps(spec)]
    assert ways_out == ["refreshers-to-github"]
    outside = policies["refreshers-to-github"]
    assert outside["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "refresher"}}
    (way_out,) = outside["egress"]
    assert way_out["ports"] == [{"protocol": "TCP", "port": 443}]
    inner = [ip_network(one) for to in way_out["to"] for one in to["ipBlock"]["except"]]
    for address in ("10.1.2.3", "172.20.0.1", "192.168.1.1", "169.254.169.254", "fd00::1"):
        assert any(ip_address(address) in network for network in inner), address
