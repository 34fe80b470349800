"""What a refresh reports when it ends: one record for the log, the timeline and the status page."""

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

TRACKED, ON_DEMAND = "tracked", "on-demand"
KINDS = (TRACKED, ON_DEMAND)
TIMELINE_LENGTH = 100  # reports of each kind
_KEEP_RECORD_S = 30 * 24 * 3600

# What asked the origin, or should have: the others would only fill the timeline.
_EVENTS = frozenset(
    {
        *(RefreshOutcome.UPDATED, RefreshOutcome.UNCHANGED, RefreshOutcome.FAILED),
        *(RefreshOutcome.FENCED, RefreshOutcome.BROKEN, RefreshOutcome.NO_LOCK),
    }
)


def kind_of(resource: Resource) -> str:
    """Which of `KINDS` a resource is of."""
    return TRACKED if resource.tracked else ON_DEMAND


@dataclass(frozen=True)
class RefreshReport:
    """How one refresh ended.

    Args:
        at: Unix time in seconds of its end.
        resource: `Resource.name`.
        outcome: how it ended.
        seconds: that it took.
        requests: to the origin.
        not_modified: of these, those that were answered 304.
        age: seconds since the stored content was confirmed before; None where there was none.
        status: the origin's last HTTP status; None where it was not asked, or did not answer.
        left: what is left of the credential's rate limit, where the origin said.
        pages: of a list.
        kind: why it failed; None unless it did.
        reason: the same in one line for a person; never holds a secret.
        attempts: failures in a row.
        retry_at: Unix time in seconds of the next try after a failure.
        request_id: of the client's request that it was asked for with.
        job_id: RQ's.
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
        """Whether it stands in the timeline: the others did nothing."""
        return self.outcome in _EVENTS

    def to_json(self) -> str:
        """The report as it is stored and logged."""
        return json.dumps({name: one for name, one in asdict(self).items() if one is not None})

    @classmethod
    def from_json(cls, text: bytes | str) -> "RefreshReport":
        """The inverse of `to_json`.

        Raises:
            UnreadableError: it is not what `to_json` gave.
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
    """How a resource's refreshes went so far.

    Args:
        last: of those that asked the origin, the last one; None where there was none.
        refreshes: that asked the origin.
        requests: to the origin.
        not_modified: of these, those that were answered 304.
    """

    last: RefreshReport | None = None
    refreshes: int = 0
    requests: int = 0
    not_modified: int = 0


_RECORD_FIELDS = ("last", "refreshes", "requests", "not_modified")


def note(pipeline: Pipeline, resource: Resource, report: RefreshReport, *, keep_s: int) -> None:
    """Have a pipeline keep a report in the resource's record and in the timeline.

    Args:
        pipeline: of commands.
        resource: what was refreshed.
        report: of an event.
        keep_s: seconds that the record of an on-demand resource is kept.
    """
    text, record = report.to_json(), keys.record(resource)
    pipeline.hset(record, "last", text)
    pipeline.hincrby(record, "refreshes", 1)
    pipeline.hincrby(record, "requests", report.requests)
    pipeline.hincrby(record, "not_modified", report.not_modified)
    pipeline.expire(record, _KEEP_RECORD_S if resource.tracked else keep_s)
    timeline = keys.timeline(kind_of(resource))
    pipeline.lpush(timeline, text)
    pipeline.ltrim(timeline, 0, TIMELINE_LENGTH - 1)


def ask_for_record(pipeline: Pipeline, resource: Resource) -> None:
    """Have a pipeline read a record; `record_from` understands the answer."""
    pipeline.hmget(keys.record(resource), _RECORD_FIELDS)


def record_from(values: Sequence[bytes | None]) -> Record:
    """The record in the answer that `ask_for_record` asked for."""
    last, *counts = values
    refreshes, requests, not_modified = (int(count or 0) for count in counts)
    return Record(_report(last), refreshes, requests, not_modified)


def timeline(redis: Redis) -> list[RefreshReport]:
    """The latest reports of both kinds, the newest first; may raise `redis.RedisError`."""
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
