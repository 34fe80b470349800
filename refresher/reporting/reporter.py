"""How a refresh ended, told to all who want to know: the log, the counts, the status page."""

import json
import logging
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from redis import Redis, RedisError

from refresher.reporting.meter import Meter
from shared import refresh_report
from shared.failure import Failure
from shared.measures import Measure
from shared.outcomes import RefreshOutcome
from shared.redis import keys
from shared.redis.store import EntryState
from shared.refresh_report import RefreshReport, kind_of
from shared.resources.operations.shapes import public_shapes
from shared.resources.resource import Resource

log = logging.getLogger("refresher")

_MOST_UNKNOWN = 500  # keys of answers that are remembered
_MOST_NAMED = 10  # of them in a line of the log
_LONGEST_UNKNOWN = 300  # characters of one
_KEEP_UNKNOWN = timedelta(days=7)  # after the last one was seen
_KEEP_PROGRESS = timedelta(minutes=1)
_BAD = frozenset({RefreshOutcome.FAILED, RefreshOutcome.BROKEN, RefreshOutcome.NO_LOCK})


@dataclass(frozen=True)
class Ended:
    """How a refresh ended.

    Args:
        outcome: in a word.
        look: what was known before; None where nobody looked.
        failure: its record, where it failed.
        pages: of a list that was read.
    """

    outcome: RefreshOutcome
    state: EntryState | None = None
    failure: Failure | None = None
    pages: int | None = None


@dataclass
class Running:
    """A refresh that is under way; whoever makes it says how it ended."""

    ended: Ended = field(default_factory=lambda: Ended(RefreshOutcome.BROKEN))


@dataclass(frozen=True)
class Reporter:
    """Reports the refreshes of one job; a Redis that is away ends none of them.

    Args:
        redis: where the status page finds them.
        meter: counts what they cost.
        keep_s: seconds that the record of an on-demand resource is kept.
        request_id: of the client's request that the job was asked for with.
        job_id: RQ's.
    """

    redis: Redis
    meter: Meter
    keep_s: int
    request_id: str | None = None
    job_id: str | None = None

    @contextmanager
    def reporting(self, resource: Resource) -> Iterator[Running]:
        """Report the refresh that is made inside the block, also when it raises."""
        began, running = time.monotonic(), Running()
        with self.meter.expense() as expense:
            try:
                yield running
            finally:
                ended, failure = running.ended, running.ended.failure
                metadata = ended.state.metadata if ended.state else None
                now = time.time()
                report = RefreshReport(
                    at=now,
                    resource=resource.name,
                    outcome=ended.outcome,
                    seconds=round(time.monotonic() - began, 3),
                    requests=expense.requests,
                    not_modified=expense.not_modified,
                    age=round(max(0.0, now - metadata.validated_at), 1) if metadata else None,
                    status=expense.status,
                    left=expense.left,
                    pages=ended.pages,
                    request_id=self.request_id,
                    job_id=self.job_id,
                )
                if failure is not None:
                    report = replace(
                        report,
                        kind=failure.kind,
                        reason=failure.reason,
                        status=failure.status if failure.status is not None else report.status,
                        attempts=failure.attempts,
                        retry_at=failure.retry_at,
                    )
                self._tell(resource, report)

    def progress(self, resource: Resource, page: int, pages: int) -> None:
        """Say how far the reading of a list has come."""
        text = json.dumps({"page": page, "pages": pages})
        with suppress(RedisError):
            self.redis.set(keys.progress(resource), text, ex=_KEEP_PROGRESS)

    def note_dropped(self, operation: str, places: Collection[str]) -> None:
        """Report keys of GitHub's answers that nobody has said to be public, once for the fleet.

        Args:
            operation: GitHub's id of what was asked for.
            places: where keys were dropped, as `owner.plan`.
        """
        shapes = public_shapes()
        unknown = sorted(place for place in places if not shapes.is_withheld(place))
        if not unknown:
            return
        now = time.time()
        with suppress(RedisError):
            room = _MOST_UNKNOWN - self.redis.hlen(keys.UNKNOWN_FIELDS)
            if room <= 0:
                return
            noted = unknown[:room]
            with self.redis.pipeline(transaction=False) as pipeline:
                for place in noted:
                    name = f"{operation} {place}"[:_LONGEST_UNKNOWN]
                    pipeline.hset(keys.UNKNOWN_FIELDS, name, str(now))
                pipeline.expire(keys.UNKNOWN_FIELDS, _KEEP_UNKNOWN)
                is_new = pipeline.execute()
            new = [place for place, one in zip(noted, is_new, strict=False) if one]
            if new:
                log.warning(
                    "GitHub's answer to %s has keys that no public shape has; they are dropped: %s",
                    operation,
                    ", ".join(new[:_MOST_NAMED]),
                )

    def _tell(self, resource: Resource, report: RefreshReport) -> None:
        log.log(
            logging.WARNING if report.outcome in _BAD else logging.INFO,
            "refresh of %s: %s",
            report.resource,
            report.outcome if report.reason is None else f"{report.outcome}: {report.reason}",
            extra={"fields": json.loads(report.to_json())},
        )
        self.meter.count(Measure.REFRESHES, kind_of(resource), report.outcome)
        if report.kind is not None:
            self.meter.count(Measure.FAILURES, report.kind)
        if not report.is_event:
            return
        self.meter.time(Measure.REFRESH_SECONDS, report.seconds)
        with suppress(RedisError), self.redis.pipeline() as pipeline:
            refresh_report.note(pipeline, resource, report, keep_s=self.keep_s)
            pipeline.delete(keys.progress(resource))
            pipeline.execute()
