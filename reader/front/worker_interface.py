"""What a connection knows of the process that it belongs to: gunicorn's worker, seen from below."""

from typing import Any, Protocol

from reader.fleet.process_reporter import ProcessReporter
from reader.front.connection_limits import ConnectionLimits
from reader.front.rendered_responses import RenderedResponses
from reader.telemetry.counters import LocalCounters


class WorkerInterface(Protocol):
    """A reader process; `reader.front.worker.FrontWorker` is the only one."""

    alive: bool  # False once it was told to end
    now: float  # seconds of the loop's clock, of the last tick
    nr_conns: int  # connections, as gunicorn counts them
    nr: int  # requests that were answered, as gunicorn counts them
    max_requests: int  # after which the process is to end
    connections: ConnectionLimits
    local_counters: LocalCounters  # of what this thread answers
    cfg: Any  # gunicorn's configuration

    @property
    def reporter(self) -> ProcessReporter:
        """What counts and logs the requests of the process; there is one once somebody connects."""

    def time(self) -> float:
        """Unix time in seconds."""

    def retire(self) -> None:
        """It has answered as many requests as it is to answer: begin to end it."""

    def responses_for(self, *, peer: str, scheme: str) -> RenderedResponses:
        """The answers for those who connect from an address."""
