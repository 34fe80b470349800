"""Answers are counted exactly, whichever thread sends them."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader.telemetry.counters import (
    QUICK,
    Kind,
    Route,
    Tallies,
    Tally,
    Totals,
    route_of,
    served_by_status,
)
from shared.measures import BUCKETS, SUM, Counted, Measure, Measures, bucket_of
from shared.outcomes import Served
from tests.builders import CATALOGUE, on_demand, tracked

HIT = Kind(Route.ORG, Served.LOCAL, 200)
STALE = Kind(Route.ORG, Served.LOCAL, 200, is_stale=True)
USER = Kind(Route.ON_DEMAND, Served.WAITED, 200, name="/users/mona")
QUICKEST = BUCKETS[Measure.REQUEST_SECONDS][0]

kinds = st.builds(
    Kind,
    st.sampled_from(Route),
    st.sampled_from(Served),
    st.sampled_from([200, 304, 404]),
    st.booleans(),
    st.none() | st.sampled_from(["/users/a", "/users/b"]),
)
answers = st.lists(st.tuples(kinds, st.floats(0, 100)), max_size=40)


def expected(sent: list[tuple[Kind, float]]) -> dict[Counted, float]:
    """The counts of answers, each looked at by itself."""
    counts: Counter[Counted] = Counter()
    for kind, seconds in sent:
        counts[Measure.REQUESTS, (kind.route, kind.served, str(kind.status))] += 1
        bucket = bucket_of(Measure.REQUEST_SECONDS, seconds)
        counts[Measure.REQUEST_SECONDS, (kind.served, bucket)] += 1
        if kind.is_stale:
            counts[Measure.STALE, (kind.route,)] += 1
    return dict(counts)


def without_sums(counts: dict[Counted, float]) -> dict[Counted, float]:
    return {known: n for known, n in counts.items() if n and known[1][-1:] != (SUM,)}


@given(answers)
def test_tallies_add_up_to_what_was_sent(sent: list[tuple[Kind, float]]) -> None:
    tallies, totals = Tallies(), Totals()
    for number, (kind, seconds) in enumerate(sent):
        tallies.of(kind).count(seconds)
        if number % 7 == 3:
            totals.add(tallies.take())
    totals.add(tallies.take())
    counts = dict(totals.counts())
    assert without_sums(counts) == expected(sent)
    for served in Served:
        took = sum(seconds for kind, seconds in sent if kind.served is served)
        total = counts.get((Measure.REQUEST_SECONDS, (served, SUM)), 0)
        assert total == pytest.approx(took)


@given(answers)
def test_one_by_one_they_add_up_to_the_same(sent: list[tuple[Kind, float]]) -> None:
    totals = Totals()
    for kind, seconds in sent:
        totals.answered(kind, seconds)
    assert without_sums(dict(totals.counts())) == expected(sent)


@given(answers)
def test_every_answer_is_in_the_histogram(sent: list[tuple[Kind, float]]) -> None:
    totals = Totals()
    for kind, seconds in sent:
        totals.answered(kind, seconds)
    counts: dict[tuple[str, ...], float] = {}
    for (measure, labels), number in totals.counts().items():
        if measure is Measure.REQUEST_SECONDS:
            counts[labels] = number
    histograms = Measures({Measure.REQUEST_SECONDS: counts}).histograms(Measure.REQUEST_SECONDS)
    counted = Counter(kind.served for kind, _ in sent)
    assert {labels[0]: one.buckets[-1][1] for labels, one in histograms.items()} == counted


def test_golden_counts() -> None:
    totals = Totals()
    totals.answered(HIT, QUICK)
    totals.answered(STALE, QUICK * 1.01)
    totals.answered(USER, 1.5)
    assert totals.counts() == {
        (Measure.REQUESTS, ("/orgs/{org}", "local", "200")): 2,
        (Measure.STALE, ("/orgs/{org}",)): 1,
        (Measure.REQUESTS, ("on-demand", "waited", "200")): 1,
        (Measure.REQUEST_SECONDS, ("local", QUICKEST)): 1,
        (Measure.REQUEST_SECONDS, ("local", "0.0002")): 1,
        (Measure.REQUEST_SECONDS, ("local", SUM)): pytest.approx(QUICK * 2.01),
        (Measure.REQUEST_SECONDS, ("waited", QUICKEST)): 0,
        (Measure.REQUEST_SECONDS, ("waited", "2")): 1,
        (Measure.REQUEST_SECONDS, ("waited", SUM)): 1.5,
    }


def test_a_kind_has_one_tally_until_they_are_taken() -> None:
    tallies = Tallies()
    first = tallies.of(HIT)
    assert tallies.of(Kind(*HIT)) is first
    assert tallies.of(STALE) is not first
    assert first in tallies.take()
    assert tallies.of(HIT) is not first


def test_what_was_taken_is_not_taken_again() -> None:
    tallies = Tallies()
    tallies.of(HIT).count(0.0)
    assert [tally.requests for tally in tallies.take()] == [1]
    assert tallies.take() == []


def test_a_tally_of_nothing_counts_nothing() -> None:
    totals = Totals()
    totals.add([Tally(HIT)])
    assert totals.counts() == {}


def test_threads_lose_no_count() -> None:
    totals = Totals()

    def count(_: int) -> None:
        for _ in range(500):
            totals.answered(HIT, 0.0)
            totals.count(Measure.REDIS_READS, "look", by=3)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count, range(8)))
    counts = totals.counts()
    assert counts[Measure.REQUESTS, ("/orgs/{org}", "local", "200")] == 4000
    assert counts[Measure.REDIS_READS, ("look",)] == 12_000


class TestNames:
    """Which on-demand resources were asked for, and how often."""

    def test_are_counted_until_they_are_taken(self) -> None:
        totals = Totals()
        for kind in (USER, USER, USER._replace(name="/users/hubot"), HIT):
            totals.answered(kind, 0.0)
        assert totals.take_names() == {"/users/mona": 2, "/users/hubot": 1}
        assert totals.take_names() == {}

    def test_are_bounded_and_those_that_are_known_go_on_being_counted(self) -> None:
        totals = Totals()
        for number in range(3000):
            totals.answered(USER._replace(name=f"/users/{number}"), 0.0)
        totals.answered(USER._replace(name="/users/0"), 0.0)
        names = totals.take_names()
        assert len(names) == 2000
        assert names["/users/0"] == 2
        counts = totals.counts()
        assert counts[Measure.REQUESTS, ("on-demand", "waited", "200")] == 3001


@pytest.mark.parametrize(
    ("name", "route"),
    [
        ("/", Route.ROOT),
        ("/orgs/Netflix", Route.ORG),
        ("/orgs/Google/members", Route.MEMBERS),
        ("/orgs/Netflix/repos", Route.REPOS),
    ],
)
def test_a_tracked_resource_has_its_template(name: str, route: Route) -> None:
    assert route_of(tracked(name)) is route


def test_every_tracked_resource_has_a_route_and_all_others_share_one() -> None:
    assert Route.ON_DEMAND not in map(route_of, CATALOGUE.tracked)
    for name in ("/orgs/github", "/users/a/repos", "/repos/a/b", "/orgs/Netflix/repos?type=forks"):
        assert route_of(on_demand(name)) is Route.ON_DEMAND


@pytest.mark.parametrize(
    ("status", "served"),
    [
        *((200, Served.OWN), (202, Served.OWN), (204, Served.OWN), (303, Served.OWN)),
        *((400, Served.REFUSED), (404, Served.REFUSED), (499, Served.REFUSED)),
        *((503, Served.UNAVAILABLE), (500, Served.FAILED), (502, Served.FAILED)),
    ],
)
def test_what_is_no_content_is_counted_by_its_status(status: int, served: Served) -> None:
    assert served_by_status(status) is served
