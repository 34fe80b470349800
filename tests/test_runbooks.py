"""Each alert has a runbook, and what the runbooks name exists."""

import re
import subprocess
from pathlib import Path

import pytest

from reader.cli.commands import cache
from reader.status.runbooks import FOLDER, runbooks
from shared.outcomes import FailureKind, Refusal
from tests.exposed import samples

ROOT = Path(__file__).resolve().parents[1]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
INDEX = (FOLDER / "README.md").read_text()
README = (ROOT / "README.md").read_text()
CHAPTERS = ["What clients notice", "What to look at", "What to do", "When it ends"]
PAGES = sorted(runbooks().items())
NAMES = [name for name, _ in PAGES]
WITH_INDEX = [*PAGES, ("README", INDEX)]


def alerts() -> dict[str, str]:
    """The severity of each alert, by name."""
    found = re.findall(r"- alert: (\w+)\n.*?severity: (\w+)", ALERTS.read_text(), re.DOTALL)
    return dict(found)


def page_of(alert: str) -> str:
    """The name of an alert's page."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", alert.removeprefix("ApiReadCache")).lower()


def test_each_alert_has_its_page_and_each_page_its_alert() -> None:
    assert {page_of(alert) for alert in alerts()} == set(NAMES)
    for alert, severity in alerts().items():
        page = runbooks()[page_of(alert)]
        assert page.startswith(f"# {alert}\n\n{severity.capitalize()}. "), alert


def test_each_alert_names_its_page() -> None:
    named = re.findall(
        r"- alert: (\w+)\n(?:(?!- alert).)*?runbook_url: (\S+)\n", ALERTS.read_text(), re.DOTALL
    )
    assert named == [(alert, f"docs/runbooks/{page_of(alert)}.md") for alert in alerts()]


def test_the_index_names_each_page_once() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\(([\w-]+)\.md\) \| .+ \|$", INDEX, re.MULTILINE)
    assert rows == [(alert, page_of(alert)) for alert in alerts()]


def test_the_commands_of_the_index_put_an_address_before_each_page(tmp_path: Path) -> None:
    for command in re.findall(r"^sed -i '(.*)' alerts\.yml$", INDEX, re.MULTILINE):
        ended = subprocess.run(
            ["sed", command, str(ALERTS)], capture_output=True, text=True, check=True
        )
        shown = re.findall(r"runbook_url: (\S+)", ended.stdout)
        assert len(shown) == len(NAMES)
        for name, url in zip((page_of(alert) for alert in alerts()), shown, strict=True):
            assert re.fullmatch(
                rf"https://(cache|git)\.example\.com/\S*/runbooks/{name}(\.md)?", url
            )


@pytest.mark.parametrize(("name", "page"), PAGES, ids=NAMES)
def test_a_page_has_the_chapters_that_a_reader_looks_for(name: str, page: str) -> None:
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == CHAPTERS
    assert len(page.splitlines()) < 50
    assert max(map(len, page.splitlines())) <= 120


@pytest.mark.parametrize(("name", "page"), WITH_INDEX, ids=[*NAMES, "README"])
def test_what_a_page_names_exists(name: str, page: str) -> None:
    for command, options in re.findall(r"flask --app reader cache (\w+)((?: --[\w-]+)*)", page):
        assert command in cache.commands, command
        known = {one for option in cache.commands[command].params for one in option.opts}
        assert set(options.split()) <= known, command
    for metric, labels in re.findall(r"(api_read_cache_\w+)(?:\{([^}]*)\})?", page):
        assert metric in {*samples(), *(one.removesuffix("_bucket") for one in samples())}, metric
        for label, value in re.findall(r'(\w+)="(\w[\w-]*)"', labels):
            assert value in samples()[metric][label] or label == "status", (metric, value)
    for setting in re.findall(r"`([A-Z]+(?:_[A-Z]+)+|ORGS|TRACK|PORT)(?:=\w+)?`", page):
        assert f"| `{setting}` |" in README, setting
    for target in re.findall(r"\]\((?!https://)([^)#]*)[^)]*\)", page):
        assert (FOLDER / target).exists(), target
    for path in re.findall(r"`(/(?:status|healthcheck|livez|metrics)[\w./]*)`", page):
        assert path in {"/status", "/status.json", "/status/runbooks/", "/healthcheck", "/livez"}


def test_the_words_for_causes_are_those_of_metrics_and_logs() -> None:
    causes = "`too-late`, `timed-out`, `threads`, `queue-full`|`failing`|`suspended`|`store-away`"
    page = " ".join(runbooks()["errors"].split())
    for group in causes.split("|"):
        assert group in page
        assert set(re.findall(r"`([\w-]+)`", group)) <= set(Refusal)
    page = runbooks()["refresh-failing"]
    kinds = page.partition("## What to do")[2].partition("report it")[0]
    assert set(re.findall(r"`([a-z-]+)`", kinds)) == set(FailureKind)
