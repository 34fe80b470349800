"""What is for Prometheus and Grafana, and what is written of metrics, fits what readers expose."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from reader.fleet.metrics import PREFIX
from scripts.debian import find
from tests.exposed import a_fleet, a_text, families, of_the_fleet, samples

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"
DOCS = ROOT / "docs" / "metrics.md"

# What Prometheus itself gives to every series, and Kubernetes to some.
TARGET_LABELS = {"job", "instance", "pod"}
# What Grafana puts into an expression before it is asked.
VARIABLES = {"$__rate_interval": "5m", "$job": ".*", "$instance": ".*"}
CORE_PANELS = {"row", "stat", "table", "timeseries"}

SELECTOR = re.compile(r"\b(api_read_cache_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left)\s*\(([^)]*)\)")
AGGREGATION = re.compile(r"\b(sum|max|min|avg|count|group)\s+(?:by|without)\s*\([^)]*\)\s*$")
ALERT = re.compile(
    r"""      - alert: (?P<name>\w+)
        expr:(?: >-\n)?(?P<expr>.*?)
        for: (?P<patience>\w+)
        labels:
          severity: (?P<severity>\w+)
        annotations:
          summary:(?: >-\n)?(?P<summary>.*?)
          description: >-
(?P<description>(?:            [^\n]*\n)+)""",
    re.DOTALL,
)


@dataclass(frozen=True)
class Question:
    """An expression, what it is for, and the labels that its results are named by."""

    where: str
    expression: str
    named_by: frozenset[str] = frozenset()


def alerts() -> list[re.Match[str]]:
    return list(ALERT.finditer((PROMETHEUS / "alerts.yml").read_text()))


def dashboard() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return read


def panels(*, rows: bool = True) -> list[dict[str, Any]]:
    found = [panel for one in dashboard()["panels"] for panel in (one, *one.get("panels", []))]
    return [panel for panel in found if rows or panel["type"] != "row"]


def questions() -> Iterator[Question]:
    for alert in alerts():
        labels = frozenset(re.findall(r"\$labels\.(\w+)", alert["summary"] + alert["description"]))
        yield Question(alert["name"], alert["expr"], labels)
    for panel in panels():
        for target in panel.get("targets", []):
            expression = target["expr"]
            for variable, value in VARIABLES.items():
                expression = expression.replace(variable, value)
            labels = frozenset(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            yield Question(panel["title"], expression, labels)


ALL = list(questions())
IDS = [question.where for question in ALL]


def promtool(*arguments: str | Path, stdin: str | None = None) -> None:
    """Assert that promtool finds nothing wrong; skip where there is none."""
    program = find("promtool")
    if program is None:
        pytest.skip(
            "NO ALERT IS CHECKED HERE: promtool is not installed; Debian's prometheus has it"
        )
    ended = subprocess.run(
        [program, *arguments],
        input=stdin,
        cwd=PROMETHEUS,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_prometheus_can_read_what_readers_expose() -> None:
    promtool("check", "metrics", stdin=a_text(a_fleet()))


def test_prometheus_can_read_the_alerts_and_the_example() -> None:
    promtool("check", "config", "prometheus.example.yml")


def test_each_alert_fires_when_it_should_and_only_then() -> None:
    promtool("test", "rules", "alerts_test.yml")


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    names = re.findall(r"- alert: (\w+)", (PROMETHEUS / "alerts.yml").read_text())
    assert names == [alert["name"] for alert in alerts()], "each has all that is looked for"
    assert len(names) == len(set(names))
    assert {alert["severity"] for alert in alerts()} == {"warning", "critical"}
    for alert in alerts():
        assert alert["patience"] != "0s"
        assert alert["summary"].strip(), alert["name"]
        assert len(alert["description"].split()) > 20, alert["name"]


def test_every_alert_is_seen_to_fire_in_a_test() -> None:
    tests = (PROMETHEUS / "alerts_test.yml").read_text()
    fired = re.findall(r'labels: \'ALERTS\{alertname="(\w+)", alertstate="firing"', tests)
    assert set(fired) == {alert["name"] for alert in alerts()}


def test_settings_that_alerts_speak_of_are_settings() -> None:
    words = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", (PROMETHEUS / "alerts.yml").read_text()))
    readme = (ROOT / "README.md").read_text()
    assert words
    assert {word for word in words if f"| `{word}` |" not in readme} == set()


def test_expressions_of_the_dashboard_are_valid(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": question.expression}
        for number, question in enumerate(ALL)
    ]
    file = tmp_path / "rules.yml"  # of which JSON is a part
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", file)


@pytest.mark.parametrize("question", ALL, ids=IDS)
def test_every_metric_label_and_value_that_is_asked_for_exists(question: Question) -> None:
    known = set(TARGET_LABELS)
    asked = SELECTOR.findall(question.expression)
    assert asked
    for name, matchers in asked:
        assert name in samples(), name
        known |= set(samples()[name])
        for label, operator, value in MATCHER.findall(matchers):
            assert label in {*samples()[name], *TARGET_LABELS}, f"{name} has no {label}"
            if label not in TARGET_LABELS:
                matched = re.compile(value if "~" in operator else re.escape(value))
                values = [one for one in samples()[name][label] if matched.fullmatch(one)]
                assert values, f"no {label} of {name} is ever {value}"
    groupings = GROUPING.findall(question.expression)
    grouped = {label.strip() for labels in groupings for label in labels.split(",")} - {""}
    assert grouped | question.named_by <= known


@pytest.mark.parametrize("question", ALL, ids=IDS)
def test_what_is_the_same_from_every_reader_is_never_added_up(question: Question) -> None:
    fleet = {name.removesuffix("_bucket") for name in of_the_fleet()}
    for found in SELECTOR.finditer(question.expression):
        name = re.sub(r"_(bucket|sum|count)$", "", found[1])
        if name in fleet:
            assert innermost_aggregation(question.expression[: found.start()]) == "max", name


def innermost_aggregation(before: str) -> str | None:
    """Which aggregation what comes next is in, the innermost that there is."""
    depth = 0
    for position in range(len(before) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(before[position], 0)
        if depth < 0:
            depth = 0
            if found := AGGREGATION.search(before[:position]):
                return found[1]
    return None


def test_innermost_aggregation() -> None:
    assert innermost_aggregation("sum without (a) (max without (b, c) (rate(x{") == "max"
    assert innermost_aggregation("max without (a) (x) / sum without (a) (") == "sum"
    assert innermost_aggregation("rate(") is None


def test_every_metric_is_on_the_dashboard() -> None:
    asked = {name for question in ALL for name, _ in SELECTOR.findall(question.expression)}
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    assert set(families(a_fleet())) - shown == set()


def test_panels_say_what_they_show() -> None:
    assert {panel["type"] for panel in panels()} == CORE_PANELS, "no plugin is needed"
    for panel in panels(rows=False):
        assert panel["title"], panel["id"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"], panel["title"]
        assert defaults["thresholds"]["steps"][0]["value"] is None, panel["title"]
        ids = [target["refId"] for target in panel["targets"]]
        assert len(ids) == len(set(ids)), panel["title"]
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]


def test_panels_have_ids_and_places_of_their_own() -> None:
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))
    places = [(panel["title"], panel["gridPos"]) for panel in panels()]
    assert all(at["x"] >= 0 and at["x"] + at["w"] <= 24 for _, at in places)
    overlaps = [(one, other) for (one, a), (other, b) in combinations(places, 2) if overlap(a, b)]
    assert overlaps == []


def overlap(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    return all(
        one[start] < other[start] + other[length] and other[start] < one[start] + one[length]
        for start, length in (("x", "w"), ("y", "h"))
    )


def test_the_dashboard_uses_the_variables_that_it_has() -> None:
    read = dashboard()
    variables = {variable["name"] for variable in read["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(read)))
    assert variables == used == {"datasource", "job", "instance"}
    assert 38 <= read["schemaVersion"] <= 41, "Grafana 10 or 11"


def test_the_document_names_every_metric_with_its_type_labels_and_source() -> None:
    row = re.compile(
        r"^\| `(\w+)` \| (\w+) \|([^|]*)\|([^|]*)\|([^|]*)\| (\w+) \| ([\w ,]+) \|$", re.MULTILINE
    )
    written, sources = {}, {}
    for name, kind, labels, unit, meaning, source, combined in row.findall(DOCS.read_text()):
        assert unit.strip(), name
        assert meaning.strip(), name
        written[PREFIX + name] = (kind, set(re.findall(r"`(\w+)`", labels)))
        sources[PREFIX + name] = source
        assert (combined in {"add up", "count"}) == (source == "node"), name
    assert written == families(a_fleet())
    assert {name for name, source in sources.items() if source == "Redis"} == of_the_fleet()
