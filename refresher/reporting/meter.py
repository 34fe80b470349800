"""What refreshes cost: each request to the origin, counted for the fleet and for its refresh."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic, time

from redis import Redis, RedisError

from refresher.github.auth.credentials import Credential
from refresher.github.rate_limit_headers import clock_offset
from shared import measures
from shared.measures import Labels, Measure
from shared.redis import keys

# What is counted goes to Redis at the end of a job, and before that every so many seconds: so much
# of it is lost with a refresher that is killed.
_FLUSH_INTERVAL = 1.0
_KEEP_CREDENTIAL_S = 24 * 3600
# What GitHub tells of a credential, by the name that it is kept under.
_TOLD = {
    "scopes": "X-OAuth-Scopes",
    "expires": "GitHub-Authentication-Token-Expiration",
}


@dataclass(frozen=True)
class Exchange:
    """One request to the origin, and its answer.

    Args:
        status: HTTP status; None where no answer came.
        seconds: from the request to the last byte of the answer.
        credential: that was used.
        headers: of the answer.
    """

    status: int | None
    seconds: float
    credential: Credential
    headers: Mapping[str, str]

    @property
    def points(self) -> int:
        """What it counts against the primary rate limit: a 304 is free to who is authorised.

        https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api
        """
        free = self.status == 304 and not self.credential.is_anonymous
        return 0 if free or self.status in {None, 401} else 1

    @property
    def left(self) -> int | None:
        """What is left of the rate limit, where the answer says."""
        said = self.headers.get("X-RateLimit-Remaining", "")
        return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else None


@dataclass
class Expense:
    """What one refresh has cost so far.

    Args:
        requests: to the origin.
        not_modified: of these, those that were answered 304.
        status: of the last answer.
        left: of the credential's rate limit, as last said.
    """

    requests: int = 0
    not_modified: int = 0
    status: int | None = None
    left: int | None = None

    def add(self, exchange: Exchange) -> None:
        """One more request."""
        self.requests += 1
        self.not_modified += exchange.status == 304
        self.status = exchange.status
        self.left = self.left if exchange.left is None else exchange.left


@dataclass
class Meter:
    """Counts, and brings the counts to Redis; outlives a Redis that is away.

    Args:
        redis: where the fleet's counts are.
    """

    redis: Redis
    _expenses: list[Expense] = field(default_factory=list)
    _counts: Counter[tuple[Measure, Labels]] = field(default_factory=Counter)
    _credentials: dict[str, Mapping[str, str]] = field(default_factory=dict)
    _last: Exchange | None = None
    _offset: float | None = None
    _lock: Lock = field(default_factory=Lock)
    _flushed_at: float = field(default_factory=monotonic)

    @contextmanager
    def expense(self) -> Iterator[Expense]:
        """What is spent inside the block, but for what blocks inside of it spend."""
        self._expenses.append(Expense())
        try:
            yield self._expenses[-1]
        finally:
            self._expenses.pop()

    def observe(self, exchange: Exchange) -> None:
        """Count a request; called by several threads where pages are asked for at once."""
        with self._lock:
            status = "none" if exchange.status is None else str(exchange.status)
            self._counts[Measure.ORIGIN_REQUESTS, (status,)] += 1
            self._time(Measure.ORIGIN_SECONDS, exchange.seconds)
            if exchange.points:
                self._counts[Measure.POINTS, (exchange.credential.id,)] += exchange.points
            if exchange.status is not None:
                self._last = exchange
                self._offset = clock_offset(exchange.headers, now=time())
                told = {
                    name: exchange.headers[said]
                    for name, said in _TOLD.items()
                    if said in exchange.headers
                }
                self._credentials[exchange.credential.id] = told | {"status": status}
            if self._expenses:
                self._expenses[-1].add(exchange)
        if monotonic() - self._flushed_at > _FLUSH_INTERVAL:
            self.flush()

    def count(self, measure: Measure, *labels: str) -> None:
        """Count one."""
        with self._lock:
            self._counts[measure, labels] += 1

    def time(self, measure: Measure, seconds: float) -> None:
        """Count a duration."""
        with self._lock:
            self._time(measure, seconds)

    def flush(self) -> None:
        """Bring everything to Redis; counts that cannot be brought are kept for the next time."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            last, self._last = self._last, None
            credentials, self._credentials = self._credentials, {}
            self._flushed_at = monotonic()
        try:
            with self.redis.pipeline() as pipeline:
                measures.add(pipeline, counts)
                if last is not None:
                    pipeline.hset(keys.ORIGIN, items=self._origin(last))
                for credential, told in credentials.items():
                    pipeline.hset(
                        keys.credential(credential),
                        items=[part for pair in told.items() for part in pair],
                    )
                    pipeline.expire(keys.credential(credential), _KEEP_CREDENTIAL_S)
                pipeline.execute()
        except RedisError:
            with self._lock:
                self._counts.update(counts)

    def _origin(self, last: Exchange) -> list[str | float]:
        said: list[str | float] = ["answered_at", time(), "status", last.status or 0]
        return said if self._offset is None else [*said, "clock_offset", self._offset]

    def _time(self, measure: Measure, seconds: float) -> None:
        self._counts[measure, (measures.bucket_of(measure, seconds),)] += 1
        # A Counter's values are numbers of any kind; its type says whole ones.
        self._counts[measure, (measures.SUM,)] += seconds  # type: ignore[assignment]


@contextmanager
def metered(redis: Redis) -> Iterator[Meter]:
    """A meter for the block; what it has counted is in Redis afterwards."""
    meter = Meter(redis)
    try:
        yield meter
    finally:
        meter.flush()
