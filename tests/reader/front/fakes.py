"""A connection and a worker that do what the test says and nothing else."""

import asyncio
from time import perf_counter
from types import SimpleNamespace
from typing import Any

from reader.front.connection import FrontConnection
from reader.front.connection_limits import ConnectionLimits
from reader.front.rendered_responses import RenderedResponses
from reader.telemetry.counters import LocalCounters
from tests.builders import NOW, Clock
from tests.reader.bench import make_telemetry

HIGH, LOW = 64 * 1024, 16 * 1024


class FakeTransport(asyncio.Transport):
    """A client that takes nothing of what is written before the test says so.

    Args:
        room: bytes that the kernel takes at once, before anything waits here.
    """

    def __init__(self, *, room: int = 10**9, **extra: Any) -> None:
        super().__init__({"peername": ("192.0.2.7", 4000), **extra})
        self.protocol: Any = None
        self.written = b""
        self.writes: list[bytes] = []
        self.waiting = 0
        self.room = room
        self.high, self.low = HIGH, LOW
        self.reading = True
        self.closing = False
        self.aborted = False
        self.lost = False
        self._protocol_paused = False

    def connect(self, protocol: asyncio.Protocol) -> None:
        """The client connects."""
        self.protocol = protocol
        protocol.connection_made(self)

    def receive(self, data: bytes) -> None:
        """The client sends, and is listened to."""
        assert self.reading, "nobody reads"
        assert not self.closing, "it is closed"
        self.protocol.data_received(data)

    def take(self, size: int | None = None) -> None:
        """The client takes some of what waits, or all of it."""
        self.waiting -= self.waiting if size is None else min(size, self.waiting)
        if self._protocol_paused and self.waiting <= self.low:
            self._protocol_paused = False
            self.protocol.resume_writing()

    def settle(self) -> None:
        """What a loop does next: a closed connection with nothing left to send is lost."""
        if (self.aborted or (self.closing and not self.waiting)) and not self.lost:
            self.lost = True
            self.protocol.connection_lost(None)

    def lose(self) -> None:
        """The client is gone."""
        self.aborted = self.closing = True
        self.settle()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closing, "written after the end"
        self.writes.append(bytes(data))
        self.written += data
        taken = min(self.room, len(data))
        self.room -= taken
        self.waiting += len(data) - taken
        if self.waiting > self.high and not self._protocol_paused:
            self._protocol_paused = True
            self.protocol.pause_writing()

    def writelines(self, list_of_data: Any) -> None:
        before = len(self.writes)
        self.write(b"".join(list_of_data))
        self.writes[before:] = list(list_of_data)

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high is not None
        self.high, self.low = high, high // 4 if low is None else low

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol  # type: ignore[no-any-return]

    def is_closing(self) -> bool:
        return self.closing

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.aborted = self.closing = True


class FakeWorker:
    """What the front uses of a worker.

    Args:
        responses: for every connection.
        limit: of connections.
        share: of requests that are logged.
    """

    def __init__(self, responses: RenderedResponses, *, limit: int = 100, share: float = 0) -> None:
        self.connections = ConnectionLimits(limit)
        self.local_counters = LocalCounters()
        self.telemetry = make_telemetry(share=share)
        self.clock = Clock(NOW)
        self.stopwatch = perf_counter
        self.nr_conns = 0
        self.alive = True
        self.ending_since = 0.0
        self.now = 1000.0
        self.nr = 0
        self.max_requests = 10**9
        self.cfg = SimpleNamespace(keepalive=75)
        self.asked: list[tuple[str, str]] = []
        self.clients: list[FakeTransport] = []
        self._given = responses

    def responses_for(self, *, peer: str, scheme: str) -> RenderedResponses:
        self.asked.append((peer, scheme))
        return self._given

    def retire(self) -> None:
        self.alive = False

    def connect(self, **known: Any) -> FakeTransport:
        """A client connects; returns its side."""
        transport = FakeTransport(**known)
        self.clients.append(transport)
        transport.connect(FrontConnection(self))
        return transport

    def wait(self, seconds: float) -> None:
        """Time passes, and the connections are looked after once a second."""
        for _ in range(round(seconds)):
            self.now += 1.0
            self.connections.check_timeouts(self.now)
            for client in self.clients:
                client.settle()
