"""Open-loop load generator with a fixed rate: `python -m bench.steady_load`.

A request's time begins when it was due, not when it was sent. While a server stands still, further
requests become due, and their wait for a connection is part of their times. (A generator that waits
for a response before it sends the next request would omit exactly the worst times.)

It runs as a process, so that no other part of a measurement shares its interpreter.
"""

import argparse
import gc
import json
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from statistics import median
from types import FrameType

from bench.errors import BenchError
from bench.load_process import LoadProcess
from bench.workloads import ALWAYS
from tests.http_client import MalformedResponse, ResponseParser, request

_LEAD = 0.2  # seconds for connecting before the first request is due
_PATIENCE = 5.0  # seconds for responses after the last request was due
_BEHIND = 0.1  # seconds; a server whose last requests took longer falls behind


@dataclass(frozen=True)
class Timed:
    """One request.

    Args:
        due: time to send it, by this machine's monotonic clock, in seconds.
        took: seconds from `due` until the response was complete, or the generator gave up.
        noticed: seconds from `due` until the generator noticed: the part of `took` that the server
            did not cause. The wait for a free connection is caused by the server.
    """

    due: float
    took: float
    noticed: float


@dataclass(frozen=True)
class Load:
    """A load.

    Args:
        port: on 127.0.0.1.
        path: of every request.
        rate: requests a second.
        connections: kept open.
        seconds: duration, at most.
    """

    port: int
    path: str
    rate: float
    connections: int = 32
    seconds: float = 3600.0

    @property
    def request(self) -> bytes:
        """A request's bytes."""
        return request(self.path, **{"Host": f"127.0.0.1:{self.port}", **ALWAYS})


class SteadyLoad(LoadProcess):
    """A load from a process of its own, until it is stopped or its time is over.

    Args:
        core: to run on.
    """

    def __init__(self, load: Load, *, core: int) -> None:
        super().__init__("bench.steady_load", vars(load), cores={core})

    def stop(self) -> list[Timed]:
        """Stop sending; return the requests that were sent."""
        self.terminate()
        return self.result()

    def result(self) -> list[Timed]:
        """Wait for the end; return the requests in the order of their responses.

        Raises:
            BenchError: a response was not a 200.
        """
        return [Timed(*fields) for fields in self.printed()]


@dataclass
class _Exchange:
    """A request that is due, and what has arrived of its response."""

    due: float
    noticed: float
    parser: ResponseParser = field(
        default_factory=lambda: ResponseParser(keeps_body=False, needs_length=True)
    )


class _Generator:
    """The event loop: one thread, with the load's number of connections.

    It uses `select` because only that takes a timeout in microseconds.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._idle: deque[socket.socket] = deque()
        self._busy: dict[socket.socket, _Exchange] = {}
        self._waiting: deque[_Exchange] = deque()
        self._stopped = False
        self.done: list[Timed] = []

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        """Stop sending."""
        self._stopped = True

    def run(self) -> None:
        """Run until stopped or the time is over, and every request has its response."""
        for _ in range(self._load.connections):
            self._idle.append(self._connect())
        begun, count = time.monotonic() + _LEAD, 0
        last = round(self._load.rate * self._load.seconds)
        deadline = begun + self._load.seconds + _PATIENCE
        while True:
            now = time.monotonic()
            if self._stopped:
                last, deadline = count, min(deadline, now + _PATIENCE)
                self._stopped = False
            while count < last and (due := begun + count / self._load.rate) <= now:
                self._waiting.append(_Exchange(due, now - due))
                count += 1
            self._send()
            if count >= last and not self._busy:
                return
            if now > deadline:
                for exchange in (*self._busy.values(), *self._waiting):
                    self._note(exchange, now)
                return
            next_due = begun + count / self._load.rate if count < last else deadline
            self._receive(max(0.0, next_due - time.monotonic()))

    def _connect(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self._load.port), timeout=10)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def _send(self) -> None:
        while self._waiting and self._idle:
            connection, exchange = self._idle.popleft(), self._waiting.popleft()
            self._busy[connection] = exchange
            try:
                connection.sendall(self._load.request)
            except ConnectionError:
                self._reopen(connection)

    def _receive(self, timeout: float) -> None:
        readable, _, _ = select.select([*self._busy], [], [], timeout)
        for connection in readable:
            exchange = self._busy[connection]
            try:
                received = connection.recv(262144)
            except ConnectionError:
                received = b""
            if not received:
                self._reopen(connection)
                continue
            if is_complete(exchange.parser, received):
                self._note(exchange, time.monotonic())
                del self._busy[connection]
                self._idle.append(connection)

    def _note(self, exchange: _Exchange, now: float) -> None:
        self.done.append(Timed(exchange.due, now - exchange.due, exchange.noticed))

    def _reopen(self, connection: socket.socket) -> None:
        """Send a request again on a new connection: a server may close one after many requests."""
        exchange = self._busy.pop(connection)
        connection.close()
        if exchange.parser.received:
            raise BenchError("a connection was closed in the middle of a response")
        self._idle.appendleft(self._connect())
        self._waiting.appendleft(exchange)


def is_complete(parser: ResponseParser, received: bytes) -> bool:
    """Parse what arrived; return whether the response is complete.

    Raises:
        BenchError: its status is not 200, or it is malformed or has no length.
    """
    try:
        complete = parser.feed(received)
    except MalformedResponse as error:
        raise BenchError(f"unexpected response: {error}") from error
    if parser.status not in {0, 200}:
        raise BenchError(f"unexpected response: status {parser.status}")
    return complete


def of_window(done: Sequence[Timed], begin: float, end: float) -> list[Timed]:
    """The requests that were due in a window of the monotonic clock, in seconds."""
    return [one for one in done if begin <= one.due < end]


def keeps_up(done: Sequence[Timed]) -> bool:
    """Whether the server kept up with the rate.

    If not, the times only say how long the load lasted.
    """
    by_due = sorted(done, key=lambda one: one.due)
    last = by_due[-max(1, len(by_due) // 10) :]
    return median(one.took for one in last) < _BEHIND


def main() -> int:
    """Generate the load, and print the requests as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--rate", type=float, required=True, help="requests a second")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=10)
    generator = _Generator(Load(**vars(parser.parse_args())))
    signal.signal(signal.SIGTERM, generator.stop)
    gc.disable()  # a collection would delay a request
    try:
        generator.run()
    except (OSError, BenchError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps([[round(number, 6) for number in astuple(one)] for one in generator.done]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
