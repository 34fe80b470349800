"""Reports of refreshes: stored as JSON, in a record and in a timeline of limited length."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from shared import refresh_report
from shared.errors import UnreadableError
from shared.outcomes import FailureKind, RefreshOutcome
from shared.redis import keys
from shared.refresh_report import (
    KINDS,
    ON_DEMAND,
    TIMELINE_LENGTH,
    TRACKED,
    Record,
    RefreshReport,
    ask_for_record,
    kind_of,
    note,
    record_from,
    timeline,
)
from shared.resources.resource import Resource
from tests.builders import NOW, on_demand, tracked

ORG, USER = tracked("/orgs/Netflix"), on_demand("/users/mona")
KEEP = 660

seconds = st.floats(0, 4e9)
numbers = st.integers(0, 2**53)
texts = st.text()
reports = st.builds(
    RefreshReport,
    at=seconds,
    resource=texts,
    outcome=st.sampled_from(RefreshOutcome),
    seconds=seconds,
    requests=numbers,
    not_modified=numbers,
    age=st.none() | seconds,
    status=st.none() | numbers,
    left=st.none() | numbers,
    pages=st.none() | numbers,
    kind=st.none() | st.sampled_from(FailureKind),
    reason=st.none() | texts,
    attempts=st.none() | numbers,
    retry_at=st.none() | seconds,
    request_id=st.none() | texts,
    job_id=st.none() | texts,
)


def make_report(resource: Resource = ORG, at: float = NOW, **known: object) -> RefreshReport:
    defaults: dict[str, object] = {"outcome": RefreshOutcome.UPDATED, "seconds": 0.5}
    return RefreshReport(at=at, resource=resource.name, **{**defaults, **known})  # type: ignore[arg-type]


def keep(redis: Redis, resource: Resource, *several: RefreshReport) -> None:
    """Note reports as refreshers do."""
    with redis.pipeline() as pipeline:
        for report in several:
            note(pipeline, resource, report, keep_s=KEEP)
        pipeline.execute()


def record_of(redis: Redis, resource: Resource) -> Record:
    with redis.pipeline() as pipeline:
        ask_for_record(pipeline, resource)
        return record_from(pipeline.execute()[0])


@given(reports)
def test_a_report_comes_back_from_json_as_it_was(report: RefreshReport) -> None:
    text = report.to_json()
    assert RefreshReport.from_json(text) == report
    assert RefreshReport.from_json(text.encode()) == report
    assert "\n" not in text


@given(reports)
def test_unknown_values_are_not_in_the_json(report: RefreshReport) -> None:
    assert None not in json.loads(report.to_json()).values()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "5",
        '"x"',
        "{}",
        b"\xff",
        '{"at": 1, "resource": "/", "outcome": "updated"}',
        '{"at": 1, "resource": "/", "outcome": "magic", "seconds": 1}',
        '{"at": 1, "resource": "/", "outcome": "failed", "seconds": 1, "kind": "magic"}',
        '{"at": 1, "resource": "/", "outcome": "updated", "seconds": 1, "tomorrow": 1}',
    ],
)
def test_any_other_text_is_unreadable(text: bytes | str) -> None:
    with pytest.raises(UnreadableError):
        RefreshReport.from_json(text)


def test_an_event_requested_something_or_should_have() -> None:
    events = {outcome for outcome in RefreshOutcome if make_report(outcome=outcome).is_event}
    assert events == {
        *(RefreshOutcome.UPDATED, RefreshOutcome.UNCHANGED, RefreshOutcome.FAILED),
        RefreshOutcome.NOT_READY,
        *(RefreshOutcome.FENCED, RefreshOutcome.BROKEN, RefreshOutcome.NO_LOCK),
        *(RefreshOutcome.DOUBTED, RefreshOutcome.OLDER),
    }


def test_a_resource_is_tracked_or_on_demand() -> None:
    assert (kind_of(ORG), kind_of(USER)) == (TRACKED, ON_DEMAND)
    assert set(KINDS) == {TRACKED, ON_DEMAND}


class TestRecord:
    """The history of a resource's refreshes."""

    def test_of_none_is_empty(self, redis: Redis) -> None:
        assert record_of(redis, ORG) == Record()

    def test_has_the_last_report_and_the_sums_of_all(self, redis: Redis) -> None:
        first = make_report(requests=3)
        last = make_report(outcome=RefreshOutcome.UNCHANGED, requests=3, not_modified=2)
        keep(redis, ORG, first, last)
        keep(redis, USER, make_report(USER, requests=1))
        assert record_of(redis, ORG) == Record(last, refreshes=2, requests=6, not_modified=2)

    @pytest.mark.parametrize("damage", [b"", b"x", b"nan", b"\xff", b"9" * 400])
    def test_has_no_counts_where_they_are_damaged(self, damage: bytes) -> None:
        assert record_from([None, damage, damage, b"3", damage]).requests == 0
        assert record_from([None, damage, damage, b"3", b"5.5"]) == Record(
            not_modified=3, rests_until=5.5
        )

    def test_of_another_version_has_its_counts(self, redis: Redis) -> None:
        keep(redis, ORG, make_report(requests=3))
        redis.hset(keys.record(ORG), "last", "{}")
        assert record_of(redis, ORG) == Record(None, refreshes=1, requests=3)

    @pytest.mark.parametrize(("resource", "expiry"), [(ORG, 30 * 24 * 3600), (USER, KEEP)])
    def test_expires_after_a_month_or_with_its_resource(
        self, redis: Redis, resource: Resource, expiry: int
    ) -> None:
        keep(redis, resource, make_report(resource))
        redis.expire(keys.record(resource), 1)
        keep(redis, resource, make_report(resource))
        assert expiry - 300 <= redis.ttl(keys.record(resource)) <= expiry


class TestTimeline:
    """The latest reports of both kinds."""

    def test_is_empty_at_first(self, redis: Redis) -> None:
        assert timeline(redis) == []

    def test_has_the_newest_first_of_both_kinds(self, redis: Redis) -> None:
        one, three = (make_report(at=NOW + n) for n in (1, 3))
        two, four = (make_report(USER, NOW + n) for n in (2, 4))
        keep(redis, ORG, one, three)
        keep(redis, USER, two, four)
        assert timeline(redis) == [four, three, two, one]

    def test_keeps_a_hundred_of_each_kind_so_that_neither_pushes_out_the_other(
        self, redis: Redis
    ) -> None:
        keep(redis, ORG, *(make_report(at=NOW + n) for n in range(5)))
        keep(redis, USER, *(make_report(USER, NOW + n) for n in range(TIMELINE_LENGTH + 20)))
        found = timeline(redis)
        assert [report.at for report in found if report.resource == USER.name] == [
            NOW + n for n in reversed(range(20, TIMELINE_LENGTH + 20))
        ]
        assert sum(report.resource == ORG.name for report in found) == 5
        assert redis.llen(keys.timeline(ON_DEMAND)) == TIMELINE_LENGTH

    def test_leaves_out_what_another_version_wrote(self, redis: Redis) -> None:
        keep(redis, ORG, make_report())
        redis.lpush(keys.timeline(TRACKED), "{}", "\xff")
        assert timeline(redis) == [make_report()]


def test_a_record_of_no_fields_is_empty() -> None:
    assert record_from([None] * len(refresh_report._RECORD_FIELDS)) == Record()
