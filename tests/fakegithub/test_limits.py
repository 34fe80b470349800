"""The stand-in GitHub keeps GitHub's limits: points in a window, requests at a time, tokens."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fakegithub.api import ask
from tests.fakegithub.client import FakeGitHub, FakeGitHubError
from tests.fakegithub.config import Config
from tests.fakegithub.limits import ANONYMOUS, Limits, credential_of
from tests.http_client import ConnectionClosed, Response

ORG = "/orgs/Netflix"
SBOM = "/repos/Netflix/Hystrix/dependency-graph/sbom"


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(repos=5, members=3) as server:
        yield server


def remaining(response: Response) -> int:
    return int(response.headers["x-ratelimit-remaining"])


def figures(response: Response) -> tuple[str, str, str, str]:
    """A response's class, and the class's limit, remaining and used requests."""
    resource, limit, left, used = (
        response.headers[f"x-ratelimit-{name}"]
        for name in ("resource", "limit", "remaining", "used")
    )
    return resource, limit, left, used


def test_sixty_requests_an_hour_without_a_token_and_five_thousand_with_one(
    github: FakeGitHub,
) -> None:
    anonymous, authorised = ask(github, ORG), ask(github, ORG, token="t")
    assert (anonymous.headers["x-ratelimit-limit"], remaining(anonymous)) == ("60", 59)
    assert (authorised.headers["x-ratelimit-limit"], remaining(authorised)) == ("5000", 4999)
    assert authorised.headers["x-ratelimit-used"] == "1"
    assert authorised.headers["x-ratelimit-resource"] == "core"
    assert 3500 < int(anonymous.headers["x-ratelimit-reset"]) - time.time() <= 3602
    assert remaining(ask(github, ORG, token="t")) == 4998
    assert remaining(ask(github, ORG, token="another")) == 4999


def test_a_304_is_free_with_a_token_and_costs_one_without(github: FakeGitHub) -> None:
    for token, cost in (("t", 0), (None, 1)):
        first = ask(github, ORG, token=token)
        fresh = ask(github, ORG, {"If-None-Match": first.headers["etag"]}, token=token)
        assert fresh.status == 304
        assert remaining(first) - remaining(fresh) == cost
    assert github.counters()["not_modified"] == 2
    assert github.counters()["points"] == 3


def test_an_exhausted_limit_is_403_until_its_reset(github: FakeGitHub) -> None:
    github.configure(anonymous_limit=2)
    tags = {ask(github, ORG).headers["etag"] for _ in range(2)}
    refused = ask(github, ORG, {"If-None-Match": tags.pop()})
    assert refused.status == 403
    assert refused.json["message"].startswith("API rate limit exceeded for 127.0.0.1.")
    assert remaining(refused) == 0
    assert "retry-after" not in refused.headers
    assert "etag" not in refused.headers
    assert ask(github, ORG, token="t").status == 200
    github.configure(reset_limits=True)
    assert remaining(ask(github, ORG)) == 1


def test_every_response_names_its_class(github: FakeGitHub) -> None:
    github.fault("status", path="/broken$")
    paths = (ORG, f"{ORG}/repos", "/nope", "/rate_limit", "/broken", "/repos/Netflix/nope")
    for token in (None, "t"):
        for path in paths:
            assert ask(github, path, token=token).headers["x-ratelimit-resource"] == "core"
    tag = ask(github, ORG).headers["etag"]
    fresh = ask(github, ORG, {"If-None-Match": tag})
    assert (fresh.status, fresh.headers["x-ratelimit-resource"]) == (304, "core")


def test_sboms_have_a_limit_of_their_own_for_each_credential(github: FakeGitHub) -> None:
    first = ask(github, SBOM, token="t")
    assert figures(first) == ("dependency_sbom", "100", "99", "1")
    fresh = ask(github, SBOM, {"If-None-Match": first.headers["etag"]}, token="t")
    assert (fresh.status, figures(fresh)) == (304, ("dependency_sbom", "100", "99", "1"))
    assert figures(ask(github, ORG, token="t")) == ("core", "5000", "4999", "1")
    assert figures(ask(github, f"{SBOM}?x=y", token="t"))[2] == "98"
    assert figures(ask(github, SBOM, token="other"))[2] == "99"
    assert figures(ask(github, SBOM))[2] == "99"
    nowhere = ask(github, "/repos/Netflix/nope/dependency-graph/sbom", token="t")
    assert (nowhere.status, figures(nowhere)[2]) == (404, "97")
    told = ask(github, "/rate_limit", token="t").json["resources"]
    assert {name: told[name]["remaining"] for name in ("core", "dependency_sbom")} == {
        "core": 4999,
        "dependency_sbom": 97,
    }


def test_an_exhausted_class_leaves_the_others_alone(github: FakeGitHub) -> None:
    classes = {
        "/dependency-graph/sbom": {"class": "dependency_sbom", "limit": 1},
        "^/users/": {"class": "people", "limit": 2},
    }
    github.configure(resource_classes=classes)
    tag = ask(github, SBOM, token="t").headers["etag"]
    refused = ask(github, SBOM, token="t")
    assert refused.status == 403
    assert refused.json["message"].startswith("API rate limit exceeded for user ID")
    assert figures(refused) == ("dependency_sbom", "1", "0", "1")
    assert ask(github, SBOM, {"If-None-Match": tag}, token="t").status == 403
    assert figures(ask(github, "/users/Netflix", token="t")) == ("people", "2", "1", "1")
    assert ask(github, ORG, token="t").status == 200
    github.configure(reset_limits=True, resource_classes={})
    assert figures(ask(github, SBOM, token="t")) == ("core", "5000", "4999", "1")


@pytest.mark.parametrize(
    "classes", [{"(": {"class": "x", "limit": 1}}, {"x": {"limit": 1}}, {"x": {"class": "x"}}]
)
def test_an_invalid_class_is_refused(
    github: FakeGitHub, classes: dict[str, dict[str, object]]
) -> None:
    with pytest.raises(FakeGitHubError):
        github.configure(resource_classes=classes)


def test_the_rate_limit_itself_is_free(github: FakeGitHub) -> None:
    github.configure(anonymous_limit=1)
    assert ask(github, "/rate_limit").json["rate"]["remaining"] == 1
    ask(github, ORG)
    response = ask(github, "/rate_limit")
    assert (response.status, response.json["resources"]["core"]["remaining"]) == (200, 0)
    assert github.counters()["points"] == 1


def test_a_window_ends_at_its_reset_and_a_new_one_begins_with_the_next_request() -> None:
    limits, config = Limits(), Config(anonymous_limit=1, window_seconds=10)
    first = limits.charge(ANONYMOUS, 1, config=config, now=1000.5)
    assert (first.remaining, first.reset, first.exhausted) == (0, 1011, False)
    assert limits.charge(ANONYMOUS, 1, config=config, now=1010.9).exhausted
    later = limits.charge(ANONYMOUS, 1, config=config, now=1011.0)
    assert (later.exhausted, later.reset) == (False, 1021)


def test_a_limit_is_never_overdrawn_by_simultaneous_requests() -> None:
    limits, config = Limits(), Config(token_limit=100)
    with ThreadPoolExecutor(16) as pool:
        standings = list(
            pool.map(lambda _: limits.charge("t", 1, config=config, now=1.0), range(300))
        )
    assert sum(not standing.exhausted for standing in standings) == 100


def test_any_token_is_valid_until_some_are_named(github: FakeGitHub) -> None:
    assert ask(github, ORG, token="any").status == 200
    github.configure(tokens=["good", "old"], revoked=["old"])
    assert ask(github, ORG, {"Authorization": "token good"}).status == 200
    for token in ("any", "old"):
        refused = ask(github, ORG, token=token)
        assert (refused.status, refused.json["message"]) == (401, "Bad credentials")
        assert refused.headers["x-ratelimit-limit"] == "60"


def test_too_many_requests_at_a_time_meet_the_secondary_limit(github: FakeGitHub) -> None:
    github.configure(max_concurrent=1, retry_after=7)
    assert [ask(github, ORG).status for _ in range(20)] == [200] * 20
    github.fault("hang", times=1)

    def wait() -> None:
        with pytest.raises(ConnectionClosed):
            ask(github, ORG)

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not github.counters()["hanging"]:
        time.sleep(0.005)
    refused = ask(github, ORG)
    assert (refused.status, refused.headers["retry-after"]) == (403, "7")
    assert "secondary rate limit" in refused.json["message"]
    assert ask(github, ORG, token="t").status == 200
    github.clear_faults()
    waiting.join(60)
    assert ask(github, ORG).status == 200


def test_too_many_points_a_minute_meet_the_secondary_limit() -> None:
    limits, config = Limits(), Config(points_per_minute=2)
    over = [limits.over_points("t", config=config, now=now) for now in (60, 61, 119, 120)]
    assert over == [False, False, True, False]


def test_tokens_are_known_by_a_short_hash_only() -> None:
    # Worked out with `printf secret | sha256sum`.
    assert credential_of("secret") == "2bb80d53"
    assert credential_of(None) == ANONYMOUS


def test_a_skewed_clock_shows_in_date_and_reset(github: FakeGitHub) -> None:
    straight = ask(github, ORG)
    github.configure(clock_skew=100_000)
    skewed = ask(github, ORG)
    reset = "x-ratelimit-reset"
    assert int(skewed.headers[reset]) - int(straight.headers[reset]) == 100_000
    assert skewed.headers["date"][:11] != straight.headers["date"][:11]
