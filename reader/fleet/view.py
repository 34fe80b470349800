"""What `/status`, `/metrics` and the CLI show of the fleet: values only."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reader.fleet.heartbeats import ReaderReport
from reader.fleet.hold_facts import NO_FACTS, HoldFacts
from reader.fleet.queue_view import QueueView
from reader.fleet.redis_state import UNKNOWN, RedisState
from reader.fleet.workers import WorkerView
from shared.budgets import CredentialBudget
from shared.drift import Drift
from shared.entry import Metadata
from shared.failure import Failure
from shared.lost_deliveries import LookReport
from shared.measures import Measures
from shared.mended import Mended
from shared.point_buckets import Points
from shared.refresh_report import Record, RefreshReport
from shared.resources.resource import Resource
from shared.spending import Spent
from shared.suspicion import Suspicion

_NO_RECORD = Record()

NO_MEASURES = Measures({})
NOTHING_SPENT = Spent()
_NO_RECORD = Record()


@dataclass(frozen=True)
class NodeView:
    """One node: all reader processes of one gunicorn.

    Args:
        measures: counters, summed over the processes.
        gauges: summed over the processes.
        processes: number of running processes.
    """

    measures: Measures
    gauges: Mapping[str, float]
    processes: int


@dataclass(frozen=True)
class TrackedView:
    """The state of a resource and of its refreshes.

    Args:
        resource: the resource.
        now: Unix time in seconds when it was read.
        metadata: of its entry; None if it has no entry.
        failure: of its last refresh; None if that succeeded.
        suspicion: what a look at the list showed that is not believed yet; None if nothing did.
        invalidated_by: the entry is invalidated, and no refresh has handled it yet, or a further
            look is due.
        encoded: bytes of the stored compressed bodies, by coding.
        pages: of GitHub's that the content was made from; None if that is not known.
        record: of its refreshes so far.
        reading: the page that is being read and the number of pages; None if no list is being read.
        is_running: a refresher holds its lock.
        is_complete: the entry holds all that this release derives for its kind.
        look_at: Unix time in seconds of the next look after an event; None if none follows.
        event_at: Unix time in seconds of that event; None likewise.
        left_until: Unix time in seconds until which an incomplete entry is left as it is; 0 if it
            is not.
    """

    resource: Resource
    now: float
    metadata: Metadata | None
    failure: Failure | None = None
    invalidated_by: bool = False
    encoded: Mapping[str, int] | None = None
    pages: int | None = None
    record: Record = _NO_RECORD
    reading: tuple[int, int] | None = None
    is_running: bool = False
    is_complete: bool = True
    suspicion: Suspicion | None = None
    look_at: float | None = None
    event_at: float | None = None
    left_until: float = 0

    @property
    def age(self) -> float:
        """Seconds since the origin confirmed the content."""
        assert self.metadata is not None
        return max(0.0, self.now - self.metadata.validated_at)

    @property
    def held_back_until(self) -> float | None:
        """Unix time in seconds of the next try or the second look; None if neither is due."""
        if self.failure is not None:
            return self.failure.retry_at
        return None if self.suspicion is None else self.suspicion.look_at

    @property
    def is_fresh(self) -> bool:
        """Whether there is content inside its freshness lifetime."""
        return (
            self.metadata is not None
            and self.metadata.is_fresh(self.now)
            and not self.invalidated_by
            and self.suspicion is None
        )


@dataclass(frozen=True)
class OnDemandView:
    """A recently requested on-demand resource.

    Args:
        name: of the resource.
        requests: in the last hour.
        view: its state.
    """

    name: str
    requests: int
    view: TrackedView


@dataclass(frozen=True)
class OriginView:
    """The origin's last response.

    Args:
        answered_at: Unix time in seconds; None if it is not known.
        status: HTTP status.
        clock_offset: seconds that its clock is ahead of Redis's.
    """

    answered_at: float | None = None
    status: int | None = None
    clock_offset: float | None = None


@dataclass(frozen=True)
class Fleet:
    """The state of the fleet.

    Args:
        now: Unix time in seconds when it was read.
        tracked: all tracked resources.
        on_demand: the most requested on-demand resources.
        budgets: what is left of GitHub's rate limits.
        readers: running reader processes.
        workers: running refreshers.
        schedulers: number of running schedulers.
        scheduler_lost_at: Unix time in seconds at which the last one was heard of, if it died in
            the last day, and none is running; else None.
        timeline: the latest refreshes, newest first.
        measures: the refreshers' counters.
        queue: queued jobs by lane and priority.
        spent: who used the budget in the last hour.
        suspended: an operator has paused refreshing.
        suspended_since: Unix time in seconds; None if it is not known.
        origin: GitHub's last response.
        origin_paused_until: Unix time in seconds, after a secondary rate limit; 0 if not paused.
        origin_paused_since: Unix time in seconds of the last one; 0 if it is not known.
        points: requests to GitHub that may be sent now; None if none was sent in the last
            two minutes.
        point_sizes: the most that each party can have of them; None likewise.
        unknown_fields: keys of GitHub's responses that no public shape has, as `operation place`,
            sorted; of the last days.
        looks: number of tracked resources that are looked at again after an event.
        told: Unix time in seconds of the last webhook of each event, of the last month.
        redelivery: the last look for lost deliveries of webhooks; None if nobody looks.
        drift: the last finds of stored content that GitHub has confirmed and does not show, the
            latest first.
        mended: the last damaged values in Redis that refreshers have mended, the latest first.
        damaged: parts of this view that could not be read, because a value is damaged.
        redis: the state of the Redis server.
        undisclosed: number of paths of `TRACK` that were left out of this view of the fleet.
        withdrawn: number of repositories that were withdrawn in the last hour.
        withdrawn_at: their names and ids, with the Unix times in seconds.
        hold_facts: more about what holds something back.
    """

    now: float
    tracked: Sequence[TrackedView] = ()
    on_demand: Sequence[OnDemandView] = ()
    budgets: Sequence[CredentialBudget] = ()
    readers: Sequence[ReaderReport] = ()
    workers: Sequence[WorkerView] = ()
    schedulers: int = 0
    scheduler_lost_at: float | None = None
    timeline: Sequence[RefreshReport] = ()
    measures: Measures = NO_MEASURES
    queue: QueueView = field(default_factory=dict)
    spent: Spent = NOTHING_SPENT
    suspended: bool = False
    suspended_since: float | None = None
    origin: OriginView = OriginView()
    origin_paused_until: float = 0
    origin_paused_since: float = 0
    points: Points | None = None
    point_sizes: Points | None = None
    unknown_fields: Sequence[str] = ()
    looks: int = 0
    told: Mapping[str, float] = field(default_factory=dict)
    redelivery: LookReport | None = None
    drift: Sequence[Drift] = ()
    mended: Sequence[Mended] = ()
    damaged: Sequence[str] = ()
    redis: RedisState = UNKNOWN
    undisclosed: int = 0
    withdrawn: int = 0
    withdrawn_at: Mapping[str, float] = field(default_factory=dict)
    hold_facts: HoldFacts = NO_FACTS

    @property
    def queue_length(self) -> int:
        """The number of queued jobs."""
        return sum(queued.jobs for queued in self.queue.values())

    @property
    def refused(self) -> Mapping[str, int]:
        """Requests that got a 429 or a 503 in the last minute, by `outcomes.Refusal`."""
        counts: Counter[str] = Counter()
        for one in self.readers:
            counts.update(one.refused)
        return {cause: number for cause, number in counts.items() if number}
