"""Processes whose own clocks are wrong, or jump, stamp and serve as if they were right."""

import json
import math
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import requests

from shared.redis import keys
from tests.builders import tracked
from tests.end_to_end.fleet import Fleet, Reader
from tests.end_to_end.up_to_date import REPOS, await_up_to_date
from tests.end_to_end.wrong_clocks import WrongClock
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

TTL = 3.0
WATCHED = 9.0  # seconds: more than enough of a refresh a second to be seen as a storm
REQUESTS = 7  # of one refresh of everything: the lists have three pages and two
MINUTES, HOUR = 600.0, 3600.0


@pytest.fixture
def fleet(tmp_path: Path, github: FakeGitHubProcess) -> Iterator[Fleet]:
    with Fleet(tmp_path, github.url, CACHE_TTL=TTL, REFRESH_AHEAD=0.5, LOCAL_TTL=0.5) as fleet:
        fleet.interpreters = True
        yield fleet


def seconds_of(response: requests.Response, name: str) -> float:
    return parsedate_to_datetime(response.headers[name]).timestamp()


def assert_times_are_true(reader: Reader, *, changed_after: float) -> None:
    """What a response says of time is right by a clock that is right."""
    for path in (REPOS, "/livez"):
        began = time.time()
        date = seconds_of(reader.get(path), "Date")
        assert began - 2 < date < time.time() + 2
    response = reader.get(REPOS)
    assert 0 <= int(response.headers["Age"]) <= TTL + 60  # the last for a busy machine
    changed_at = seconds_of(response, "Last-Modified")
    assert math.floor(changed_after) <= changed_at <= seconds_of(response, "Date")


def assert_changes_are_seen(github: FakeGitHubProcess, *readers: Reader) -> None:
    """A change is seen as soon as with right clocks, and no client is told that nothing changed."""
    for number in range(2):
        dates = [reader.get(REPOS).headers["Last-Modified"] for reader in readers]
        began = time.time()
        github.mutate("star", repo=number, by=1)
        await_up_to_date(github, *readers)
        for reader, date in zip(readers, dates, strict=True):
            conditions = {"If-Modified-Since": date}
            assert reader.get(REPOS, headers=conditions).status_code == 200
            assert_times_are_true(reader, changed_after=began - 1)


def assert_no_storm(github: FakeGitHubProcess) -> None:
    """Everything is renewed once in its lifetime, and no more."""
    before, began = github.counters()["total"], time.monotonic()
    time.sleep(WATCHED)
    asked, watched = github.counters()["total"] - before, time.monotonic() - began
    # A scheduler renews each after three quarters of its life, or after half of it at the earliest.
    assert asked / REQUESTS <= watched / (TTL / 2) + 2
    few = before + REQUESTS * (WATCHED / TTL - 2)
    eventually(lambda: github.counters()["total"] >= few, what="everything is renewed")


@pytest.mark.parametrize(
    ("refresher", "reader"),
    [(HOUR, -MINUTES), (-HOUR, MINUTES), (MINUTES, -HOUR), (-MINUTES, HOUR)],
)
def test_wrong_clocks_change_nothing(
    fleet: Fleet, github: FakeGitHubProcess, tmp_path: Path, refresher: float, reader: float
) -> None:
    wrong = WrongClock(tmp_path / "refresher", refresher).settings
    workers = [fleet.worker(**wrong), fleet.worker()]
    fleet.scheduler(**wrong)
    wrong_reader = fleet.healthy_reader(**WrongClock(tmp_path / "reader", reader).settings)
    readers = [wrong_reader, fleet.healthy_reader()]
    assert_changes_are_seen(github, *readers)
    assert_no_storm(github)
    for one in (workers[0], wrong_reader):
        assert one.output.count("the clock of this machine is") == 1
    assert "the clock of this machine is" not in workers[1].output
    page = eventually(lambda: shown(readers[1], "Clocks disagree"), what="the page names them")
    assert page["schedulers"] == "1 scheduler"
    metrics = readers[1].get("/metrics").text
    for process, error in (("reader", reader), ("refresher", refresher)):
        name = f'api_read_cache_clock_skew_seconds{{process="{process}"}} '
        assert float(metrics.partition(name)[2].split()[0]) == pytest.approx(abs(error), abs=5)
    named = fleet.cache("doctor", "--json").stdout
    found = [one["found"] for one in json.loads(named) if one["about"] == "clocks"]
    assert sum("clock is" in one and one.endswith("Redis's") for one in found) == 2


def shown(reader: Reader, title: str) -> dict[str, str] | None:
    """What the status page says besides a statement; None before it makes that statement."""
    page = reader.get("/status.json").json()
    if not any(one["title"] == title for one in page["statements"]):
        return None
    tiles = {one["key"]: one["detail"] for one in page["tiles"]}
    return {"schedulers": tiles["readers"]}


def test_clocks_that_jump_change_nothing(
    fleet: Fleet, github: FakeGitHubProcess, tmp_path: Path
) -> None:
    clock = WrongClock(tmp_path / "clock", 0)
    fleet.worker(**clock.settings)
    fleet.scheduler(**clock.settings)
    readers = [fleet.healthy_reader(**clock.settings), fleet.healthy_reader()]
    for error in (HOUR, -HOUR, 0):
        clock.set(error)
        assert_changes_are_seen(github, *readers)
    assert_no_storm(github)


def test_a_pause_that_is_asked_for_once_is_believed_for_an_hour_and_ended_by_resume(
    fleet: Fleet, github: FakeGitHubProcess
) -> None:
    fleet.worker()
    reader = fleet.healthy_reader()
    github.fault("status", status=503, headers={"Retry-After": "999999"}, path=REPOS, times=1)
    org = tracked(REPOS)
    with fleet.redis() as redis:
        eventually(lambda: redis.exists(keys.failure(org)), what="the refresh has failed")
        failure = json.loads(redis.get(keys.failure(org)) or b"")
        assert 3500 < failure["retry_at"] - redis.time()[0] <= 3601
        github.mutate("star", repo=0, by=1)
        time.sleep(TTL)
        assert redis.exists(keys.failure(org))
        assert reader.get("/status.json").json()["resumable"] is True
        assert fleet.cache("resume").returncode == 0
        await_up_to_date(github, reader)
        assert not redis.exists(keys.failure(org))
