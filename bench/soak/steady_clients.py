"""Well-behaved clients: an open-loop load at the hour's rate on many persistent connections.

A request's time begins when it was due, not when it was sent: a server that stands still is charged
for all requests of that time (Gil Tene's "coordinated omission"). It runs as a process:
`python -m bench.soak.steady_clients`.
"""

import argparse
import asyncio
import gc
import json
import resource
import select
import selectors
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import cast

from bench.soak.request_mix import Draw, kinds
from bench.soak.shape import Shape
from tests.http_client import MalformedResponse, ResponseParser

_PATIENCE = 30.0  # seconds that a client waits for a response
_AT_ONCE = 50  # connection attempts at a time
_AGAIN = 0.1  # seconds until a refused connection is tried again


class FineSelector(selectors.EpollSelector):
    """epoll with timeouts in microseconds; epoll itself has whole milliseconds only."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As the parent's; `select` waits for the epoll, which is a file as well."""
        if timeout is not None and timeout > 0:
            select.select([self], [], [], timeout)
            timeout = 0
        return super().select(timeout)


@dataclass
class _Exchange:
    """A request that is due, and its progress."""

    due: float
    noticed: float
    kind: int
    request: bytes
    retried: bool = False


class _Connection(asyncio.Protocol):
    """One persistent connection.

    Args:
        clients: its owner.
        first: request to send on it first.
    """

    def __init__(self, clients: "_SteadyClients", first: _Exchange | None = None) -> None:
        self._clients = clients
        self._first = first
        self._used = False
        self._parser = _new_parser()
        self.transport: asyncio.Transport
        self.exchange: _Exchange | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self._first is None:
            self._clients.is_free(self)
        else:
            self._clients.is_busy(self)
            self.ask(self._first)

    def ask(self, exchange: _Exchange) -> None:
        """Send a request."""
        self.exchange, self._parser = exchange, _new_parser()
        self.transport.write(exchange.request)

    def data_received(self, data: bytes) -> None:
        if (
            self.exchange is None
        ):  # unsolicited: a 408, or a 503 for too many connections; the end comes next
            if b" 503 " in data.partition(b"\r\n")[0]:
                self._clients.counts["connections turned away"] += 1
            return
        try:
            complete = self._parser.feed(data)
        except MalformedResponse:
            self._end("malformed")
            self.transport.abort()
            return
        if complete:
            self._used = True
            closes = self._parser.closes
            self._end(str(self._parser.status))
            if closes:
                self.transport.close()
            else:
                self._clients.is_free(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        again, exchange = None, self.exchange
        if exchange is not None and self._parser.received:
            self._end("cut off")
        elif exchange is not None and (exchange.retried or not self._used):
            self._end("closed")
        elif exchange is not None:
            self.exchange, again = None, exchange
        self._clients.is_lost(self, again)

    def give_up(self) -> None:
        """Stop waiting for the response."""
        self._end("timeout")
        self.transport.abort()

    def _end(self, outcome: str) -> None:
        exchange, self.exchange = self.exchange, None
        assert exchange is not None
        self._clients.note(exchange, outcome)


def _new_parser() -> ResponseParser:
    """Without the body: a load generator must cost less than the server."""
    return ResponseParser(keeps_body=False, needs_length=True)


class _SteadyClients:
    """All connections and requests."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._port: int = options.port
        self._begin: float = options.begin
        self._connections: int = options.connections
        self._random = Random(options.seed)  # noqa: S311
        self._due_times: Iterator[float] = Shape(options.minutes, options.rate).arrivals(
            self._random
        )
        self._kinds = kinds(options.etag)
        self._draw = Draw(self._kinds, self._random)
        self._requests = [kind.request(self._port, 0) for kind in self._kinds]
        self._number = 0
        self._idle: dict[_Connection, None] = {}
        self._busy: dict[_Connection, None] = {}
        self._waiting: deque[_Exchange] = deque()
        self._making = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = False
        self.rows: list[tuple[float, float, float, int, str]] = []
        self.counts = {
            "sent again": 0,
            "connections closed": 0,
            "connections refused": 0,
            "connections turned away": 0,
        }

    async def run(self) -> None:
        """Run until every request that was due has its response or was given up."""
        self._loop = asyncio.get_running_loop()
        await asyncio.gather(*(self._connect() for _ in range(self._connections)))
        next_due = next(self._due_times, None)
        swept = self._loop.time()
        while next_due is not None or self._busy or self._waiting or self._tasks:
            now = self._loop.time()
            while next_due is not None and self._begin + next_due <= now:
                self._add(self._begin + next_due, now)
                next_due = next(self._due_times, None)
            self._send()
            if now - swept > 1:
                swept = now
                self._sweep(now)
            until = swept + 1.1 if next_due is None else self._begin + next_due
            await asyncio.sleep(max(0.0, min(until, swept + 1.1) - self._loop.time()))
        self._over = True
        for connection in list(self._idle):
            connection.transport.close()
        await asyncio.sleep(0.1)

    def is_free(self, connection: _Connection) -> None:
        """Note that a connection waits for a request."""
        self._busy.pop(connection, None)
        self._idle[connection] = None
        if self._waiting:
            self._send()

    def is_busy(self, connection: _Connection) -> None:
        """Note that a connection has a request."""
        self._busy[connection] = None

    def is_lost(self, connection: _Connection, again: _Exchange | None) -> None:
        """Replace a connection that was closed.

        Args:
            connection: the closed one.
            again: its request, if the connection had been used before and no byte of a response
                came: the server closed it while the request was on its way. It may be sent once
                more (RFC 9110, section 9.2.2), on a new connection: another persistent one may be
                closed at the same moment.
        """
        self._idle.pop(connection, None)
        self._busy.pop(connection, None)
        if self._over:
            return
        self.counts["connections closed"] += 1
        if again is not None:
            self.counts["sent again"] += 1
            again.retried = True
        task = self._loop.create_task(self._connect(again))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def note(self, exchange: _Exchange, outcome: str) -> None:
        """Record the end of a request."""
        due = exchange.due - self._begin
        took = self._loop.time() - exchange.due
        row = (round(due, 6), round(took, 6), round(exchange.noticed, 6), exchange.kind, outcome)
        self.rows.append(row)

    def _add(self, due: float, now: float) -> None:
        kind = self._draw.next()
        request = self._requests[kind]
        if "{}" in self._kinds[kind].path:
            self._number += 1
            request = self._kinds[kind].request(self._port, self._number)
        self._waiting.append(_Exchange(due, now - due, kind, request))

    def _send(self) -> None:
        """Send on the least recently used connection, so that all stay in use."""
        while self._waiting and self._idle:
            connection = next(iter(self._idle))
            del self._idle[connection]
            if connection.transport.is_closing():
                continue
            self._busy[connection] = None
            connection.ask(self._waiting.popleft())

    def _sweep(self, now: float) -> None:
        for connection in list(self._busy):
            exchange = connection.exchange
            if exchange is not None and now - exchange.due > _PATIENCE:
                connection.give_up()
        while self._waiting and now - self._waiting[0].due > _PATIENCE:
            self.note(self._waiting.popleft(), "timeout")

    async def _connect(self, first: _Exchange | None = None) -> None:
        while not self._over:
            try:
                async with self._making:
                    await self._loop.create_connection(
                        lambda: _Connection(self, first), "127.0.0.1", self._port
                    )
            except OSError:
                self.counts["connections refused"] += 1
                await asyncio.sleep(_AGAIN)
            else:
                return


def main() -> int:
    """Generate the load, and print the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--begin", type=float, required=True, help="by the monotonic clock")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--rate", type=float, required=True, help="requests a second")
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--etag", required=True)
    parser.add_argument("--seed", type=int, default=1)
    steady_clients = _SteadyClients(parser.parse_args())
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    gc.disable()  # a collection would delay a request
    loop = asyncio.SelectorEventLoop(FineSelector())
    loop.run_until_complete(steady_clients.run())
    loop.close()
    print(json.dumps({"rows": steady_clients.rows, "counts": steady_clients.counts}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
