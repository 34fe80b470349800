"""The fleet keeps to GitHub's limits together, and readers do not notice."""

import time
from pathlib import Path

import requests

from refresher.github.auth.credentials import Token
from refresher.github.rate_limit_class import CORE
from shared.redis import keys
from tests.end_to_end.fleet import Fleet, Reader
from tests.end_to_end.up_to_date import await_up_to_date
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

REPOS = "/orgs/Netflix/repos"
TOKEN = "ghp_secret0123456789"


def test_an_exhausted_budget_stops_three_workers_until_the_reset(tmp_path: Path) -> None:
    with (
        FakeGitHubProcess(token_limit=40, window_seconds=20) as github,
        Fleet(tmp_path, github.url, CACHE_TTL=0.5, GITHUB_API_TOKEN=TOKEN) as fleet,
    ):
        for _ in range(3):
            fleet.worker()
        reader = fleet.healthy_reader()
        github.configure(reset_limits=True)  # the hour begins now, however long all that took
        reset = _use_up(github)
        with fleet.redis() as redis:
            budget = keys.budget(Token(TOKEN).id, CORE)
            eventually(lambda: redis.hget(budget, "remaining") == b"0", what="the fleet knows")
        _let_end_what_is_under_way(fleet)
        asked = _is_served_in_silence(reader, github, until=reset)

        # The hour is over: work goes on by itself.
        github.mutate("star", repo=7, by=1)
        eventually(lambda: github.counters()["total"] > asked)
        await_up_to_date(github, reader)


def _let_end_what_is_under_way(fleet: Fleet) -> None:
    with fleet.redis() as redis:
        eventually(lambda: not redis.zcard(keys.IN_FLIGHT), what="nothing is under way")


def _is_served_in_silence(reader: Reader, github: FakeGitHubProcess, *, until: float) -> int:
    """For a while nothing goes out, and everybody is served. Gives how often GitHub was asked.

    Args:
        until: Unix time at which the silence may end; on a busy machine that may be soon.
    """
    asked = int(github.counters()["total"])
    began = time.time()
    ends = min(until, began + 3)
    while time.time() < ends:
        assert reader.get(REPOS).status_code == 200
        time.sleep(0.02)
    assert [one for one in github.recent() if began < one["time"] < ends] == []
    return asked


def _use_up(github: FakeGitHubProcess) -> float:
    """Somebody else spends what the token has left; the Unix time at which there is more."""
    headers = {"Authorization": f"Bearer {TOKEN}", "User-Agent": "somebody else"}
    while True:
        response = requests.get(github.url, headers=headers, timeout=60)
        if response.status_code != 200:
            return float(response.headers["X-RateLimit-Reset"])


def test_a_secondary_limit_stops_every_worker(tmp_path: Path) -> None:
    with (
        FakeGitHubProcess() as github,
        Fleet(tmp_path, github.url, CACHE_TTL=0.5, GITHUB_API_TOKEN=TOKEN) as fleet,
    ):
        for _ in range(3):
            fleet.worker()
        reader = fleet.healthy_reader()
        github.fault("secondary", retry_after=5, times=1)
        eventually(lambda: github.counters()["statuses"].get("429", 0) == 1)
        _let_end_what_is_under_way(fleet)
        (refused,) = [one for one in github.recent() if one["status"] == 429]
        _is_served_in_silence(reader, github, until=refused["time"] + 5)
        github.mutate("star", repo=3, by=5)
        await_up_to_date(github, reader)


def test_an_unchanged_world_costs_nothing_and_survives_a_new_token(tmp_path: Path) -> None:
    with (
        FakeGitHubProcess() as github,
        Fleet(tmp_path, github.url, CACHE_TTL=1, GITHUB_API_TOKEN=TOKEN) as fleet,
    ):
        old = fleet.worker()
        fleet.healthy_reader()
        github.reset_counters()
        eventually(lambda: github.counters()["not_modified"] >= 14)
        old.stop()
        fleet.worker(GITHUB_API_TOKEN="ghp_rotated9876543210")
        eventually(lambda: len(github.counters()["credentials"]) == 2)
        eventually(lambda: github.counters()["not_modified"] >= 28)
        counters = github.counters()
        assert counters["points"] == 0
        assert counters["statuses"] == {"304": counters["total"]}
