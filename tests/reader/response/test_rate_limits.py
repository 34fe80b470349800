"""What is left, as clients are told: consistent numbers, and never nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader.cache.refusals import refused
from reader.errors import NotFound
from reader.response.rate_limits import RateLimit, RateLimits, class_of, limits_at
from shared.budgets import ANONYMOUS, CredentialBudget
from shared.outcomes import Refusal
from tests.builders import NOW, Clock

times = st.floats(-7200, 7200).map(lambda seconds: NOW + seconds)
budgets = st.builds(
    CredentialBudget,
    credential=st.sampled_from([ANONYMOUS, "a", "b"]),
    resource_class=st.sampled_from(["core", "search", "other"]),
    limit=st.integers(0, 15_000),
    remaining=st.integers(0, 15_000),
    resets_at=times | st.just(0.0),
    aside_until=times | st.just(0.0),
)


def make(**known: object) -> CredentialBudget:
    defaults: dict[str, object] = {
        "credential": "a",
        "resource_class": "core",
        "limit": 5000,
        "remaining": 3000,
        "resets_at": NOW + 900,
    }
    return CredentialBudget(**{**defaults, **known})  # type: ignore[arg-type]


def core(*known: CredentialBudget, reserve: float = 0.2, now: float = NOW) -> RateLimit:
    return limits_at(known, now, reserve=reserve)["core"]


@given(st.lists(budgets, max_size=6), st.floats(0, 0.99), times)
def test_whatever_is_known_the_numbers_fit_together(
    known: list[CredentialBudget], reserve: float, now: float
) -> None:
    for limit in limits_at(known, now, reserve=reserve).values():
        assert limit.limit >= limit.remaining >= 1
        assert limit.used == limit.limit - limit.remaining >= 0
        assert now + 1 < limit.reset <= now + 3600


def test_the_share_of_tracked_content_is_not_told() -> None:
    assert core(make()) == RateLimit(4000, 2000, int(NOW) + 900)
    assert core(make(remaining=1000)).remaining == 1
    assert core(make(), reserve=0).remaining == 3000


def test_credentials_are_added_up_and_the_first_reset_counts() -> None:
    found = core(make(), make(credential="b", remaining=1500, resets_at=NOW + 60), reserve=0)
    assert found == RateLimit(10_000, 4500, int(NOW) + 60)


def test_what_is_asked_anonymously_beside_credentials_does_not_count() -> None:
    nobodys = make(credential=ANONYMOUS, limit=60, remaining=5)
    assert core(make(), nobodys) == core(make())
    assert core(nobodys, reserve=0).remaining == 5


def test_a_window_that_is_over_is_full_again() -> None:
    assert core(make(remaining=0, resets_at=NOW - 1), reserve=0) == RateLimit(
        5000, 5000, int(NOW) + 3600
    )


def test_a_credential_that_is_set_aside_has_nothing_left() -> None:
    aside = make(aside_until=NOW + 300)
    assert core(aside) == RateLimit(4000, 1, int(NOW) + 300)
    assert core(aside, make(credential="b"), reserve=0).remaining == 3000


def test_what_was_never_used_has_githubs_limits_for_anybody() -> None:
    found = limits_at((), NOW, reserve=0.2)
    assert found["core"] == RateLimit(60, 60, int(NOW) + 3600)
    assert found["search"] == RateLimit(10, 10, int(NOW) + 60)
    assert all(limit.remaining >= 1 for limit in found.values())


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "core"),
        ("/orgs/netflix/repos", "core"),
        ("/repos/search/code", "core"),
        ("/search", "search"),
        ("/search/repositories", "search"),
        ("/SEARCH/Code", "code_search"),
        ("/repos/o/r/dependency-graph/sbom", "dependency_sbom"),
        ("", "core"),
    ],
)
def test_a_path_counts_against_githubs_class(path: str, name: str) -> None:
    assert class_of(path) == name


class TestRateLimits:
    """One object a process."""

    def test_changes_once_a_second_and_with_time(self) -> None:
        clock = Clock()
        limits = RateLimits(reserve=0, clock=clock)
        limits.learn([make()])
        first = limits.fields("/orgs/x")
        assert first["X-RateLimit-Limit"] == "60"  # until the second is over
        clock.now += 1
        second = limits.fields("/orgs/x")
        assert second == {
            "X-RateLimit-Limit": "5000",
            "X-RateLimit-Remaining": "3000",
            "X-RateLimit-Used": "2000",
            "X-RateLimit-Reset": str(int(NOW) + 900),
            "X-RateLimit-Resource": "core",
        }
        assert limits.fields("/users/y") is second
        clock.now += 1000  # no news: the window ends all the same
        assert limits.fields("/orgs/x")["X-RateLimit-Remaining"] == "5000"

    def test_says_0_only_for_a_refusal_for_want_of_budget(self) -> None:
        limits = RateLimits(reserve=0, clock=Clock())
        spent = limits.fields_of_error("/users/x", refused(Refusal.BUDGET_SPENT, 299.5))
        assert spent == {
            **limits.fields("/users/x"),
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Used": "60",
            "X-RateLimit-Reset": str(int(NOW) + 300),
        }
        for refusal in set(Refusal) - {Refusal.BUDGET_SPENT}:
            others = limits.fields_of_error("/users/x", refused(refusal, 5))
            assert others == limits.fields("/users/x")
        assert limits.fields_of_error("/x", NotFound()) == limits.fields("/x")
