"""Reports how a refresh ended: to the log, to the counters, and to Redis for the status page."""

import json
import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from redis import Redis, RedisError

from refresher.reporting.meter import Expense, Expenses, Meter
from refresher.spacing import Spacing
from shared.clock import Clock
from shared.failure import Failure
from shared.measures import Measure
from shared.outcomes import RefreshOutcome
from shared.redis import keys
from shared.redis.entry_state import EntryState
from shared.refresh_report import UNKNOWN_FIELDS_KEPT_S, RefreshReport, kind_of
from shared.resources.operations.shapes import public_shapes
from shared.resources.resource import Resource

log = logging.getLogger("refresher")

_MOST_UNKNOWN = 500  # unknown fields that are remembered
_MOST_NAMED = 10  # of them in one line of the log
_LONGEST_UNKNOWN = 300  # characters of one
_KEEP_PROGRESS = timedelta(minutes=1)
_BAD = frozenset({RefreshOutcome.FAILED, RefreshOutcome.BROKEN, RefreshOutcome.NO_LOCK})


@dataclass(frozen=True)
class Ended:
    """How a refresh ended.

    Args:
        outcome: of the refresh.
        state: of the entry before; None if it was not read.
        failure: its record; None unless it failed.
        pages: number of pages that were read; None if none were.
        note: for people: what is doubted, or believed after all; empty for nothing.
        pause: seconds for which the resource rests at least.
    """

    outcome: RefreshOutcome
    state: EntryState | None = None
    failure: Failure | None = None
    pages: int | None = None
    note: str = ""
    pause: float = 0


@dataclass
class Running:
    """A refresh in progress. Its code sets `ended`; otherwise it counts as broken."""

    ended: Ended = field(default_factory=lambda: Ended(RefreshOutcome.BROKEN))


@dataclass(frozen=True)
class Cause:
    """What caused a job.

    Args:
        job_id: RQ's id of the job; None outside of a job.
        request_id: of the client's request; None if there was none.
        client: address of the client that waits; None if no client does.
    """

    job_id: str | None = None
    request_id: str | None = None
    client: str | None = None


NO_CAUSE = Cause()


@dataclass(frozen=True)
class Reporter:
    """Reports the refreshes of one job. No refresh fails because Redis is unavailable.

    Args:
        redis: holds the records for the status page.
        meter: counts, for the fleet.
        expenses: cost of the refreshes of this job.
        clock: the process's clock.
        keep_s: seconds for which the record of an on-demand resource is kept.
        spacing: how long a resource rests after a refresh; None if it does not rest.
        cause: what caused the job.
    """

    redis: Redis
    meter: Meter
    expenses: Expenses
    clock: Clock
    keep_s: int
    spacing: Spacing | None = None
    cause: Cause = NO_CAUSE

    @contextmanager
    def reporting(self, resource: Resource) -> Iterator[Running]:
        """Report the refresh inside the block, even if it raises."""
        began, running = self.clock.monotonic(), Running()
        with self.expenses.expense() as expense:
            try:
                yield running
            finally:
                seconds = round(self.clock.monotonic() - began, 3)
                report = report_of(
                    resource, running.ended, expense, at=self.clock.now(), seconds=seconds
                )
                self._publish(
                    resource,
                    replace(report, request_id=self.cause.request_id, job_id=self.cause.job_id),
                    pause=running.ended.pause,
                )

    def progress(self, resource: Resource, page: int, pages: int) -> None:
        """Publish how many pages of a list have been read."""
        text = json.dumps({"page": page, "pages": pages})
        with suppress(RedisError):
            self.redis.set(keys.progress(resource), text, ex=_KEEP_PROGRESS)

    def note_dropped(self, operation: str, places: Collection[str]) -> None:
        """Report unknown fields of GitHub's responses, once for the fleet.

        Unknown are the fields that no public shape has, and that are not known to be withheld.

        Args:
            operation: GitHub's id of the operation.
            places: fields that were dropped, such as `owner.plan`.
        """
        shapes = public_shapes()
        unknown = sorted(place for place in places if not shapes.is_withheld(place))
        if not unknown:
            return
        now = self.clock.now()
        with suppress(RedisError):
            free = _MOST_UNKNOWN - self.redis.hlen(keys.UNKNOWN_FIELDS)
            if free <= 0:
                return
            noted = unknown[:free]
            with self.redis.pipeline(transaction=False) as pipeline:
                for place in noted:
                    name = f"{operation} {place}"[:_LONGEST_UNKNOWN]
                    pipeline.hset(keys.UNKNOWN_FIELDS, name, str(now))
                pipeline.expire(keys.UNKNOWN_FIELDS, UNKNOWN_FIELDS_KEPT_S)
                is_new = pipeline.execute()
            new = [place for place, one in zip(noted, is_new, strict=False) if one]
            if new:
                log.warning(
                    "GitHub's response to %s has fields that no public shape has; dropped: %s",
                    operation,
                    ", ".join(new[:_MOST_NAMED]),
                )

    def _publish(self, resource: Resource, report: RefreshReport, *, pause: float) -> None:
        log.log(
            logging.WARNING if report.outcome in _BAD or report.reason else logging.INFO,
            "refresh of %s: %s",
            report.resource,
            report.outcome if report.reason is None else f"{report.outcome}: {report.reason}",
            extra={"fields": json.loads(report.to_json())},
        )
        self.meter.count(Measure.REFRESHES, kind_of(resource), report.outcome)
        if report.kind is not None:
            self.meter.count(Measure.FAILURES, report.kind)
        if report.requests:
            self.meter.spend(resource, self.cause.client, report.requests)
        if not report.is_event:
            return
        self.meter.time(Measure.REFRESH_SECONDS, report.seconds)
        if self.spacing is not None and report.requests:
            # The process was stopped, and another refresher has gone on: its refresh counts.
            is_fenced = report.outcome == RefreshOutcome.FENCED
            seconds = 0.0 if is_fenced else report.seconds
            pause = max(pause, self.spacing.pause(seconds, report.requests))
        self.meter.report(resource, report, keep_s=self.keep_s, pause=pause)


def report_of(
    resource: Resource, ended: Ended, expense: Expense, *, at: float, seconds: float
) -> RefreshReport:
    """The report of a refresh.

    Args:
        resource: that was refreshed.
        ended: how it ended.
        expense: what it cost.
        at: Unix time in seconds of its end.
        seconds: its duration.
    """
    metadata = ended.state.metadata if ended.state else None
    report = RefreshReport(
        at=at,
        resource=resource.name,
        outcome=ended.outcome,
        seconds=seconds,
        requests=expense.requests,
        not_modified=expense.not_modified,
        age=round(max(0.0, at - metadata.validated_at), 1) if metadata else None,
        status=expense.status,
        left=expense.left,
        pages=ended.pages,
        reason=ended.note or None,
    )
    failure = ended.failure
    if failure is None:
        return report
    return replace(
        report,
        kind=failure.kind,
        reason=failure.reason,
        status=failure.status if failure.status is not None else report.status,
        attempts=failure.attempts,
        retry_at=failure.retry_at,
    )
