"""One budget for the whole fleet: reserved before each request, settled after it."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from refresher.errors import OriginError, StoppedError
from refresher.github.addresses import Place, place_of
from refresher.github.auth.credentials import ANONYMOUS, REFUSED_FOR, Token
from refresher.github.budget import BudgetLimiter, Share
from refresher.github.rate_limit_class import CORE
from refresher.github.rate_limiter import Reservation
from shared import budgets
from shared.budgets import SLOT_SECONDS, SLOTS, Point
from shared.clock import Clock
from shared.outcomes import FailureKind
from shared.redis import keys
from tests.fakegithub.absurd_headers import HARMLESS, Fields, limit
from tests.fakegithub.client import FakeGitHub
from tests.redis_contents import held_in
from tests.refresher.github.passing import Passing
from tests.refresher.workbench import TOKEN, make_client, make_settings
from tests.refresher.workbench import make_budget as budget_of

LATER = 1000  # seconds until the hour of the tests ends
FIRST, SECOND = "ghp_first_0123456789", "ghp_second_0123456789"
MakeBudget = Callable[..., BudgetLimiter]


@pytest.fixture
def clock(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Passing:
    return Passing(redis, monkeypatch)


@pytest.fixture
def make_budget(redis: Redis, clock: Passing) -> MakeBudget:
    """Rate limiters of several refreshers, on one Redis; waiting takes no time."""
    virtual = Clock(now=time.time, monotonic=clock.monotonic, sleep=clock.later)

    def make(
        *, share: Share = Share.TRACKED, url: str = "http://github.invalid", **known: Any
    ) -> BudgetLimiter:
        settings = make_settings(url, **{"github_api_token": TOKEN, **known})
        return budget_of(redis, settings, clock=virtual).limiter(share)

    return make


def said(remaining: int, *, limit: int = 5000, reset: int | None = None) -> dict[str, str]:
    """The header fields that report a primary limit."""
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(int(time.time()) + LATER if reset is None else reset),
    }


def ask(budget: BudgetLimiter, remaining: int, **known: int) -> Reservation:
    """One request whose response reports what remains."""
    reservation = budget.reserve()
    budget.settle(reservation, 200, said(remaining, **known))
    return reservation


def refusal(budget: BudgetLimiter) -> OriginError:
    """The refusal that a request meets."""
    with pytest.raises(OriginError) as refused:
        budget.reserve()
    return refused.value


def gives_up(budget: BudgetLimiter) -> None:
    """A request that waits in vain: not a failure."""
    with pytest.raises(StoppedError):
        budget.reserve()


def left(redis: Redis, token: str = TOKEN, resource_class: str = CORE) -> int:
    """The remaining requests in Redis."""
    value = redis.hget(keys.budget(Token(token).id, resource_class), "remaining")
    assert value is not None
    return int(value)


def test_what_the_answer_says_is_what_is_left(make_budget: MakeBudget, redis: Redis) -> None:
    ask(make_budget(), 4321)
    assert left(redis) == 4321


def test_a_free_answer_gives_its_reservation_back(make_budget: MakeBudget, redis: Redis) -> None:
    budget = make_budget()
    ask(budget, 100)
    for _ in range(50):
        budget.settle(budget.reserve(), 304, said(100))
    assert left(redis) == 100


@pytest.mark.parametrize(("track", "left"), [((), 0), (("/users/a",), 12)])
def test_requests_without_a_credential_are_kept_for_what_track_names(
    make_budget: MakeBudget, track: tuple[str, ...], left: int
) -> None:
    on_demand = make_budget(share=Share.ON_DEMAND, track=track)
    on_demand.settle(on_demand.reserve(among=()), 200, said(left + 1, limit=60))
    on_demand.settle(on_demand.reserve(among=()), 200, said(left, limit=60))
    with pytest.raises(OriginError, match="limit"):
        on_demand.reserve(among=())
    if left:
        make_budget(track=track).reserve(among=())


def test_requests_under_way_stay_reserved(make_budget: MakeBudget, redis: Redis) -> None:
    one, other = make_budget(), make_budget()
    ask(one, 100)
    under_way = one.reserve()
    other.settle(other.reserve(), 200, said(99))
    assert left(redis) == 98  # the response does not know of the other request
    one.settle(under_way, 200, said(98))
    assert left(redis) == 98


def test_a_request_without_an_answer_counts_for_nothing_said(
    make_budget: MakeBudget, redis: Redis
) -> None:
    budget = make_budget()
    ask(budget, 100)
    budget.settle(budget.reserve(), 0, {})
    assert left(redis) == 100
    budget.reserve()  # its refresher dies
    assert left(redis) == 99


def test_nobody_asks_anything_between_the_last_request_and_the_reset(
    make_budget: MakeBudget, clock: Passing
) -> None:
    ask(make_budget(), 0)
    refused = refusal(make_budget())
    assert refused.kind is FailureKind.RATE_LIMITED
    assert refused.retry_after == pytest.approx(LATER, abs=2)
    clock.later(LATER - 5)
    refusal(make_budget())
    clock.later(5)
    make_budget().reserve()


def test_an_exact_number_of_requests_is_let_through(make_budget: MakeBudget) -> None:
    ask(make_budget(), 7)
    budgets = [make_budget() for _ in range(3)]
    for number in range(7):
        budgets[number % 3].reserve()
    refusal(budgets[0])


def test_on_demand_requests_leave_a_share_to_tracked_ones(make_budget: MakeBudget) -> None:
    ask(make_budget(), 1001)
    on_demand = make_budget(share=Share.ON_DEMAND)
    on_demand.reserve()
    assert "kept for tracked" in refusal(on_demand).reason
    assert "without a credential" not in refusal(on_demand).reason
    for _ in range(10):
        make_budget().reserve()


def test_the_credential_with_most_left_is_taken(make_budget: MakeBudget) -> None:
    budget = make_budget(github_api_token=f"{FIRST},{SECOND}", origin_concurrency=50)
    first = ask(budget, 10).credential
    second = ask(budget, 20).credential
    assert {first, second} == {Token(FIRST), Token(SECOND)}
    taken = [budget.reserve().credential for _ in range(30)]
    assert taken[:10] == [second] * 10
    assert taken.count(first) == 10
    refusal(budget)


def test_a_refused_credential_is_shown_as_one_though_github_says_nothing_of_its_limit(
    redis: Redis, make_budget: MakeBudget, clock: Passing
) -> None:
    budget = make_budget()
    refused = budget.reserve()
    budget.settle(refused, 401, {"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "59"})
    budget.set_aside(refused.credential, "GitHub refuses it")
    (shown,) = budgets.read(redis, now=clock.now)
    assert shown.credential == refused.credential.id
    assert shown.aside_until == pytest.approx(clock.now + REFUSED_FOR, abs=2)


def test_a_refused_credential_is_set_aside_and_the_others_carry_on(
    make_budget: MakeBudget, clock: Passing
) -> None:
    budget = make_budget(github_api_token=f"{FIRST},{SECOND}")
    refused = budget.reserve().credential
    assert budget.set_aside(refused, "GitHub refuses it")
    others = [make_budget(github_api_token=f"{FIRST},{SECOND}") for _ in range(5)]
    assert refused not in {other.reserve().credential for other in others}
    clock.later(601)
    assert refused in {budget.reserve().credential for _ in range(20)}


def test_without_any_credential_left_requests_carry_none(make_budget: MakeBudget) -> None:
    budget = make_budget()
    assert budget.set_aside(budget.reserve().credential, "GitHub refuses it")
    assert make_budget().reserve().credential is ANONYMOUS


class TestRefusedForAnOwner:
    """GitHub refuses a credential for one owner only: it is used for all others."""

    def test_it_is_not_used_there_by_anybody_for_a_while(
        self, make_budget: MakeBudget, clock: Passing
    ) -> None:
        pair = f"{FIRST},{SECOND}"
        budget = make_budget(github_api_token=pair)
        assert budget.refuse(Token(FIRST), Place("netflix", ""), "SAML")
        others = [make_budget(github_api_token=pair) for _ in range(5)]
        for target in ("/orgs/Netflix", "/orgs/netflix/repos?page=2", "/repos/NETFLIX/x/issues"):
            used = {other.reserve(target).credential for other in others}
            assert used == {Token(SECOND)}, target
        # So few that all of them have places: none waits until places are believed to be lost.
        elsewhere = {other.reserve("/orgs/other").credential for other in others * 4}
        assert elsewhere == {Token(FIRST), Token(SECOND)}
        clock.later(601)
        back = {other.reserve("/orgs/netflix").credential for other in others * 4}
        assert back == {Token(FIRST), Token(SECOND)}

    def test_if_all_are_refused_requests_carry_none_for_tracked_content_too(
        self, make_budget: MakeBudget
    ) -> None:
        budget = make_budget()
        budget.refuse(Token(TOKEN), Place("netflix", ""), "SAML")
        assert budget.reserve("/orgs/netflix/repos").credential is ANONYMOUS
        among = budget.reserve("/orgs/netflix/repos", among={Token(TOKEN).id})
        assert among.credential is ANONYMOUS

    def test_a_missing_permission_concerns_one_operation(self, make_budget: MakeBudget) -> None:
        budget = make_budget()
        budget.refuse(Token(TOKEN), place_of("/repos/netflix/x/issues"), "not accessible")
        assert budget.reserve("/repos/Netflix/other/issues").credential is ANONYMOUS
        assert budget.reserve("/repos/netflix/x").credential == Token(TOKEN)
        assert budget.reserve("/orgs/netflix/repos").credential == Token(TOKEN)

    def test_it_is_logged_once_and_kept_for_the_operator(
        self,
        make_budget: MakeBudget,
        redis: Redis,
        clock: Passing,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        budget = make_budget()
        budget.settle(budget.reserve(), 200, said(4999))
        for _ in range(3):
            budget.refuse(Token(TOKEN), Place("netflix", ""), "SAML enforcement")
            clock.later(601)
        lines = [line for line in caplog.records if "SAML enforcement" in line.getMessage()]
        assert len(lines) == 1
        (shown,) = budgets.read(redis, now=clock.now)
        (refused,) = shown.refused
        assert (refused.place, refused.message) == ("netflix", "SAML enforcement")

    def test_places_are_bounded_and_the_newest_are_kept(
        self, make_budget: MakeBudget, redis: Redis, clock: Passing
    ) -> None:
        budget = make_budget()
        key = keys.refused(Token(TOKEN).id)
        budget.refuse(Token(TOKEN), Place("owner", ""), "SAML")
        (first,) = redis.hvals(key)
        redis.hset(key, mapping={f"owner{number}": first for number in range(499)})
        for number in range(499, 505):
            clock.later(0.001)
            budget.refuse(Token(TOKEN), Place(f"owner{number}", ""), "SAML")
        held = redis.hkeys(key)
        assert len(held) == 500
        assert {f"owner{number}".encode() for number in range(499, 505)} <= {*held}
        assert 0 < redis.ttl(key) <= budgets.REMEMBER_S

    @pytest.mark.parametrize("damage", ["", "x", "nan 1 y", "9999999999999 1e9 x", "1 "])
    def test_a_damaged_record_refuses_nothing(
        self, make_budget: MakeBudget, redis: Redis, damage: str, clock: Passing
    ) -> None:
        redis.hset(keys.refused(Token(TOKEN).id), "netflix", damage)
        budget = make_budget()
        budget.settle(budget.reserve(), 200, said(4999))
        assert budget.reserve("/orgs/netflix").credential == Token(TOKEN)
        assert len(budgets.read(redis, now=clock.now)) == 1


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("fields", [*HARMLESS, limit("60", "0", "0")])
def test_a_report_that_makes_no_sense_holds_nothing_back(
    make_budget: MakeBudget, redis: Redis, fields: Fields, *, is_known: bool
) -> None:
    budget = make_budget()
    if is_known:
        ask(budget, 4000)
    headers = {name: value for name, value in fields.items() if value is not None}
    budget.settle(budget.reserve(), 200, headers)
    for share in Share:
        assert make_budget(share=share).reserve().credential == Token(TOKEN)


@pytest.mark.parametrize(
    ("field", "damage"),
    [
        *(("limit", damage) for damage in ("", "x", "nan", "inf", "1e300", "[]", "0", "-5", "0.5")),
        *(("remaining", damage) for damage in ("", "x", "nan", "inf", "1e300", "[]")),
    ],
)
def test_a_damaged_budget_counts_as_an_unknown_one(
    make_budget: MakeBudget, redis: Redis, field: str, damage: str
) -> None:
    budget = make_budget()
    budget.settle(budget.reserve(), 200, said(4999))
    redis.hset(keys.budget(Token(TOKEN).id, CORE), field, damage)
    assert budget.reserve().credential == Token(TOKEN)
    redis.hset(keys.budget(Token(TOKEN).id, CORE), mapping={field: damage, "reset": 0})
    assert budget.reserve().credential == Token(TOKEN)


@pytest.mark.parametrize("damage", [b"", b"\xff", b"a b", b"x" * 1000])
def test_a_damaged_class_of_a_limit_counts_as_an_unknown_one(
    make_budget: MakeBudget, redis: Redis, damage: bytes
) -> None:
    redis.hset(keys.CLASSES, "/orgs/{org}", damage)
    redis.hset(keys.CLASSES, damage, "search")
    assert make_budget().reserve("/orgs/netflix").resource_class == CORE


def test_a_secondary_limit_stops_everybody_for_as_long_as_it_says(
    make_budget: MakeBudget, clock: Passing
) -> None:
    assert make_budget().pause(30) == pytest.approx(30, abs=1)
    assert refusal(make_budget()).retry_after == pytest.approx(30, abs=2)
    assert refusal(
        make_budget(share=Share.ON_DEMAND, github_api_token=SECOND)
    ).retry_after == pytest.approx(30, abs=2)
    clock.later(30)
    make_budget().reserve()


def test_without_a_word_of_how_long_the_pauses_grow_until_an_answer_comes(
    make_budget: MakeBudget, clock: Passing
) -> None:
    budget = make_budget()
    pauses = []
    for _ in range(3):
        pauses.append(budget.pause(None))
        clock.later(pauses[-1])
    assert pauses == pytest.approx([60, 120, 240], abs=1)
    ask(budget, 100)
    assert budget.pause(None) == pytest.approx(60, abs=1)


def test_a_damaged_number_of_pauses_is_that_of_the_first(
    make_budget: MakeBudget, redis: Redis
) -> None:
    redis.set(keys.PAUSES, b"\xff")
    assert make_budget().pause(None) == pytest.approx(60, abs=1)


def test_a_shorter_pause_does_not_end_a_longer_one(make_budget: MakeBudget) -> None:
    budget = make_budget()
    budget.pause(100)
    budget.pause(10)
    assert refusal(budget).retry_after == pytest.approx(100, abs=2)


def test_no_more_than_so_many_are_under_way_at_once(
    make_budget: MakeBudget, clock: Passing
) -> None:
    known = {"share": Share.ON_DEMAND, "origin_concurrency": 4, "miss_wait": 5}
    reservations = [make_budget(**known).reserve() for _ in range(3)]
    began = clock.monotonic()
    gives_up(make_budget(**known))
    assert clock.monotonic() - began == pytest.approx(5, abs=0.5)
    make_budget(**known).settle(reservations[0], 200, said(4000))
    make_budget(**known).reserve()


def test_each_party_always_has_places(make_budget: MakeBudget) -> None:
    known = {"origin_concurrency": 10, "miss_wait": 1}
    on_demand, tracked = make_budget(share=Share.ON_DEMAND, **known), make_budget(**known)
    for _ in range(8):
        on_demand.reserve()
    gives_up(on_demand)
    first = [tracked.reserve() for _ in range(2)]
    for reservation in first:
        tracked.settle(reservation, 0, {})


def test_tracked_requests_leave_places_too(make_budget: MakeBudget) -> None:
    known = {"origin_concurrency": 10, "miss_wait": 1}
    stopped = make_budget(**known)
    for _ in range(8):
        stopped.reserve()
    on_demand = make_budget(share=Share.ON_DEMAND, **known)
    for _ in range(2):
        on_demand.reserve()
    gives_up(on_demand)


def test_a_refresher_that_died_gives_up_its_place_in_time(
    make_budget: MakeBudget, clock: Passing
) -> None:
    known = {"origin_concurrency": 1, "origin_deadline": 10}
    make_budget(**known).reserve()
    began = clock.monotonic()
    make_budget(**known).reserve()  # waits for it
    assert clock.monotonic() - began == pytest.approx(10, abs=0.5)


class TestPoints:
    """Requests a minute, in two buckets that refill evenly."""

    def test_on_demand_requests_leave_the_reserve(
        self, make_budget: MakeBudget, clock: Passing
    ) -> None:
        known = {"origin_points_per_minute": 10, "miss_wait": 1}
        on_demand = make_budget(share=Share.ON_DEMAND, **known)
        for _ in range(8):
            on_demand.settle(on_demand.reserve(), 200, {})
        gives_up(on_demand)
        tracked = make_budget(**known)
        began = clock.monotonic()
        for _ in range(2):
            tracked.settle(tracked.reserve(), 200, {})
        assert clock.monotonic() - began < 1

    def test_an_on_demand_request_waits_for_a_point(
        self, make_budget: MakeBudget, clock: Passing
    ) -> None:
        on_demand = make_budget(share=Share.ON_DEMAND, origin_points_per_minute=10)
        for _ in range(8):
            on_demand.settle(on_demand.reserve(), 200, {})
        began = clock.monotonic()
        on_demand.reserve()
        assert clock.monotonic() - began == pytest.approx(7.5, abs=0.5)

    def test_a_tracked_request_borrows_what_is_not_needed(
        self, make_budget: MakeBudget, clock: Passing
    ) -> None:
        tracked, began = make_budget(origin_points_per_minute=20), clock.monotonic()
        for _ in range(4 + 12):
            tracked.settle(tracked.reserve(), 200, {})
        assert clock.monotonic() - began < 1
        on_demand = make_budget(share=Share.ON_DEMAND, origin_points_per_minute=20)
        for _ in range(4):
            on_demand.settle(on_demand.reserve(), 200, {})
        assert clock.monotonic() - began < 1

    def test_a_tracked_request_waits_as_long_as_it_takes(
        self, make_budget: MakeBudget, clock: Passing
    ) -> None:
        known = {"origin_points_per_minute": 1, "miss_wait": 1}
        tracked = make_budget(**known)
        for _ in range(2):  # its own point, and one that it borrows
            tracked.settle(tracked.reserve(), 200, {})
        began = clock.monotonic()
        tracked.settle(tracked.reserve(), 200, {})
        assert 60 < clock.monotonic() - began < 80

    def test_further_pages_leave_points_to_other_tracked_requests(
        self, make_budget: MakeBudget, clock: Passing
    ) -> None:
        known = {"origin_points_per_minute": 40, "miss_wait": 1}
        pages = make_budget(**known).for_further_pages
        for _ in range(6 + 25):
            pages.settle(pages.reserve(), 200, {})
        tracked, began = make_budget(**known), clock.monotonic()
        for _ in range(2):
            tracked.settle(tracked.reserve(), 200, {})
        assert clock.monotonic() - began < 1
        pages.reserve()
        assert clock.monotonic() - began > 1

    def test_without_a_reserve_all_share_one_bucket(
        self, make_budget: MakeBudget, clock: Passing
    ) -> None:
        known = {"origin_points_per_minute": 10, "budget_reserve": 0, "miss_wait": 1}
        tracked, began = make_budget(**known), clock.monotonic()
        for _ in range(10):
            tracked.settle(tracked.reserve(), 200, {})
        assert clock.monotonic() - began < 1
        gives_up(make_budget(share=Share.ON_DEMAND, **known))

    def test_no_minute_has_more_than_twice_as_many(
        self, make_budget: MakeBudget, clock: Passing
    ) -> None:
        tracked, began, sent = make_budget(origin_points_per_minute=60), clock.monotonic(), 0
        while clock.monotonic() - began < 60:
            tracked.settle(tracked.reserve(), 200, {})
            sent += 1
        assert 90 < sent <= 120

    def test_a_time_in_the_future_counts_as_now(
        self, make_budget: MakeBudget, redis: Redis, clock: Passing
    ) -> None:
        redis.hset(keys.POINTS, mapping={"tracked": 0, "on-demand": 0, "at": clock.now + 1e6})
        began = clock.monotonic()
        make_budget(share=Share.ON_DEMAND, origin_points_per_minute=60).reserve()
        assert clock.monotonic() - began == pytest.approx(1.25, abs=0.3)


def test_a_server_without_limits_is_not_limited(make_budget: MakeBudget) -> None:
    budget = make_budget(github_api_token=None, origin_points_per_minute=440)
    for _ in range(200):
        budget.settle(budget.reserve(), 200, said(4999))


class TestAnOriginWithABudget:
    """The budget as the client uses it."""

    def test_a_spent_credential_is_replaced_within_the_request(
        self, make_budget: MakeBudget
    ) -> None:
        with FakeGitHub(repos=1, members=1, token_limit=1) as github:
            tokens = {"url": github.url, "github_api_token": f"{FIRST},{SECOND}"}
            origin = make_client(make_settings(github.url), make_budget(**tokens))
            statuses = [origin.get(origin.url_of("/")).status for _ in range(2)]
            assert statuses == [200, 200]
            assert len(github.counters()["credentials"]) == 2
            with pytest.raises(OriginError):
                origin.get(origin.url_of("/"))
            asked = github.counters()["total"]
            with pytest.raises(OriginError):
                origin.get(origin.url_of("/"))
            assert github.counters()["total"] == asked
            origin.transport.close()

    def test_a_refused_token_is_replaced_within_the_request(self, make_budget: MakeBudget) -> None:
        with FakeGitHub(repos=1, members=1, revoked=[FIRST]) as github:
            tokens = {"url": github.url, "github_api_token": f"{FIRST},{SECOND}"}
            origin = make_client(make_settings(github.url), make_budget(**tokens))
            assert [origin.get(origin.url_of("/")).status for _ in range(4)] == [200] * 4
            assert github.counters()["statuses"].get("401", 0) <= 1
            origin.transport.close()

    def test_a_secondary_limit_met_by_one_stops_the_others(self, make_budget: MakeBudget) -> None:
        with FakeGitHub(repos=1, members=1) as github:
            github.fault("secondary", retry_after=30, times=1)
            origins = [
                make_client(make_settings(github.url), make_budget(url=github.url)) for _ in "ab"
            ]
            for origin in origins:
                with pytest.raises(OriginError) as refused:
                    origin.get(origin.url_of("/"))
                assert refused.value.kind is FailureKind.RATE_LIMITED
                assert refused.value.retry_after == pytest.approx(30, abs=2)
                origin.transport.close()
            assert github.counters()["total"] == 1

    def test_no_secret_is_kept_in_redis(self, make_budget: MakeBudget, redis: Redis) -> None:
        budget = make_budget(github_api_token=f"{FIRST},{SECOND}")
        budget.set_aside(budget.reserve().credential, "GitHub refuses it")
        other = budget.reserve().credential
        held = held_in(redis)
        assert other.id.encode() in held
        assert FIRST.encode() not in held
        assert SECOND.encode() not in held


def test_what_a_refusal_says_is_of_the_anonymous_limit_and_ignored(
    make_budget: MakeBudget, redis: Redis
) -> None:
    budget = make_budget()
    ask(budget, 4321)
    budget.settle(budget.reserve(), 401, said(59, limit=60))
    assert left(redis) == 4321


class TestClasses:
    """GitHub's other limits have budgets of their own, once a response has named them."""

    SBOM = "/repos/netflix/hystrix/dependency-graph/sbom"
    ELSEWHERE = "/repos/netflix/eureka/dependency-graph/sbom"

    def test_what_an_answer_says_of_another_class_leaves_core_as_it_was(
        self, make_budget: MakeBudget, redis: Redis
    ) -> None:
        budget = make_budget()
        ask(budget, 4000)
        reservation = budget.reserve(self.SBOM)
        headers = said(99, limit=100) | {"X-RateLimit-Resource": "dependency_sbom"}
        budget.settle(reservation, 200, headers)
        assert left(redis) == 4000
        assert left(redis, resource_class="dependency_sbom") == 99

    def test_a_class_that_is_spent_stops_its_own_kind_only(
        self, make_budget: MakeBudget, clock: Passing
    ) -> None:
        budget = make_budget()
        headers = said(0, limit=100) | {"X-RateLimit-Resource": "dependency_sbom"}
        budget.settle(budget.reserve(self.SBOM), 200, headers)
        for one in (budget, make_budget()):  # it is remembered by all
            with pytest.raises(OriginError) as refused:
                one.reserve(self.ELSEWHERE)
            assert refused.value.kind is FailureKind.RATE_LIMITED
            assert refused.value.retry_after == pytest.approx(LATER, abs=2)
            one.reserve("/orgs/Netflix")
        clock.later(LATER + 1.0)
        make_budget().reserve(self.ELSEWHERE)

    def test_a_class_that_became_core_is_core(self, make_budget: MakeBudget, redis: Redis) -> None:
        budget = make_budget()
        for name in ("dependency_sbom", "core"):
            headers = said(10) | {"X-RateLimit-Resource": name}
            budget.settle(budget.reserve(self.SBOM), 200, headers)
        assert make_budget().reserve(self.SBOM).resource_class == "core"
        assert redis.exists(keys.CLASSES) == 0

    def test_github_s_own_classes_are_learned(self, make_budget: MakeBudget, redis: Redis) -> None:
        with FakeGitHub(repos=3, members=1) as github:
            budget = make_budget(url=github.url)
            origin = make_client(make_settings(github.url, github_api_token=TOKEN), budget)
            name = str(github.repos()[0]["full_name"])
            for _ in range(2):
                origin.get(origin.url_of(f"/repos/{name}/dependency-graph/sbom"))
            origin.transport.close()
        assert left(redis, resource_class="dependency_sbom") == 98
        assert left(redis) == 5000


class TestHistory:
    """The history of a budget over the last hours."""

    CREDENTIAL = Token(TOKEN).id

    def points(self, redis: Redis, now: float) -> list[Point]:
        (found,) = budgets.read(redis, now=now)
        return list(found.history)

    def test_has_the_last_number_of_each_slot(
        self, make_budget: MakeBudget, redis: Redis, clock: Passing
    ) -> None:
        budget = make_budget()
        ask(budget, 100)
        ask(budget, 99)
        clock.later(SLOT_SECONDS)
        ask(budget, 98)
        slot = float(clock.now // SLOT_SECONDS * SLOT_SECONDS)
        assert self.points(redis, clock.now) == [Point(slot - SLOT_SECONDS, 99), Point(slot, 98)]

    def test_never_grows_beyond_a_turn(
        self, make_budget: MakeBudget, redis: Redis, clock: Passing
    ) -> None:
        budget = make_budget()
        for number in range(SLOTS + 10):
            clock.later(SLOT_SECONDS)
            ask(budget, 5000 - number, reset=int(clock.now) + 3600)
        ring = keys.budget_history(self.CREDENTIAL, CORE)
        assert redis.hlen(ring) == SLOTS
        assert [point.remaining for point in self.points(redis, clock.now)] == [
            5000 - number for number in range(10, SLOTS + 10)
        ]
        assert 7 * 3600 - 300 <= redis.ttl(ring) <= 7 * 3600

    def test_says_what_is_believed_to_be_left(
        self, make_budget: MakeBudget, redis: Redis, clock: Passing
    ) -> None:
        budget = make_budget()
        ask(budget, 100)
        ask(budget, 200)  # a response that was overtaken by the one before
        assert [point.remaining for point in self.points(redis, clock.now)] == [100]

    def test_tells_of_the_class_that_the_answer_spoke_of(
        self, make_budget: MakeBudget, redis: Redis, clock: Passing
    ) -> None:
        budget = make_budget()
        ask(budget, 4000)
        headers = said(99, limit=100) | {"X-RateLimit-Resource": "dependency_sbom"}
        budget.settle(budget.reserve("/repos/a/b/dependency-graph/sbom"), 200, headers)
        found = {one.resource_class: one for one in budgets.read(redis, now=clock.now)}
        assert {name: (one.limit, one.remaining) for name, one in found.items()} == {
            "core": (5000, 4000),
            "dependency_sbom": (100, 99),
        }
        assert [point.remaining for point in found["dependency_sbom"].history] == [99]
        assert [point.remaining for point in found["core"].history] == [4000]

    @pytest.mark.parametrize("status", [0, 200, 401])
    def test_has_nothing_of_an_answer_that_says_nothing(
        self, make_budget: MakeBudget, redis: Redis, clock: Passing, status: int
    ) -> None:
        budget = make_budget()
        budget.settle(budget.reserve(), status, said(59, limit=60) if status == 401 else {})
        assert budgets.read(redis, now=clock.now) == []
        assert redis.exists(keys.budget_history(self.CREDENTIAL, CORE)) == 0

    def test_is_forgotten_with_a_budget_that_nobody_uses_any_more(
        self, make_budget: MakeBudget, redis: Redis, clock: Passing
    ) -> None:
        ask(make_budget(github_api_token=FIRST), 100)
        clock.later(7 * 3600 - 60)
        ask(make_budget(github_api_token=SECOND), 100)
        assert redis.zcard(keys.BUDGETS) == 2
        clock.later(61)
        ask(make_budget(github_api_token=SECOND), 100)
        names = [budgets.name_of(Token(SECOND).id, CORE).encode()]
        assert redis.zrange(keys.BUDGETS, 0, -1) == names

    @pytest.mark.parametrize("reset", [0, 5])
    def test_is_not_broken_by_an_hour_that_ended_long_ago(
        self, make_budget: MakeBudget, redis: Redis, clock: Passing, reset: int
    ) -> None:
        budget = make_budget()
        headers = said(0, limit=60, reset=reset) | {"X-RateLimit-Resource": "odd"}
        budget.settle(budget.reserve(), 200, headers)
        (found,) = budgets.read(redis, now=clock.now)
        assert (found.resource_class, found.limit, found.remaining) == ("odd", 60, 60)
        assert redis.zcard(keys.IN_FLIGHT) == 0


class TestWithoutACredential:
    """Requests without a credential have a budget of their own."""

    def test_is_60_an_hour_for_the_whole_fleet_and_nothing_is_reserved(
        self, make_budget: MakeBudget, clock: Passing
    ) -> None:
        fleet = [make_budget(share=Share.ON_DEMAND, origin_concurrency=90) for _ in range(3)]
        for number in range(60):
            reservation = fleet[number % 3].reserve(among=())
            assert reservation.credential.is_anonymous
        with pytest.raises(OriginError) as refused:
            fleet[0].reserve(among=())
        assert "without a credential" in refused.value.reason
        clock.later(3600)
        fleet[0].reserve(among=())

    def test_costs_no_credential_anything(self, make_budget: MakeBudget, redis: Redis) -> None:
        budget = make_budget(share=Share.ON_DEMAND, origin_concurrency=90)
        ask(budget, 4000)
        for _ in range(50):
            budget.settle(budget.reserve(among=()), 200, {})
        assert left(redis) == 4000
        # Spent as it is then, credentials go on being used.
        budget.settle(budget.reserve(among=()), 200, said(0, limit=60))
        with pytest.raises(OriginError):
            budget.reserve(among=())
        assert budget.reserve().credential == Token(TOKEN)

    def test_a_304_counts_as_github_says(self, make_budget: MakeBudget, redis: Redis) -> None:
        budget = make_budget()
        budget.settle(budget.reserve(among=()), 304, said(41, limit=60))
        remaining = redis.hget(keys.budget(budgets.ANONYMOUS, CORE), "remaining")
        assert remaining == b"41"

    def test_a_credential_that_is_known_to_see_no_more_is_used_as_well(
        self, make_budget: MakeBudget
    ) -> None:
        budget = make_budget(github_api_token=f"{FIRST},{SECOND}", origin_concurrency=90)
        known = {Token(SECOND).id}
        assert budget.reserve(among=known).credential == Token(SECOND)
        budget.set_aside(Token(SECOND), "refused")
        assert budget.reserve(among=known).credential.is_anonymous

    def test_is_all_that_there_is_where_there_is_no_credential(
        self, make_budget: MakeBudget
    ) -> None:
        budget = make_budget(github_api_token=None, share=Share.ON_DEMAND, origin_concurrency=90)
        for _ in range(48):  # a fifth is kept for what is tracked
            budget.reserve(among=())
        with pytest.raises(OriginError, match="kept for tracked"):
            budget.reserve(among=())
