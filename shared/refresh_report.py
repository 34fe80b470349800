"""The report of a refresh: one record for the log, the timeline and the status page."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import cast

from redis import Redis
from redis.client import Pipeline

from shared.errors import UnreadableError
from shared.outcomes import FailureKind, RefreshOutcome
from shared.redis import keys
from shared.resources.resource import Resource
from shared.stored_numbers import count_of
from shared.time_bounds import time_of

TRACKED, ON_DEMAND = "tracked", "on-demand"
KINDS = (TRACKED, ON_DEMAND)
TIMELINE_LENGTH = 100  # reports of each kind
_KEEP_RECORD_S = 30 * 24 * 3600
# Seconds for which a key of GitHub's responses that no public shape has is reported after it was
# last seen: a release that knows the key may run by then.
UNKNOWN_FIELDS_KEPT_S = 7 * 24 * 3600

# Outcomes that requested something from the origin, or should have; others would fill the timeline.
_EVENTS = frozenset(
    {
        *(RefreshOutcome.UPDATED, RefreshOutcome.UNCHANGED, RefreshOutcome.FAILED),
        RefreshOutcome.NOT_READY,
        *(RefreshOutcome.FENCED, RefreshOutcome.BROKEN, RefreshOutcome.NO_LOCK),
        *(RefreshOutcome.DOUBTED, RefreshOutcome.OLDER),
    }
)


def kind_of(resource: Resource) -> str:
    """The kind of a resource, one of `KINDS`."""
    return TRACKED if resource.tracked else ON_DEMAND


@dataclass(frozen=True)
class RefreshReport:
    """How one refresh ended.

    Args:
        at: Unix time in seconds of its end.
        resource: `Resource.name`.
        outcome: how it ended.
        seconds: duration.
        requests: number of requests to the origin.
        not_modified: those of them that were answered with 304.
        age: seconds since the stored content was last confirmed; None if nothing was stored.
        status: the origin's last HTTP status; None without a response.
        left: remaining requests of the credential's rate limit, if the origin reported it.
        pages: number of pages of a list.
        kind: why it failed; None if it did not.
        reason: the same, or what is doubted, in one line for people; never holds a secret.
        attempts: failures in a row.
        retry_at: Unix time in seconds of the next try after a failure.
        request_id: of the client's request that caused it.
        job_id: RQ's id of the job.
    """

    at: float
    resource: str
    outcome: RefreshOutcome
    seconds: float
    requests: int = 0
    not_modified: int = 0
    age: float | None = None
    status: int | None = None
    left: int | None = None
    pages: int | None = None
    kind: FailureKind | None = None
    reason: str | None = None
    attempts: int | None = None
    retry_at: float | None = None
    request_id: str | None = None
    job_id: str | None = None

    @property
    def is_event(self) -> bool:
        """Whether it belongs in the timeline: other refreshes did nothing."""
        return self.outcome in _EVENTS

    def to_json(self) -> str:
        """The report as it is stored and logged."""
        return json.dumps({name: one for name, one in asdict(self).items() if one is not None})

    @classmethod
    def from_json(cls, text: bytes | str) -> "RefreshReport":
        """The inverse of `to_json`.

        Raises:
            UnreadableError: the text is malformed.
        """
        try:
            fields = json.loads(text)
            fields["outcome"] = RefreshOutcome(fields["outcome"])
            if "kind" in fields:
                fields["kind"] = FailureKind(fields["kind"])
            return cls(**fields)
        except (ValueError, KeyError, TypeError) as error:
            raise UnreadableError from error


@dataclass(frozen=True)
class Record:
    """The history of a resource's refreshes.

    Args:
        last: report of the last refresh that requested something from the origin; None without one.
        refreshes: number of refreshes that requested something from the origin.
        requests: number of requests to the origin.
        not_modified: those of them that were answered with 304.
        rests_until: Unix time in seconds before which no further refresh is requested; 0 if the
            resource does not rest.
    """

    last: RefreshReport | None = None
    refreshes: int = 0
    requests: int = 0
    not_modified: int = 0
    rests_until: float = 0.0


_RECORD_FIELDS = ("last", "refreshes", "requests", "not_modified", "rests_until")


def note(
    pipeline: Pipeline,
    resource: Resource,
    report: RefreshReport,
    *,
    keep_s: int,
    rest: float = 0.0,
) -> None:
    """Add a report to the resource's record and to the timeline, in a pipeline.

    Args:
        pipeline: collects the commands.
        resource: what was refreshed.
        report: its report; `is_event` is true.
        keep_s: seconds that the record of an on-demand resource is kept.
        rest: seconds after its end for which no further refresh is requested.
    """
    text, record = report.to_json(), keys.record(resource)
    rests_until = report.at + rest if rest else 0
    pipeline.hset(record, items=["last", text, "rests_until", f"{rests_until:.3f}"])
    pipeline.hincrby(record, "refreshes", 1)
    pipeline.hincrby(record, "requests", report.requests)
    pipeline.hincrby(record, "not_modified", report.not_modified)
    pipeline.expire(record, _KEEP_RECORD_S if resource.tracked else keep_s)
    timeline = keys.timeline(kind_of(resource))
    pipeline.lpush(timeline, text)
    pipeline.ltrim(timeline, 0, TIMELINE_LENGTH - 1)


def ask_for_record(pipeline: Pipeline, resource: Resource) -> None:
    """Add the read of a record to a pipeline; `record_from` parses the reply."""
    pipeline.hmget(keys.record(resource), _RECORD_FIELDS)


def record_from(values: Sequence[bytes | None]) -> Record:
    """The record in the reply to `ask_for_record`."""
    last, *counts, rests_until = values
    refreshes, requests, not_modified = map(count_of, counts)
    return Record(_report(last), refreshes, requests, not_modified, time_of(rests_until))


def timeline(redis: Redis) -> list[RefreshReport]:
    """The latest reports of both kinds, newest first; may raise `redis.RedisError`."""
    with redis.pipeline(transaction=False) as pipeline:
        for kind in KINDS:
            pipeline.lrange(keys.timeline(kind), 0, -1)
        stored = [text for texts in pipeline.execute() for text in cast(list[bytes], texts)]
    reports = [report for report in map(_report, stored) if report is not None]
    return sorted(reports, key=lambda report: -report.at)


def _report(text: bytes | None) -> RefreshReport | None:
    try:
        return None if text is None else RefreshReport.from_json(text)
    except UnreadableError:
        return None
