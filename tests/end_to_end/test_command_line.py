"""The command line beside a real fleet."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.fleet import CHECKOUT, Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually


@pytest.fixture
def fleet(tmp_path: Path, github: FakeGitHubProcess) -> Iterator[Fleet]:
    with Fleet(tmp_path, github.url, CACHE_TTL=600) as made:
        yield made


def cache(fleet: Fleet, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`flask --app reader cache ...`, as somebody types it on a machine of the fleet."""
    return subprocess.run(
        ["flask", "--app", "reader", "cache", *arguments],
        cwd=CHECKOUT,
        env=fleet.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def asked(fleet: Fleet, *arguments: str) -> Any:
    """What a command says as JSON, which has to succeed."""
    ended = cache(fleet, *arguments, "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def is_held(reader: Reader, path: str) -> bool:
    """Whether a reader has something in memory."""
    return "detail=local" in reader.get(path).headers["Cache-Status"]


def test_a_new_deployment_is_warmed_and_found_well(fleet: Fleet) -> None:
    fleet.worker()
    fleet.worker()
    ended = cache(fleet, "warm", "--timeout", "50")
    assert ended.returncode == 0, ended.stderr
    assert "/orgs/Netflix/repos: updated: new content was stored" in ended.stdout
    assert {row["state"] for row in asked(fleet, "list")} == {"fresh"}
    shown = asked(fleet, "show", "/orgs/Netflix/repos")
    assert (shown["metadata"]["items"], shown["reports"][0]["pages"]) == (250, 3)
    assert cache(fleet, "doctor").returncode == 0


def test_what_is_refreshed_and_forgotten_is_so_in_the_readers(
    fleet: Fleet, github: FakeGitHubProcess
) -> None:
    fleet.worker()
    reader = fleet.healthy_reader()
    github.mutate("star", repo=3, by=77)
    assert cache(fleet, "refresh", "/orgs/Netflix/repos").returncode == 0
    eventually(lambda: reader.get("/orgs/Netflix/repos").json() == github.repos(), within=5)

    assert reader.get("/users/netflix").ok
    eventually(lambda: is_held(reader, "/users/netflix"))
    before = github.page_requests("/users/netflix")
    assert cache(fleet, "purge", "/users/netflix").returncode == 0
    assert "/users/netflix" not in {row["name"] for row in asked(fleet, "list")}
    # Nobody has it any more: who asks gets it from GitHub anew.
    assert github.page_requests("/users/netflix") == before
    eventually(lambda: not is_held(reader, "/users/netflix"), within=5)
    assert github.page_requests("/users/netflix") == before + 1


def test_while_github_fails_commands_say_so(fleet: Fleet, github: FakeGitHubProcess) -> None:
    fleet.worker()
    fleet.healthy_reader()
    github.fault("status", status=502)
    refreshed = cache(fleet, "refresh", "/orgs/Netflix")
    assert refreshed.returncode == 1
    assert "/orgs/Netflix: failed: GitHub answered 502" in refreshed.stdout
    assert "failing" in cache(fleet, "show", "/orgs/Netflix").stdout
    doctor = cache(fleet, "doctor")
    assert "GitHub is failing" in doctor.stdout


def test_help_is_given(fleet: Fleet) -> None:
    said = cache(fleet, "--help").stdout
    for command in ("list", "show", "refresh", "purge", "warm", "pause", "resume", "doctor"):
        assert f"\n  {command} " in said
