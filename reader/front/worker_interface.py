"""What a connection knows of the process that it belongs to: gunicorn's worker, seen from below."""

from typing import Any, Protocol

from reader.fleet.process_reporter import Observer
from reader.front.connection_limits import Connections
from reader.front.rendered_responses import Answers
from reader.telemetry.counters import Tallies


class Process(Protocol):
    """A reader process; `reader.front.worker.FrontWorker` is the only one."""

    alive: bool  # False once it was told to end
    now: float  # seconds of the loop's clock, of the last tick
    nr_conns: int  # connections, as gunicorn counts them
    nr: int  # requests that were answered, as gunicorn counts them
    max_requests: int  # after which the process is to end
    connections: Connections
    tallies: Tallies  # of what this thread answers
    cfg: Any  # gunicorn's configuration

    @property
    def observer(self) -> Observer:
        """What counts and logs the requests of the process; there is one once somebody connects."""

    def time(self) -> float:
        """Unix time in seconds."""

    def retire(self) -> None:
        """It has answered as many requests as it is to answer: begin to end it."""

    def answers_for(self, *, peer: str, scheme: str) -> Answers:
        """The answers for those who connect from an address."""
