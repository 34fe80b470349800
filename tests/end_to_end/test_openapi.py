"""The OpenAPI description is true: schemathesis asks readers for what it promises, and for more."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.openapi import SERVED, SOURCE, rendered
from shared.resources.views import rankings
from shared.settings import Settings
from shared.version import VERSION
from tests.builders import make_settings
from tests.end_to_end.fleet import Fleet
from tests.fakegithub.client import FakeGitHubProcess

TOKEN = "an-admin-token-of-24-chars"
METHODS = {"get", "post"}


@pytest.fixture
def described() -> dict[str, Any]:
    known: dict[str, Any] = yaml.safe_load(SOURCE.read_text())
    return known


def test_readers_serve_what_people_read() -> None:
    assert SERVED.read_text() == rendered(), "run python -m scripts.openapi"


def test_it_is_of_this_version(described: dict[str, Any]) -> None:
    assert described["info"]["version"] == VERSION
    parameters = described["paths"]["/view/{direction}/{count}/{metric}"]["parameters"]
    (metrics,) = (one["schema"]["enum"] for one in parameters if one["name"] == "metric")
    assert metrics == list(rankings())


def test_every_path_of_the_readers_own_is_described(described: dict[str, Any]) -> None:
    from reader.app import create_app  # noqa: PLC0415 - it needs settings

    settings: Settings = make_settings(redis_url="redis://unused.invalid")
    rules = {
        re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for rule in create_app(settings).url_map.iter_rules()
    }
    forms = {"/status/sign-in", "/status/sign-out"}
    assets = {"/status/assets/{filename}", "/operations/assets/{filename}"}
    assert rules - forms - assets - {"/{path}"} <= set(described["paths"])


def test_a_reader_keeps_to_it(tmp_path: Path, github: FakeGitHubProcess) -> None:
    """Examples, the edges of each parameter, and random ones; pauses and forgetting are left out.

    What GitHub ignores (`per_page=0`) is ignored here as well, and not refused.
    """
    with Fleet(tmp_path, github.url, QUEUE_MAX=100_000) as fleet:
        for _ in range(2):
            fleet.worker()
        reader = fleet.healthy_reader(ADMIN_TOKEN=TOKEN, GITHUB_WEBHOOK_SECRET="s3cret")
        program = str(Path(sys.executable).with_name("schemathesis"))
        ran = subprocess.run(
            [
                *(program, "run", f"{reader.url}/openapi.json", "--no-color"),
                *("--generation-deterministic", "--max-examples", "12"),
                *("--phases", "examples,coverage,fuzzing"),
                *("--exclude-checks", "negative_data_rejection"),
                *("--exclude-path", "/status/{action}"),
                *("--exclude-path", "/changes"),  # it would wait for up to a minute
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
        assert json.loads(reader.get("/openapi.json").text) == json.loads(SERVED.read_text())
