"""What clients are told of limits: what the fleet has left, and 0 only when GitHub's is spent."""

import time
from email.utils import parsedate_to_datetime
from itertools import count
from pathlib import Path

import requests

from refresher.github.auth.credentials import Token
from refresher.github.rate_limit_class import CORE
from shared.redis import keys
from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

TOKEN = "ghp_secret0123456789"
MISS_WAIT = 2.0  # seconds
_numbers = count()


def told(response: requests.Response) -> tuple[int, int, int, int]:
    """Limit, remaining, used and reset, which fit together whatever the response is."""
    sent = parsedate_to_datetime(response.headers["Date"]).timestamp()
    names = ("Limit", "Remaining", "Used", "Reset")
    limit, remaining, used, reset = (int(response.headers[f"X-RateLimit-{n}"]) for n in names)
    assert limit == remaining + used
    assert sent - 2 < reset < sent + 3602
    return limit, remaining, used, reset


def new_path() -> str:
    return f"/users/Netflix?new={next(_numbers)}"


def spend(reader: Reader, github: FakeGitHubProcess) -> requests.Response:
    """Ask for new things until the limit is spent: the refusal.

    Somebody else at the same address spends most of it: in so short an hour a busy machine could
    not.
    """
    for _ in range(200):
        left = 60
        while left > 10:
            shown = requests.get(github.url, headers={"User-Agent": "somebody else"}, timeout=60)
            left = int(shown.headers["X-RateLimit-Remaining"])
        response = reader.get(new_path())
        if response.status_code != 200:
            return response
        assert told(response)[1] >= 1
    raise AssertionError("the limit is never spent")


def test_a_spent_limit_is_told_only_to_those_who_need_it(tmp_path: Path) -> None:
    with (
        FakeGitHubProcess(repos=3, members=3, anonymous_limit=60, window_seconds=12) as github,
        Fleet(tmp_path, github.url, MISS_WAIT=MISS_WAIT, CACHE_TTL=1000) as fleet,
    ):
        fleet.worker()
        reader, other = fleet.healthy_reader(), fleet.healthy_reader()
        refused = spend(reader, github)
        asked = github.counters()["total"]
        assert refused.status_code == 429
        assert refused.json()["message"].startswith("API rate limit exceeded for this cache: ")
        _, remaining, _, reset = told(refused)
        wait = int(refused.headers["Retry-After"])
        assert remaining == 0
        sent = parsedate_to_datetime(refused.headers["Date"]).timestamp()
        assert abs(reset - sent - wait) <= 2
        assert wait <= 13

        # Whoever asks for what is held reads that something is left, at each reader, in each form.
        for one in (reader, other):
            held = one.get("/orgs/Netflix/repos")
            tag = held.headers["ETag"]
            same = one.get("/orgs/Netflix/repos", headers={"If-None-Match": tag})
            page = one.get("/orgs/Netflix/repos?per_page=1")
            missing, limits = one.get("/nothing"), one.get("/rate_limit")
            responses = (held, same, page, missing, limits)
            assert [r.status_code for r in responses] == [200, 304, 200, 404, 200]
            assert all(told(response)[1] >= 1 for response in responses)
            for limit in limits.json()["resources"].values():
                assert limit["remaining"] >= 1
        assert github.counters()["total"] == asked

        time.sleep(wait + 1)
        assert reader.get(new_path()).status_code == 200


def test_what_is_left_is_that_of_the_fleet_without_the_share_of_tracked_content(
    tmp_path: Path,
) -> None:
    with (
        FakeGitHubProcess(repos=3, members=3, token_limit=1000) as github,
        Fleet(tmp_path, github.url, GITHUB_API_TOKEN=TOKEN, BUDGET_RESERVE=0.25) as fleet,
    ):
        fleet.worker()
        readers = fleet.healthy_reader(), fleet.healthy_reader()

        def left(reader: Reader) -> tuple[int, int]:
            limit, remaining, _, _ = told(reader.get("/orgs/Netflix"))
            return limit, remaining

        def is_told_by_all() -> bool:
            with fleet.redis() as redis:
                known = int(redis.hget(keys.budget(Token(TOKEN).id, CORE), "remaining") or 0)
            return {left(one) for one in readers} == {(750, known - 250)}

        eventually(is_told_by_all)
        before = left(readers[0])[1]
        for _ in range(5):
            assert readers[0].get(new_path()).status_code == 200
        # What was under way before may have been counted since, however much that is.
        eventually(lambda: is_told_by_all() and left(readers[0])[1] <= before - 5)

        def is_told_in_a_body() -> bool:
            core = readers[1].get("/rate_limit").json()["resources"]["core"]
            return (core["limit"], core["remaining"]) == left(readers[1])

        eventually(is_told_in_a_body)


def test_without_redis_the_last_known_goes_on_to_count(tmp_path: Path) -> None:
    with (
        FakeGitHubProcess(repos=3, members=3, token_limit=1000) as github,
        Fleet(tmp_path, github.url, GITHUB_API_TOKEN=TOKEN, BUDGET_RESERVE=0) as fleet,
    ):
        fleet.worker()
        reader = fleet.healthy_reader()
        eventually(lambda: told(reader.get("/orgs/Netflix"))[0] == 1000)
        fleet.redis_server.stop()
        time.sleep(2)
        assert told(reader.get("/orgs/Netflix"))[0] == 1000
        assert reader.get("/rate_limit").json()["rate"]["limit"] == 1000
