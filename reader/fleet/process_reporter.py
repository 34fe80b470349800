"""The thread by which a reader process reports its counts and its state to others.

Once a second it writes counts and gauges to a file for the other processes of the node, and every
few seconds a report to Redis for the whole fleet.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from threading import Event, Lock, Thread
from types import MappingProxyType
from typing import NamedTuple

from redis import Redis, RedisError

from reader.cache.local_cache import Usage
from reader.fleet.heartbeats import INTERVAL, ReaderReport, leave, report
from reader.telemetry.counters import Counter
from reader.telemetry.process_files import ProcessFiles
from reader.telemetry.request_telemetry import RequestTelemetry
from reader.temporary_files import Use
from shared.measures import Measure, Measures
from shared.outcomes import Served
from shared.version import VERSION

log = logging.getLogger("reader")

_TICK = 1.0  # seconds
_SAMPLES = 12  # reports of which "lately" consists: a minute
_CONTENT = frozenset(
    {
        *(Served.LOCAL, Served.REDIS, Served.WAITED, Served.RENEWED),
        *(Served.BOUNDED, Served.TOO_OLD, Served.UNANSWERED),
    }
)


class ProcessIdentity(NamedTuple):
    """A process among all others.

    Args:
        node: host and port.
        pid: of the process.
    """

    node: str
    pid: int


class ProcessState(NamedTuple):
    """The state of a process at one moment.

    Args:
        tracked: memory taken by tracked entries.
        on_demand: memory taken by on-demand entries.
        missing: number of tracked resources that cannot be served.
        waiting: number of requests that wait for content.
        skew: seconds that the machine's clock is ahead of Redis's.
        followers: of the change feed.
        files: why temporary files cannot be written, by what they are for.
    """

    tracked: Usage
    on_demand: Usage
    missing: int
    waiting: int
    skew: float = 0.0
    followers: int = 0
    files: Mapping[str, str] = MappingProxyType({})


class _Sample(NamedTuple):
    at: float  # seconds of the stopwatch
    requests: float
    content: float
    hits: float
    refused: Mapping[str, float]


class ProcessReporter:
    """Reports one reader process; made after the fork.

    Args:
        identity: of the process.
        state: returns the state of the process.
        telemetry: its counters and access log.
        process_files: of the node.
        redis: for reports to the fleet.
        clock: returns Unix time in seconds.
        stopwatch: returns seconds from any fixed point; never set back.
    """

    def __init__(
        self,
        identity: ProcessIdentity,
        state: Callable[[], ProcessState],
        *,
        telemetry: RequestTelemetry,
        process_files: ProcessFiles,
        redis: Redis,
        clock: Callable[[], float],
        stopwatch: Callable[[], float],
    ) -> None:
        self._identity = identity
        self._state = state
        self._telemetry = telemetry
        self._counters = telemetry.counters
        self._process_files = process_files
        self._redis = redis
        self._clock = clock
        self._stopwatch = stopwatch
        self._connections = 0
        self._started_at = clock()
        self._samples: deque[_Sample] = deque([self._sample()], maxlen=_SAMPLES)
        self._stopped = Event()
        self._writing = Lock()
        self._thread = Thread(target=self._run, name="reporter", daemon=True)

    def start(self) -> None:
        """Start the thread; call it after any fork."""
        self._process_files.begin()
        self._thread.start()

    def stop(self) -> None:
        """Write the last counts, and end the thread, which removes the process from the fleet."""
        self._stopped.set()
        self.write()

    def add(self, counters: Iterable[Counter], *, connections: int) -> None:
        """Add what the front's thread has counted since the last call.

        Args:
            counters: the thread no longer increments them.
            connections: number of open connections.
        """
        self._counters.add(counters)
        self._connections = connections

    def node(self) -> tuple[Measures, Mapping[str, float], int]:
        """Counts and gauges of all processes of this node, and the number of processes."""
        return self._process_files.sums(self._counters.counts(), self.gauges())

    def gauges(self) -> Mapping[str, float]:
        """The gauges of this process."""
        state = self._state()
        tracked, on_demand = state.tracked, state.on_demand
        return {
            "local_entries|tracked": tracked.entries,
            "local_entries|on-demand": on_demand.entries,
            "local_bytes|tracked": tracked.bytes,
            "local_bytes|on-demand": on_demand.bytes,
            "connections": self._connections,
            "waiting_requests": state.waiting,
            "change_followers": state.followers,
            **{f"temporary_files_failing|{use}": use in state.files for use in Use},
        }

    def write(self) -> None:
        """Write the access log, and the file for the other processes of the node."""
        with self._writing:  # or an older file could replace the last one of an ending process
            self._telemetry.access_log.write()
            self._process_files.write(self._counters.counts(), self.gauges())

    def report(self) -> None:
        """Report the process in Redis; may raise `redis.RedisError`."""
        report(self._redis, self._report(), self._counters.take_names())

    def _run(self) -> None:
        is_away = False
        next_report = 0.0
        while not self._stopped.wait(_TICK):
            try:
                self.write()
                now = self._stopwatch()
                if now >= next_report:
                    next_report = now + INTERVAL
                    self._samples.append(self._sample())
                    self.report()
                    is_away = False
            except RedisError:
                is_away = True  # the synchronizer has logged it
            except Exception:
                log.exception("unexpected error while reporting")
        if not is_away:
            try:
                leave(self._redis, self._report().id)
            except RedisError:
                return

    def _report(self) -> ReaderReport:
        state = self._state()
        tracked, on_demand = state.tracked, state.on_demand
        first, last = self._samples[0], self._samples[-1]
        before = self._samples[-2] if len(self._samples) > 1 else first
        return ReaderReport(
            node=self._identity.node,
            pid=self._identity.pid,
            version=VERSION,
            started_at=self._started_at,
            at=self._clock(),
            requests=int(last.requests),
            per_second=round((last.requests - before.requests) / max(last.at - before.at, 0.1), 1),
            content=int(last.content - first.content),
            hits=int(last.hits - first.hits),
            local_entries=tracked.entries + on_demand.entries,
            local_bytes=tracked.bytes + on_demand.bytes,
            missing=state.missing,
            skew=round(state.skew, 1),
            followers=state.followers,
            files=dict(state.files),
            refused={
                cause: int(number - first.refused.get(cause, 0))
                for cause, number in last.refused.items()
                if number > first.refused.get(cause, 0)
            },
        )

    def _sample(self) -> _Sample:
        requests = content = hits = 0.0
        refused: dict[str, float] = {}
        for (measure, labels), number in self._counters.counts().items():
            if measure is Measure.REFUSALS:
                refused[labels[0]] = number
            if measure is not Measure.REQUESTS:
                continue
            requests += number
            content += number if labels[1] in _CONTENT else 0
            hits += number if labels[1] == Served.LOCAL else 0
        return _Sample(self._stopwatch(), requests, content, hits, refused)
