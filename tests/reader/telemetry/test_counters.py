"""Answers are counted exactly, whichever thread sends them."""

import collections
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader.telemetry.counters import (
    QUICK,
    Counter,
    Counters,
    LocalCounters,
    RequestLabels,
    Route,
    served_by_status,
)
from shared.measures import BUCKETS, SUM, Counted, Measure, Measures, bucket_of
from shared.outcomes import Served

HIT = RequestLabels("/orgs/{org}", Served.LOCAL, 200)
STALE = RequestLabels("/orgs/{org}", Served.LOCAL, 200, is_stale=True)
USER = RequestLabels("on-demand", Served.WAITED, 200, name="/users/mona")
QUICKEST = BUCKETS[Measure.REQUEST_SECONDS][0]

kinds = st.builds(
    RequestLabels,
    st.sampled_from(Route),
    st.sampled_from(Served),
    st.sampled_from([200, 304, 404]),
    st.booleans(),
    st.none() | st.sampled_from(["/users/a", "/users/b"]),
)
answers = st.lists(st.tuples(kinds, st.floats(0, 100)), max_size=40)


def expected(sent: list[tuple[RequestLabels, float]]) -> dict[Counted, float]:
    """The counts of answers, each looked at by itself."""
    counts: collections.Counter[Counted] = collections.Counter()
    for labels, seconds in sent:
        counts[Measure.REQUESTS, (labels.route, labels.served, str(labels.status))] += 1
        bucket = bucket_of(Measure.REQUEST_SECONDS, seconds)
        counts[Measure.REQUEST_SECONDS, (labels.served, bucket)] += 1
        if labels.is_stale:
            counts[Measure.STALE, (labels.route,)] += 1
    return dict(counts)


def without_sums(counts: dict[Counted, float]) -> dict[Counted, float]:
    return {known: n for known, n in counts.items() if n and known[1][-1:] != (SUM,)}


@given(answers)
def test_counters_add_up_to_what_was_sent(sent: list[tuple[RequestLabels, float]]) -> None:
    local_counters, counters = LocalCounters(), Counters()
    for number, (labels, seconds) in enumerate(sent):
        local_counters.of(labels).count(seconds)
        if number % 7 == 3:
            counters.add(local_counters.take())
    counters.add(local_counters.take())
    counts = dict(counters.counts())
    assert without_sums(counts) == expected(sent)
    for served in Served:
        took = sum(seconds for labels, seconds in sent if labels.served is served)
        total = counts.get((Measure.REQUEST_SECONDS, (served, SUM)), 0)
        assert total == pytest.approx(took)


@given(answers)
def test_one_by_one_they_add_up_to_the_same(sent: list[tuple[RequestLabels, float]]) -> None:
    counters = Counters()
    for labels, seconds in sent:
        counters.answered(labels, seconds)
    assert without_sums(dict(counters.counts())) == expected(sent)


@given(answers)
def test_every_answer_is_in_the_histogram(sent: list[tuple[RequestLabels, float]]) -> None:
    counters = Counters()
    for labels, seconds in sent:
        counters.answered(labels, seconds)
    counts: dict[tuple[str, ...], float] = {}
    for (measure, key), number in counters.counts().items():
        if measure is Measure.REQUEST_SECONDS:
            counts[key] = number
    histograms = Measures({Measure.REQUEST_SECONDS: counts}).histograms(Measure.REQUEST_SECONDS)
    counted = collections.Counter(labels.served for labels, _ in sent)
    assert {labels[0]: one.buckets[-1][1] for labels, one in histograms.items()} == counted


def test_golden_counts() -> None:
    counters = Counters()
    counters.answered(HIT, QUICK)
    counters.answered(STALE, QUICK * 1.01)
    counters.answered(USER, 1.5)
    assert counters.counts() == {
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


def test_labels_have_one_counter_until_they_are_taken() -> None:
    local_counters = LocalCounters()
    first = local_counters.of(HIT)
    assert local_counters.of(RequestLabels(*HIT)) is first
    assert local_counters.of(STALE) is not first
    assert first in local_counters.take()
    assert local_counters.of(HIT) is not first


def test_what_was_taken_is_not_taken_again() -> None:
    local_counters = LocalCounters()
    local_counters.of(HIT).count(0.0)
    assert [counter.requests for counter in local_counters.take()] == [1]
    assert local_counters.take() == []


def test_a_counter_of_nothing_counts_nothing() -> None:
    counters = Counters()
    counters.add([Counter(HIT)])
    assert counters.counts() == {}


def test_threads_lose_no_count() -> None:
    counters = Counters()

    def count(_: int) -> None:
        for _ in range(500):
            counters.answered(HIT, 0.0)
            counters.count(Measure.REDIS_READS, "look", by=3)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count, range(8)))
    counts = counters.counts()
    assert counts[Measure.REQUESTS, ("/orgs/{org}", "local", "200")] == 4000
    assert counts[Measure.REDIS_READS, ("look",)] == 12_000


class TestNames:
    """Which on-demand resources were asked for, and how often."""

    def test_are_counted_until_they_are_taken(self) -> None:
        counters = Counters()
        for labels in (USER, USER, USER._replace(name="/users/hubot"), HIT):
            counters.answered(labels, 0.0)
        assert counters.take_names() == {"/users/mona": 2, "/users/hubot": 1}
        assert counters.take_names() == {}

    def test_are_bounded_and_those_that_are_known_go_on_being_counted(self) -> None:
        counters = Counters()
        for number in range(3000):
            counters.answered(USER._replace(name=f"/users/{number}"), 0.0)
        counters.answered(USER._replace(name="/users/0"), 0.0)
        names = counters.take_names()
        assert len(names) == 2000
        assert names["/users/0"] == 2
        counts = counters.counts()
        assert counts[Measure.REQUESTS, ("on-demand", "waited", "200")] == 3001


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
