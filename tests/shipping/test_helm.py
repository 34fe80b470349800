"""The Helm chart makes what kustomize makes, and refuses values that nothing reads."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.settings import load
from tests.shipping.environment import KINDS, ROOT, program, run
from tests.shipping.test_chart import CHART
from tests.shipping.test_kubernetes import KUBERNETES, KUBERNETES_VERSIONS, assert_valid

NAMESPACE = "api-read-cache"
RELEASE = "tried"
# Labels that only Helm gives.
HELMS = {
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
}
EVERYTHING = {
    "image": {"tag": "1.2.3", "pullSecrets": ["registry"]},
    "settings": {"ORGS": "Netflix", "CACHE_TTL": 0.5, "LIST_MAX_BYTES": 134217728},
    "secrets": {
        "redis": {"values": {"REDIS_URL": "rediss://redis.example.com:6380/0"}},
        "github": {"values": {"GITHUB_APP_ID": 12345678, "GITHUB_APP_INSTALLATION_ID": "7"}},
        "readers": {"existing": ""},
    },
    "reader": {
        "autoscaling": {"enabled": False},
        "replicas": 3,
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "cache", "operator": "Exists"}],
        "podAnnotations": {"example.com/a": "b"},
    },
    "refresher": {"autoscaling": {"enabled": False}, "replicas": 3},
    "scheduler": {"enabled": False},
    "service": {"type": "NodePort", "annotations": {"example.com/a": "b"}},
    "ingress": {
        "enabled": True,
        "className": "nginx",
        "annotations": {"example.com/a": "b"},
        "hosts": ["cache.example.com", "cache.example.org"],
        "tls": [{"secretName": "certificate", "hosts": ["cache.example.com"]}],
    },
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "networkPolicies": {
        "redis": {"cidr": "203.0.113.7/32", "port": 6380},
        "refresherEgress": [{"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}]}],
    },
}


def template(values: Mapping[str, Any], folder: Path, release: str = RELEASE) -> str:
    """What Helm makes of the chart with these values; what it says if it refuses them."""
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(dict(values)))
    helm = program("helm", "CHART")
    made = run(helm, "template", release, CHART, f"--namespace={NAMESPACE}", f"--values={file}")
    return made.stdout if made.returncode == 0 else made.stderr


def objects(text: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(text) if one is not None]


def named(text: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Objects by kind and name."""
    return {(one["kind"], one["metadata"]["name"]): one for one in objects(text)}


@pytest.fixture
def everything(tmp_path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The objects of a release with every value changed."""
    return named(template(EVERYTHING, tmp_path))


def comparable(value: Any, renamed: Mapping[str, str]) -> Any:
    """An object without what differs between Helm and kustomize by their nature.

    That is: names of the release, Helm's own labels, the order of variables, and how a change of
    settings restarts pods.

    Args:
        value: the object, or a part of it.
        renamed: what names are called in the comparison.
    """
    if isinstance(value, dict):
        left = {
            key: comparable(each, renamed)
            for key, each in value.items()
            if key not in {*HELMS, "checksum/settings", "namespace"}
            and (key, each) != ("app.kubernetes.io/name", "api-read-cache")
        }
        return {key: each for key, each in left.items() if key == "emptyDir" or each != {}}
    if isinstance(value, list):
        several = [comparable(each, renamed) for each in value]
        is_variables = several and all(
            "value" in each for each in several if isinstance(each, dict)
        )
        return sorted(several, key=json.dumps) if is_variables else several
    return renamed.get(value, value) if isinstance(value, str) else value


def compared(made: list[dict[str, Any]]) -> dict[str, Any]:
    """Objects by kind and name, as they can be compared."""
    renamed = {}
    for one in made:
        name = one["metadata"]["name"]
        short = name.removeprefix(f"{RELEASE}-")
        renamed[name] = "settings" if one["kind"] == "ConfigMap" else short
    left = [comparable(one, renamed) for one in made if one["kind"] != "Namespace"]
    return {f"{one['kind']} {one['metadata']['name']}": one for one in left}


def test_the_chart_makes_what_kustomize_makes(tmp_path: Path) -> None:
    built = run(program("kubectl", "CHART AGAINST KUSTOMIZATION"), "kustomize", KUBERNETES)
    assert built.returncode == 0, built.stderr
    ours, theirs = compared(objects(template({}, tmp_path))), compared(objects(built.stdout))
    assert set(ours) == set(theirs)
    for name, one in theirs.items():
        assert ours[name] == one, name


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_kubernetes_takes_every_object_of_the_chart(
    version: str, values: Mapping[str, Any], tmp_path: Path
) -> None:
    made = objects(template(values, tmp_path))
    assert len(made) > 10
    for one in made:
        if one["kind"] != "ServiceMonitor":  # not of Kubernetes itself
            assert_valid(one, version)


def test_helm_finds_nothing_wrong_with_the_chart() -> None:
    checked = run(program("helm", "CHART"), "lint", "--strict", CHART)
    assert checked.returncode == 0, checked.stdout
    assert "WARN" not in checked.stdout


@pytest.mark.parametrize(
    "wrong",
    [
        {"setings": {}},
        {"settings": {"ORG": "Netflix"}},
        {"settings": {"GITHUB_API_TOKEN": "secret"}},
        {"settings": {"ORGS": ["Netflix"]}},
        {"secrets": {"readers": {"values": {"GITHUB_API_TOKEN": "secret"}}}},
        {"secrets": {"redis": {"existing": ""}}},
        {"reader": {"replica": 3}},
        {"reader": {"autoscaling": {"minReplicas": 1}}},
        {"ingress": {"enabled": True}},
        {"networkPolicies": {"redis": {"port": "6379"}}},
    ],
    ids=json.dumps,
)
def test_helm_refuses_values_that_nothing_reads_or_that_cannot_be(
    wrong: Mapping[str, Any], tmp_path: Path
) -> None:
    assert template(wrong, tmp_path).startswith("Error: ")


def test_settings_reach_processes_as_they_were_written(
    everything: dict[tuple[str, str], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = everything["ConfigMap", "tried-settings"]["data"]
    assert data == {"ORGS": "Netflix", "CACHE_TTL": "0.5", "LIST_MAX_BYTES": "134217728"}
    secret = everything["Secret", "tried-github"]["stringData"]
    assert secret == {"GITHUB_APP_ID": "12345678", "GITHUB_APP_INSTALLATION_ID": "7"}
    for name, value in data.items():
        monkeypatch.setenv(name, value)
    assert load().list_max_bytes == 134217728


def test_secrets_that_the_chart_makes_go_to_those_who_need_them(
    everything: dict[tuple[str, str], dict[str, Any]],
) -> None:
    given = {}
    for kind in ("reader", "refresher"):
        (container,) = everything["Deployment", f"tried-{kind}"]["spec"]["template"]["spec"][
            "containers"
        ]
        sources = [one.get("secretRef", one.get("configMapRef")) for one in container["envFrom"]]
        given[kind] = [one["name"] for one in sources]
    assert given == {
        "reader": ["tried-settings", "tried-redis"],
        "refresher": ["tried-settings", "tried-redis", "tried-github"],
    }
    assert ("Secret", "tried-readers") not in everything


def test_a_change_of_settings_restarts_pods_and_one_of_secrets_shows_in_none(
    tmp_path: Path,
) -> None:
    def annotations(values: Mapping[str, Any]) -> list[Any]:
        made = named(template(values, tmp_path))
        pods = [made["Deployment", f"tried-{kind}"]["spec"]["template"] for kind in KINDS]
        return [pod["metadata"]["annotations"] for pod in pods]

    usual = annotations({})
    changed = annotations({"settings": {"CACHE_TTL": 30}})
    assert all(one != other for one, other in zip(usual, changed, strict=True))
    assert annotations({"secrets": {"redis": {"values": {"REDIS_URL": "redis://b"}}}}) == usual


def test_without_an_autoscaler_there_is_a_number_and_without_a_scheduler_nothing_of_it(
    everything: dict[tuple[str, str], dict[str, Any]],
) -> None:
    for kind in ("reader", "refresher"):
        assert everything["Deployment", f"tried-{kind}"]["spec"]["replicas"] == 3
        assert ("HorizontalPodAutoscaler", f"tried-{kind}") not in everything
    assert "tried-scheduler" not in {name for _, name in everything}


def test_metrics_are_not_served_through_the_ingress(
    everything: dict[tuple[str, str], dict[str, Any]],
) -> None:
    rules = everything["Ingress", "tried"]["spec"]["rules"]
    assert [rule["host"] for rule in rules] == EVERYTHING["ingress"]["hosts"]  # type: ignore[index]
    for rule in rules:
        leads = {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
        assert leads == {
            "/metrics": "tried-nothing",
            "/api/v3/metrics": "tried-nothing",
            "/": "tried-reader",
        }
    assert "selector" not in everything["Service", "tried-nothing"]["spec"]


def test_prometheus_finds_readers_under_the_same_job_as_in_the_example(
    everything: dict[tuple[str, str], dict[str, Any]],
) -> None:
    monitor = everything["ServiceMonitor", "tried-reader"]
    service = everything["Service", "tried-reader"]
    labels = service["metadata"]["labels"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
    assert endpoint["path"] == "/metrics"
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    job = labels[monitor["spec"]["jobLabel"]]
    example = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.example.yml").read_text())
    assert job in [one["job_name"] for one in example["scrape_configs"]]
    assert (
        job
        == yaml.safe_load((CHART / "values.yaml").read_text())["refresher"]["autoscaling"]["job"]
    )


def test_two_releases_in_a_namespace_have_nothing_in_common(tmp_path: Path) -> None:
    one, other = (named(template({}, tmp_path, release)) for release in ("one", "other"))
    assert not set(one) & set(other)
    for kind in KINDS:
        selector = one["Deployment", f"one-{kind}"]["spec"]["selector"]["matchLabels"]
        pod = other["Deployment", f"other-{kind}"]["spec"]["template"]["metadata"]["labels"]
        assert not selector.items() <= pod.items()
    for key, policy in one.items():
        if key[0] == "NetworkPolicy":
            chosen = policy["spec"]["podSelector"]["matchLabels"]
            assert chosen["app.kubernetes.io/instance"] == "one", key
