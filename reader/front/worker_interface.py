"""The part of gunicorn's worker that a connection uses."""

from collections.abc import Callable
from typing import Any, Protocol

from reader.front.connection_limits import ConnectionLimits
from reader.front.rendered_responses import RenderedResponses
from reader.telemetry.counters import LocalCounters
from reader.telemetry.request_telemetry import RequestTelemetry


class WorkerInterface(Protocol):
    """A reader process; `reader.front.worker.FrontWorker` is the only implementation."""

    alive: bool  # False once it was told to end
    ending_since: float  # seconds of the loop's clock at which it was told so; 0 before
    now: float  # seconds of the loop's clock, of the last tick
    nr_conns: int  # connections, as gunicorn counts them
    nr: int  # requests that have a response, as gunicorn counts them
    max_requests: int  # after which the process is to end
    connections: ConnectionLimits
    local_counters: LocalCounters  # of the requests that this thread serves
    cfg: Any  # gunicorn's configuration

    @property
    def telemetry(self) -> RequestTelemetry:
        """Request ids and access log of the process."""

    @property
    def clock(self) -> Callable[[], float]:
        """Returns Unix time in seconds."""

    @property
    def stopwatch(self) -> Callable[[], float]:
        """Returns seconds from any fixed point; never set back."""

    def retire(self) -> None:
        """Begin to end the process: it has served `max_requests`."""

    def responses_for(self, *, peer: str, scheme: str) -> RenderedResponses:
        """The responses for connections with a scheme from an IP address."""
