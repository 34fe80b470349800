"""Counts the requests to GitHub, for the fleet and for each refresh, and writes counts to Redis."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

from redis import Redis, RedisError
from redis.client import Pipeline

from refresher.github.exchange import Exchange
from refresher.github.rate_limit_headers import clock_offset
from shared import measures, refresh_report, spending
from shared.budgets import REMEMBER_S
from shared.clock import Clock
from shared.measures import Labels, Measure
from shared.queue_order import Lane, Priority
from shared.queueing import put_off
from shared.redis import keys
from shared.refresh_report import RefreshReport
from shared.resources.resource import Resource

# Seconds between two flushes at the most; a worker flushes once a second, a work horse at its end.
# If a refresher is killed, the counts since its last flush are lost.
_FLUSH_INTERVAL = 2.0
# Header fields that describe a credential, by the name of their Redis field.
_CREDENTIAL_FIELDS = {
    "scopes": "X-OAuth-Scopes",
    "expires": "GitHub-Authentication-Token-Expiration",
}


@dataclass
class Expense:
    """Cost of one refresh so far.

    Args:
        requests: number of requests to GitHub.
        not_modified: number of 304 responses among them.
        status: of the last response; None if the last request got none.
        left: requests that remain of the credential's rate limit, by the last response that said.
    """

    requests: int = 0
    not_modified: int = 0
    status: int | None = None
    left: int | None = None

    def add(self, exchange: Exchange) -> None:
        """Count a request."""
        self.requests += 1
        self.not_modified += exchange.status == 304
        self.status = exchange.status
        self.left = self.left if exchange.left is None else exchange.left


class Expenses:
    """Cost of the refreshes of one job: of the resource, and of a parent repository inside it."""

    def __init__(self) -> None:
        self._open: list[Expense] = []
        self._lock = Lock()

    @contextmanager
    def expense(self) -> Iterator[Expense]:
        """Cost of the refresh in the block, without nested refreshes (of a parent repository)."""
        self._open.append(Expense())
        try:
            yield self._open[-1]
        finally:
            self._open.pop()

    def observe(self, exchange: Exchange) -> None:
        """Count a request; several threads may call this at once."""
        with self._lock:
            if self._open:
                self._open[-1].add(exchange)


class _Report(NamedTuple):
    """A report that waits to be written; see `Meter.report`."""

    resource: Resource
    report: RefreshReport
    keep_s: int
    pause: float


class Meter:
    """Counts requests and durations; keeps them while Redis is unavailable.

    Args:
        redis: holds the fleet's counts.
        clock: the process's clock.
        is_batched: reports wait for `add_reports` or the next flush, instead of being written
            immediately.
    """

    def __init__(self, redis: Redis, clock: Clock, *, is_batched: bool = False) -> None:
        self._redis = redis
        self._clock = clock
        self._is_batched = is_batched
        self._reports: list[_Report] = []
        self._counts: Counter[tuple[Measure, Labels]] = Counter()
        self._spent: Counter[tuple[str, str]] = Counter()
        self._credentials: dict[str, Mapping[str, str]] = {}
        self._last: Exchange | None = None
        self._offset: float | None = None
        self._lock = Lock()
        self._flushed_at = clock.monotonic()

    def observe(self, exchange: Exchange) -> None:
        """Count a request; several threads may call this at once."""
        with self._lock:
            status = "none" if exchange.status is None else str(exchange.status)
            self._counts[Measure.ORIGIN_REQUESTS, (status,)] += 1
            self._time(Measure.ORIGIN_SECONDS, exchange.seconds)
            if exchange.points:
                self._counts[Measure.POINTS, (exchange.credential.id,)] += exchange.points
            if exchange.status is not None:
                self._last = exchange
                self._offset = clock_offset(exchange.headers, now=self._clock.now())
                fields = {
                    name: exchange.headers[said]
                    for name, said in _CREDENTIAL_FIELDS.items()
                    if said in exchange.headers
                }
                self._credentials[exchange.credential.id] = fields | {"status": status}
        if self._clock.monotonic() - self._flushed_at > _FLUSH_INTERVAL:
            self.flush()

    def count(self, measure: Measure, *labels: str, by: int = 1) -> None:
        """Increase a counter."""
        if by:
            with self._lock:
                self._counts[measure, labels] += by

    def time(self, measure: Measure, seconds: float) -> None:
        """Record a duration."""
        with self._lock:
            self._time(measure, seconds)

    def waited(self, lane: Lane, priority: Priority, seconds: float) -> None:
        """Record how long a job waited in the queue."""
        with self._lock:
            self._time(Measure.QUEUE_SECONDS, seconds, lane, priority)

    def spend(self, resource: Resource, client: str | None, requests: int) -> None:
        """Count the requests of a refresh for those who caused it (`spending.spenders`)."""
        with self._lock:
            for spender in spending.spenders(resource, client):
                self._spent[spender] += requests

    def report(
        self, resource: Resource, report: RefreshReport, *, keep_s: int, pause: float = 0.0
    ) -> None:
        """Write the report of a refresh; it is lost if Redis is unavailable.

        Args:
            resource: that was refreshed.
            report: its report.
            keep_s: seconds for which the record of an on-demand resource is kept.
            pause: seconds until the next refresh of the resource may be requested.
        """
        with self._lock:
            self._reports.append(_Report(resource, report, keep_s, pause))
        if not self._is_batched:
            with suppress(RedisError), self._redis.pipeline() as pipeline:
                self.add_reports(pipeline)
                pipeline.execute()

    def add_reports(self, pipeline: Pipeline) -> None:
        """Add the reports that wait to a pipeline."""
        with self._lock:
            reports, self._reports = self._reports, []
        for one in reports:
            refresh_report.note(
                pipeline, one.resource, one.report, keep_s=one.keep_s, rest=one.pause
            )
            pipeline.delete(keys.progress(one.resource))
            if one.pause:
                put_off(pipeline, one.resource, seconds=one.pause)

    def flush(self) -> None:
        """Write everything to Redis; if it is unavailable, keep the counts for the next flush."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            spent, self._spent = self._spent, Counter()
            last, self._last = self._last, None
            credentials, self._credentials = self._credentials, {}
            self._flushed_at = self._clock.monotonic()
        try:
            with self._redis.pipeline() as pipeline:
                measures.add(pipeline, counts)
                spending.add(pipeline, spent, now=self._clock.now())
                self.add_reports(pipeline)
                if last is not None:
                    pipeline.hset(keys.ORIGIN, items=self._origin(last))
                for credential, fields in credentials.items():
                    pipeline.hset(
                        keys.credential(credential),
                        items=[part for pair in fields.items() for part in pair],
                    )
                    pipeline.expire(keys.credential(credential), REMEMBER_S)
                pipeline.execute()
        except RedisError:
            with self._lock:
                self._counts.update(counts)
                self._spent.update(spent)

    def _origin(self, last: Exchange) -> list[str | float]:
        said: list[str | float] = ["answered_at", self._clock.now(), "status", last.status or 0]
        return said if self._offset is None else [*said, "clock_offset", self._offset]

    def _time(self, measure: Measure, seconds: float, *labels: str) -> None:
        self._counts[measure, (*labels, measures.bucket_of(measure, seconds))] += 1
        # A Counter accepts floats, too, although its type says int.
        self._counts[measure, (*labels, measures.SUM)] += seconds  # type: ignore[assignment]
