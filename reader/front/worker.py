"""gunicorn's ASGI worker with the front before it: `worker_class` of gunicorn.conf.py."""

import asyncio
import gc
import socket
import sys
import time
from contextlib import suppress
from typing import Any

from gunicorn.workers.gasgi import ASGIWorker

from reader.fleet.process_reporter import ProcessReporter
from reader.front.connection import FrontConnection
from reader.front.connection_limits import ConnectionLimits
from reader.front.gunicorn_protocol import use_for_connections
from reader.front.rendered_responses import RenderedResponses
from reader.response.client_url import is_trusted
from reader.telemetry.counters import LocalCounters

_TICK = 1.0  # seconds
# Of an answer, the kernel takes what the client has room for and this many bytes more. Left alone
# it takes megabytes for each client that takes nothing, and the time to copy them.
_MOST_UNSENT = 128 * 1024
# What the kernel keeps of a client's requests until we read them, which is also what we read at
# once. Left alone it keeps megabytes for each client that sends a body. Linux makes it twice as
# much, which is enough for 640 kB a second over 100 ms.
_MOST_UNREAD = 64 * 1024
# A thread that computes gives way to the front after this many seconds; Python's own 5 ms would be
# the latency of every hit while one does.
_SWITCH_INTERVAL = 0.0005

# Allocations between two collections of garbage, young and older: what the front allocates is freed
# by counting references alone, but for a few hundred objects of each request that Flask serves.
_COLLECTED_AFTER = (20_000, 20, 20)


class FrontWorker(ASGIWorker):  # type: ignore[misc]
    """One reader process."""

    alive: bool

    def __init__(self, *arguments: Any, **known: Any) -> None:
        super().__init__(*arguments, **known)
        self.now = 0.0  # seconds of the loop's clock, of the last tick
        self.connections = ConnectionLimits(self.worker_connections)
        self.local_counters = LocalCounters()
        self.reporter: ProcessReporter
        self._responses: dict[tuple[str, bool], RenderedResponses] = {}

    def init_process(self) -> None:
        """Begin, in the process that was forked."""
        sys.setswitchinterval(_SWITCH_INTERVAL)
        use_for_connections(FrontConnection)
        super().init_process()

    def time(self) -> float:
        """Unix time in seconds."""
        return time.time()

    def retire(self) -> None:
        """It has answered as many requests as `max_requests` says: begin to end it."""
        if self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False

    def responses_for(self, *, peer: str, scheme: str) -> RenderedResponses:
        """The answers for those who connect from an address."""
        process = self.asgi.process
        trusted = is_trusted(peer, process.settings.trusted_networks)
        responses = self._responses.get((scheme, trusted))
        if responses is None:
            parts = process.start()
            self.reporter = parts.reporter
            self.reporter.connections = self.connections.__len__
            responses = self._responses[scheme, trusted] = RenderedResponses(
                process.catalogue,
                parts.local,
                parts.synchronizer,
                clock=self.time,
                local_counters=self.local_counters,
                new_id=self.reporter.request_ids.new,
                scheme=scheme,
                trusted=trusted,
            )
        return responses

    async def _serve(self) -> None:
        checking = self.loop.create_task(self._check_timeouts())
        try:
            await super()._serve()
        finally:
            checking.cancel()
            # Those that the graceful end has not waited for: uvloop would wait for them for ever.
            for connection in self.connections:
                connection.abort()
            self._tick()
            if self._responses:
                self.reporter.write()  # what was answered since the application was told to end

    async def _check_timeouts(self) -> None:
        """Once a second: what time it is, and who has taken too long."""
        await self._queue_connections()
        while True:
            self.now = self.loop.time()
            self._tick()
            self.connections.check_timeouts(self.now)
            await asyncio.sleep(_TICK)

    def _tick(self) -> None:
        """A second has passed: answers are made anew, and what counted them is added up."""
        for responses in self._responses.values():
            responses.tick()
        if self._responses:  # so there is an observer
            self.reporter.counters.add(self.local_counters.take())

    async def _queue_connections(self) -> None:
        """Have the kernel queue as many connections as `backlog` says; asyncio makes it 100.

        Connections take over what is set for the socket that they are accepted from.
        """
        while not self.servers:
            self.now = self.loop.time()
            await asyncio.sleep(0)
        for sock in self.sockets:
            sock.sock.listen(self.cfg.backlog)
            with suppress(AttributeError, OSError):  # not on every system, nor for every socket
                sock.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _MOST_UNREAD)
                sock.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _MOST_UNSENT)
        # What is there now stays for good: no need to walk through all of it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECTED_AFTER)
