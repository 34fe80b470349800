"""What a reader process knows of itself, and the thread that tells others of it."""

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from threading import Event, Lock, Thread
from typing import NamedTuple

from redis import Redis, RedisError

from reader.cache.local_cache import LocalCache
from reader.fleet.heartbeats import INTERVAL, ReaderReport, leave, report
from reader.telemetry.access_log import AccessLog
from reader.telemetry.counters import Counters, RequestLabels
from reader.telemetry.process_files import ProcessFiles
from reader.telemetry.request_ids import RequestIds
from shared.measures import Measure, Measures
from shared.outcomes import Served
from shared.version import VERSION

log = logging.getLogger("reader")

_TICK = 1.0  # seconds
_LATELY = 12  # reports back that "lately" begins: a minute
_CONTENT = frozenset({Served.LOCAL, Served.REDIS, Served.WAITED})


class _Sample(NamedTuple):
    at: float  # seconds of a clock that is never set back
    requests: float
    content: float
    hits: float


class ProcessReporter:
    """Counts, ids and logs of one reader process; made after the fork.

    Args:
        local: what is held.
        redis: where the process reports to.
        node_counts: of the gunicorn that it belongs to.
        access_log: notes requests.
        port: that it listens on.
        missing: gives how many tracked resources cannot be served.
    """

    def __init__(
        self,
        local: LocalCache,
        redis: Redis,
        *,
        process_files: ProcessFiles,
        access_log: AccessLog,
        port: int,
        missing: Callable[[], int],
    ) -> None:
        self.counters = Counters()
        self.request_ids = RequestIds()
        self.access_log = access_log
        # How many connections there are, and how many requests wait: set by those who know.
        self.connections: Callable[[], int] = lambda: 0
        self.waiting: Callable[[], int] = lambda: 0
        self._local = local
        self._redis = redis
        self._process_files = process_files
        self._node = f"{socket.gethostname()}:{port}"
        self._missing = missing
        self._started_at = time.time()
        self._samples: deque[_Sample] = deque([self._sample()], maxlen=_LATELY)
        self._stopped = Event()
        self._writing = Lock()
        self._thread = Thread(target=self._run, name="observer", daemon=True)

    def start(self) -> None:
        """Begin to tell others; call it in the process that is meant, after any fork."""
        self._process_files.begin()
        self._thread.start()

    def stop(self) -> None:
        """Write down the last counts, and sign off."""
        self._stopped.set()
        self.write()

    def answered(
        self,
        labels: RequestLabels,
        *,
        method: str,
        target: str,
        seconds: float,
        request_id: str,
        client: str,
    ) -> None:
        """Count an answer, and log it where it is this one's turn.

        Args:
            kind: what it is counted as.
            method: of the request.
            target: path and query of the request.
            seconds: that it took.
            request_id: given or taken.
            client: IP address of the peer.
        """
        self.counters.answered(labels, seconds)
        if self.access_log.wants_next():
            self.access_log.note(
                method=method,
                target=target,
                status=labels.status,
                served=labels.served,
                seconds=seconds,
                request_id=request_id,
                client=client,
            )

    def node(self) -> tuple[Measures, Mapping[str, float], int]:
        """Counts and gauges of all processes of this node, and how many processes they are."""
        return self._process_files.sums(self.counters.counts(), self.gauges())

    def gauges(self) -> Mapping[str, float]:
        """How much there is of what comes and goes, in this process."""
        tracked, on_demand = self._local.usage()
        return {
            "local_entries|tracked": tracked.entries,
            "local_entries|on-demand": on_demand.entries,
            "local_bytes|tracked": tracked.bytes,
            "local_bytes|on-demand": on_demand.bytes,
            "connections": self.connections(),
            "waiting_requests": self.waiting(),
        }

    def write(self) -> None:
        """Write what was counted where the node's other processes find it."""
        with self._writing:  # or the end of a process might be overwritten by what came before
            self.access_log.write()
            self._process_files.write(self.counters.counts(), self.gauges())

    def report(self) -> None:
        """Say in Redis how the process is; may raise `redis.RedisError`."""
        report(self._redis, self._report(), self.counters.take_names())

    def _run(self) -> None:
        is_away = False
        next_report = 0.0
        while not self._stopped.wait(_TICK):
            try:
                self.write()
                if time.monotonic() >= next_report:
                    next_report = time.monotonic() + INTERVAL
                    self._samples.append(self._sample())
                    self.report()
                    is_away = False
            except RedisError:
                is_away = True  # the caretaker has said so
            except Exception:
                log.exception("unexpected error while reporting")
        if not is_away:
            try:
                leave(self._redis, self._report().id)
            except RedisError:
                return

    def _report(self) -> ReaderReport:
        tracked, on_demand = self._local.usage()
        first, last = self._samples[0], self._samples[-1]
        before = self._samples[-2] if len(self._samples) > 1 else first
        return ReaderReport(
            node=self._node,
            pid=os.getpid(),
            version=VERSION,
            started_at=self._started_at,
            at=time.time(),
            requests=int(last.requests),
            per_second=round((last.requests - before.requests) / max(last.at - before.at, 0.1), 1),
            content=int(last.content - first.content),
            hits=int(last.hits - first.hits),
            local_entries=tracked.entries + on_demand.entries,
            local_bytes=tracked.bytes + on_demand.bytes,
            missing=self._missing(),
        )

    def _sample(self) -> _Sample:
        requests = content = hits = 0.0
        for (measure, labels), number in self.counters.counts().items():
            if measure is not Measure.REQUESTS:
                continue
            requests += number
            content += number if labels[1] in _CONTENT else 0
            hits += number if labels[1] == Served.LOCAL else 0
        return _Sample(time.monotonic(), requests, content, hits)
