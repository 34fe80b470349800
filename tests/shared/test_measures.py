"""Counters by measure and labels, histograms, and the refreshers' sums in Redis."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from shared import measures
from shared.measures import (
    BOUNDS,
    BUCKETS,
    SUM,
    Counted,
    Histogram,
    Labels,
    Measure,
    Measures,
    bucket_of,
    field_of,
    parse,
)
from shared.redis import keys

durations = st.floats(0, 1e6)
words = st.text(st.sampled_from("abz019-./{}_ "), min_size=1)
labels = st.lists(words, max_size=3).map(tuple)
timed = st.sampled_from(sorted(BUCKETS))


@pytest.mark.parametrize("measure", BUCKETS)
def test_buckets_grow_and_the_last_one_has_no_bound(measure: Measure) -> None:
    assert all(lower < upper for lower, upper in pairwise(BOUNDS[measure]))
    assert BUCKETS[measure][-1] == "+Inf"


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [
        (0.0, "0.05"),
        (0.05, "0.05"),  # Prometheus: less than or equal
        (0.0500001, "0.1"),
        (0.7, "1"),
        (60.0, "60"),
        (60.1, "+Inf"),
        (1e9, "+Inf"),
    ],
)
def test_golden_buckets(seconds: float, bucket: str) -> None:
    assert bucket_of(Measure.ORIGIN_SECONDS, seconds) == bucket


@given(timed, durations)
def test_a_duration_falls_into_the_first_bucket_that_is_not_below_it(
    measure: Measure, seconds: float
) -> None:
    label = bucket_of(measure, seconds)
    at = BUCKETS[measure].index(label)
    assert seconds <= BOUNDS[measure][at]
    assert at == 0 or seconds > BOUNDS[measure][at - 1]


@given(timed, labels, st.lists(durations, min_size=1))
def test_a_histogram_counts_for_each_bound_what_is_at_most_that(
    measure: Measure, known: Labels, seen: list[float]
) -> None:
    counts: dict[Labels, float] = {(*known, SUM): sum(seen)}
    for seconds in seen:
        labelled = (*known, bucket_of(measure, seconds))
        counts[labelled] = counts.get(labelled, 0) + 1
    histogram = Measures({measure: counts}).histograms(measure)
    expected = [
        (label, sum(seconds <= bound for seconds in seen))
        for label, bound in zip(BUCKETS[measure], BOUNDS[measure], strict=True)
    ]
    assert histogram == {known: Histogram(expected, sum(seen))}
    assert expected[-1] == ("+Inf", len(seen))


def test_without_counts_there_is_no_histogram() -> None:
    assert Measures({}).histograms(Measure.ORIGIN_SECONDS) == {}
    assert Measures({}).of(Measure.REQUESTS) == {}


@given(st.dictionaries(st.tuples(st.sampled_from(Measure), labels), st.floats(0, 1e9)))
def test_a_counter_is_found_by_its_field(counts: dict[Counted, float]) -> None:
    parsed = parse((field_of(*counted), value) for counted, value in counts.items())
    found = {(m, known): n for m, of in parsed.counts.items() for known, n in of.items()}
    assert found == counts


def test_an_unknown_measure_is_left_out() -> None:
    parsed = parse([("tomorrows|x", 1.0), ("", 2.0), ("points|anonymous", 3.0)])
    assert parsed.counts == {Measure.POINTS: {("anonymous",): 3.0}}


class TestInRedis:
    """One hash of the whole fleet."""

    def add(self, redis: Redis, counts: dict[Counted, float]) -> None:
        with redis.pipeline() as pipeline:
            measures.add(pipeline, counts)
            pipeline.execute()

    def test_what_several_refreshers_add_is_summed(self, redis: Redis) -> None:
        points, seconds = (Measure.POINTS, ("abc",)), (Measure.ORIGIN_SECONDS, (SUM,))
        self.add(redis, {points: 2, seconds: 0.25})
        self.add(redis, {points: 3, seconds: 0.5, (Measure.FAILURES, ("timeout",)): 1})
        assert measures.read(redis).counts == {
            Measure.POINTS: {("abc",): 5},
            Measure.ORIGIN_SECONDS: {(SUM,): 0.75},
            Measure.FAILURES: {("timeout",): 1},
        }

    def test_an_empty_one_has_no_counters(self, redis: Redis) -> None:
        assert measures.read(redis) == Measures({})

    def test_adding_nothing_changes_nothing(self, redis: Redis) -> None:
        self.add(redis, {})
        assert redis.keys() == []

    def test_fields_that_this_version_does_not_know_are_left_as_they_are(
        self, redis: Redis
    ) -> None:
        redis.hset(keys.MEASURES, "tomorrows|x", 7)
        self.add(redis, {(Measure.ANNOUNCEMENTS, ()): 1})
        assert measures.read(redis).counts == {Measure.ANNOUNCEMENTS: {(): 1}}
        assert redis.hget(keys.MEASURES, "tomorrows|x") == b"7"
