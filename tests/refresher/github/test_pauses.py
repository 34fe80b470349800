"""Pauses end: what a header asks for is believed for an hour, whatever it says."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from refresher.errors import OriginError
from refresher.github.addresses import Place
from refresher.github.auth.credentials import Token
from refresher.github.budget import BudgetLimiter, Share
from refresher.github.rate_limit_class import CORE
from refresher.github.rate_limit_headers import asked_pause
from refresher.github.rate_limiter import Reservation
from shared import budgets
from shared.clock import Clock
from shared.redis import keys
from tests.fakegithub.client import FakeGitHub
from tests.refresher.github.passing import Passing
from tests.refresher.workbench import TOKEN, make_client, make_settings
from tests.refresher.workbench import make_budget as budget_of

HOUR, TEN_MINUTES = 3600.0, 600.0
CREDENTIAL = Token(TOKEN)
YEAR_2100 = 4_102_444_800
MakeLimiter = Callable[..., BudgetLimiter]


@pytest.fixture
def clock(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Passing:
    return Passing(redis, monkeypatch)


@pytest.fixture
def limiter(redis: Redis, clock: Passing) -> BudgetLimiter:
    """The rate limiter of a refresh."""
    virtual = Clock(now=time.time, monotonic=clock.monotonic, sleep=clock.later)
    settings = make_settings("http://github.invalid", github_api_token=TOKEN)
    return budget_of(redis, settings, clock=virtual).limiter(Share.TRACKED)


def held_for(limiter: BudgetLimiter) -> float:
    """The seconds for which no request is sent."""
    with pytest.raises(OriginError) as refused:
        limiter.reserve()
    assert refused.value.retry_after is not None
    return refused.value.retry_after


def succeed(limiter: BudgetLimiter, reservation: Reservation) -> None:
    limiter.settle(reservation, 200, {})


def resume(redis: Redis, clock: Passing) -> None:
    """What an operator's "resume" stores: after all that happened, and before what will."""
    clock.later(0.002)
    redis.set(keys.RESUMED, clock.now - 0.001)


class TestSecondaryLimits:
    @pytest.mark.parametrize("asked", [1800.0, HOUR])
    def test_up_to_an_hour_is_believed_in_full(
        self, limiter: BudgetLimiter, clock: Passing, asked: float
    ) -> None:
        limiter.pause(asked)
        clock.later(asked - 10)
        assert held_for(limiter) == pytest.approx(10, abs=2)
        clock.later(11)
        for _ in range(3):  # all, not only one
            limiter.reserve()

    @pytest.mark.parametrize("header", ["999999", "9" * 300])
    def test_more_is_cut_to_an_hour_and_then_probed(
        self, limiter: BudgetLimiter, clock: Passing, header: str
    ) -> None:
        asked = asked_pause({"Retry-After": header}, now=time.time())
        assert limiter.pause(asked) == pytest.approx(HOUR, abs=1)
        clock.later(HOUR + 1)
        probe = limiter.reserve()
        assert held_for(limiter) == pytest.approx(TEN_MINUTES, abs=2)
        limiter.settle(probe, 0, {})  # no response: nothing is known
        assert held_for(limiter) == pytest.approx(TEN_MINUTES, abs=2)
        clock.later(TEN_MINUTES + 1)
        succeed(limiter, limiter.reserve())
        for _ in range(3):
            limiter.reserve()

    def test_a_probe_that_meets_the_limit_again_waits_ten_minutes_more(
        self, limiter: BudgetLimiter, clock: Passing
    ) -> None:
        limiter.pause(999_999)
        clock.later(HOUR + 1)
        probe = limiter.reserve()
        limiter.settle(probe, 429, {})
        assert limiter.pause(999_999) == pytest.approx(TEN_MINUTES, abs=2)
        clock.later(TEN_MINUTES + 1)
        limiter.reserve()
        assert held_for(limiter) == pytest.approx(TEN_MINUTES, abs=2)

    def test_what_a_probe_is_asked_for_is_believed_up_to_an_hour(
        self, limiter: BudgetLimiter, clock: Passing
    ) -> None:
        limiter.pause(999_999)
        clock.later(HOUR + 1)
        limiter.settle(limiter.reserve(), 429, {})
        assert limiter.pause(1800) == pytest.approx(1800, abs=2)

    def test_probing_ends_when_the_time_is_over(
        self, limiter: BudgetLimiter, clock: Passing
    ) -> None:
        limiter.pause(2 * HOUR)
        clock.later(2 * HOUR + 1)
        for _ in range(3):
            limiter.reserve()

    def test_a_success_that_was_sent_before_does_not_end_a_pause(
        self, limiter: BudgetLimiter
    ) -> None:
        sent = limiter.reserve()
        limiter.pause(60)
        succeed(limiter, sent)
        assert held_for(limiter) == pytest.approx(60, abs=2)

    @pytest.mark.parametrize(("at", "hold"), [(0, 86_400), (86_400, 90_000), (86_400, 1800)])
    def test_what_is_stored_is_bounded_again(
        self, limiter: BudgetLimiter, redis: Redis, clock: Passing, at: float, hold: float
    ) -> None:
        now = clock.now
        stored = {"at": now + at, "hold": now + hold, "until": now + hold}
        redis.hset(keys.PAUSE, mapping=stored)  # type: ignore[arg-type]
        assert held_for(limiter) == pytest.approx(min(hold, HOUR), abs=2)
        clock.later(HOUR + 1)
        limiter.reserve()

    def test_resume_ends_a_pause_and_not_the_next_one(
        self, limiter: BudgetLimiter, redis: Redis, clock: Passing
    ) -> None:
        limiter.pause(999_999)
        resume(redis, clock)
        for _ in range(3):
            limiter.reserve()
        limiter.pause(60)
        assert held_for(limiter) == pytest.approx(60, abs=2)

    def test_readers_see_the_same(
        self, limiter: BudgetLimiter, redis: Redis, clock: Passing
    ) -> None:
        limiter.pause(999_999)
        known, now = redis.hgetall(keys.PAUSE), clock.now
        shown = budgets.paused_until(known, resumed=0, now=now)  # type: ignore[arg-type]
        assert shown == pytest.approx(now + HOUR, abs=2)
        assert budgets.paused_until(known, resumed=now, now=now) == 0  # type: ignore[arg-type]


class TestSpentLimits:
    @pytest.mark.parametrize(
        "reset", [str(YEAR_2100), "9" * 12, "9" * 300, "-1", "soon", "", "0", "1e9"]
    )
    def test_a_reset_is_believed_for_an_hour_at_most(
        self, limiter: BudgetLimiter, redis: Redis, clock: Passing, reset: str
    ) -> None:
        spent = {
            "X-RateLimit-Limit": "5000",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": reset,
        }
        limiter.settle(limiter.reserve(), 403, spent)
        for found in budgets.read(redis, now=clock.now):
            assert found.resets_at <= clock.now + HOUR
        clock.later(HOUR + 1)
        limiter.reserve()

    def test_what_is_stored_is_bounded_again(
        self, limiter: BudgetLimiter, redis: Redis, clock: Passing
    ) -> None:
        known = {"limit": 5000, "remaining": 0, "reset": YEAR_2100}  # by an older release
        redis.hset(keys.budget(CREDENTIAL.id, CORE), mapping=known)  # type: ignore[arg-type]
        redis.zadd(keys.BUDGETS, {budgets.name_of(CREDENTIAL.id, CORE): clock.now})
        (shown,) = budgets.read(redis, now=clock.now)
        assert shown.resets_at == pytest.approx(clock.now + HOUR, abs=2)
        assert held_for(limiter) == pytest.approx(HOUR, abs=2)
        clock.later(HOUR + 1)
        limiter.reserve()

    def test_resume_ends_it_and_the_next_response_counts(
        self, limiter: BudgetLimiter, redis: Redis, clock: Passing
    ) -> None:
        spent = {
            "X-RateLimit-Limit": "5000",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": str(int(clock.now) + 1800),
        }
        limiter.settle(limiter.reserve(), 403, spent)
        held_for(limiter)
        resume(redis, clock)
        (shown,) = budgets.read(redis, now=clock.now)
        assert shown.remaining == 5000
        limiter.settle(limiter.reserve(), 403, spent)
        assert held_for(limiter) == pytest.approx(1800, abs=2)


class TestCredentialsSetAside:
    def test_for_an_hour_at_most(
        self, limiter: BudgetLimiter, redis: Redis, clock: Passing
    ) -> None:
        limiter.set_aside(CREDENTIAL, "refused", 999_999)
        redis.hset(keys.aside(CREDENTIAL.id), "until", clock.now + 999_999)
        clock.later(HOUR - 2)
        assert limiter.reserve().credential.is_anonymous
        clock.later(3)
        assert limiter.reserve().credential == CREDENTIAL

    def test_until_an_operator_resumes(
        self, limiter: BudgetLimiter, redis: Redis, clock: Passing
    ) -> None:
        limiter.set_aside(CREDENTIAL, "refused")
        limiter.refuse(CREDENTIAL, Place("netflix", ""), "refused")
        assert limiter.reserve("/orgs/Netflix").credential.is_anonymous
        resume(redis, clock)
        assert limiter.reserve("/orgs/Netflix").credential == CREDENTIAL


@pytest.mark.parametrize("header", ["999999", "9" * 300])
def test_a_response_pauses_its_own_refresh_for_an_hour_at_most(
    redis: Redis, github: FakeGitHub, header: str
) -> None:
    github.fault("secondary", retry_after=None, headers={"Retry-After": header}, times=1)
    settings: Any = make_settings(github.url)
    client = make_client(settings, budget_of(redis, settings).limiter(Share.ON_DEMAND))
    with pytest.raises(OriginError) as refused:
        client.get(client.url_of("/"))
    client.transport.close()
    assert refused.value.retry_after == pytest.approx(HOUR, abs=2)
