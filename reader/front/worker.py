"""gunicorn's ASGI worker with the front before it: `worker_class` of gunicorn.conf.py."""

import asyncio
import gc
import select
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gunicorn.workers.gasgi import ASGIWorker

from reader.front.connection import FrontConnection
from reader.front.connection_limits import ConnectionLimits
from reader.front.gunicorn_protocol import use_for_connections
from reader.front.rendered_responses import RenderedResponses, Sources
from reader.process import Components, ReaderProcess
from reader.response.client_url import Peer, is_trusted
from reader.telemetry.counters import LocalCounters
from reader.telemetry.request_telemetry import RequestTelemetry

_TICK = 1.0  # seconds
_LAST_ACCEPTED = 0.2  # seconds for connections that wait in the kernel when the process is to end
# Bytes of responses that the kernel takes beyond the client's own window. By default it takes
# megabytes for each client that reads nothing, and the time to copy them.
_MOST_UNSENT = 128 * 1024
# Bytes of a client's requests that the kernel keeps until we read them, which is also what we read
# at once. By default it keeps megabytes for each client that sends a body. Linux doubles the value,
# which is enough for 640 kB a second over 100 ms.
_MOST_UNREAD = 64 * 1024
# Seconds after which a computing thread yields to the front; Python's own 5 ms would be the latency
# of every hit meanwhile.
_SWITCH_INTERVAL = 0.0005

# Allocations between two garbage collections, of young and of older objects: reference counts alone
# free all that the front allocates; only a request that Flask serves leaves some hundred objects.
_COLLECTED_AFTER = (20_000, 20, 20)


class FrontWorker(ASGIWorker):  # type: ignore[misc]
    """One reader process under gunicorn."""

    alive: bool
    _process: ReaderProcess
    _components: Components

    def __init__(self, *arguments: Any, **known: Any) -> None:
        super().__init__(*arguments, **known)
        self.now = 0.0  # seconds of the loop's clock, of the last tick
        self.ending_since = 0.0
        self.connections = ConnectionLimits(self.worker_connections)
        self.local_counters = LocalCounters()
        self._responses: dict[Peer, RenderedResponses] = {}
        self._serving: asyncio.Task[Any] | None = None  # while gunicorn's main loop sleeps

    def init_process(self) -> None:
        """Begin, in the process that was forked."""
        sys.setswitchinterval(_SWITCH_INTERVAL)
        use_for_connections(FrontConnection)
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the application and start its components: once, after the fork."""
        super().load_wsgi()
        self._process = self.asgi.process
        self._components = self._process.start()

    @property
    def telemetry(self) -> RequestTelemetry:
        """Request ids and access log of the process."""
        return self._components.telemetry

    @property
    def clock(self) -> Callable[[], float]:
        """Returns Unix time in seconds."""
        return self._process.clock

    @property
    def stopwatch(self) -> Callable[[], float]:
        """Returns seconds from any fixed point; never set back."""
        return self._process.stopwatch

    def retire(self) -> None:
        """Begin to end the process: it has served `max_requests`."""
        if self.alive:
            self.log.info("Autorestarting worker after current request.")
            self._begin_to_end()

    def handle_exit_signal(self) -> None:
        """Begin to end the process at once: SIGTERM."""
        self._begin_to_end()

    def notify(self) -> None:
        """Tell the arbiter that the process lives, as gunicorn does before each of its sleeps."""
        super().notify()
        self._serving = asyncio.current_task()

    def _begin_to_end(self) -> None:
        if self.alive:
            self.alive = False
            self.ending_since = self.loop.time()
            self.asgi.end_followers()
            self.ending = self.loop.create_task(self._stop_accepting())

    async def _stop_accepting(self) -> None:
        """Accept what waits in the kernel, listen no more, and wake gunicorn's main loop.

        By itself gunicorn would go on accepting for up to a second; and when the last process that
        listens ends, the kernel resets connections that none has accepted.
        """
        ends = self.loop.time() + _LAST_ACCEPTED
        while self._has_queued() and self.loop.time() < ends:
            await asyncio.sleep(0)
        await asyncio.sleep(0)  # asyncio finishes what it has accepted only while it listens
        await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        if self._serving is not None:
            self._serving.cancel()  # gunicorn takes it for the end of its sleep

    def _has_queued(self) -> bool:
        """Whether connections wait that no process has accepted yet."""
        listeners = select.poll()
        for sock in self.sockets:
            if sock.sock.fileno() >= 0:
                listeners.register(sock.sock, select.POLLIN)
        return bool(listeners.poll(0))

    async def _shutdown(self) -> None:
        self._serving = None
        self._begin_to_end()  # the arbiter may be gone, without a signal
        await super()._shutdown()

    def responses_for(self, *, peer: str, scheme: str) -> RenderedResponses:
        """The responses for connections with a scheme from an IP address."""
        settings = self._process.settings
        way = Peer(scheme, is_trusted(peer, settings.trusted_networks), settings.public_url or "")
        responses = self._responses.get(way)
        if responses is None:
            responses = self._responses[way] = RenderedResponses(
                Sources(
                    self._process.catalogue,
                    self._components.lookup,
                    self._components.mounts,
                    self._components.limits,
                ),
                clock=self.clock,
                local_counters=self.local_counters,
                new_id=self.telemetry.ids.new,
                peer=way,
            )
        return responses

    async def _serve(self) -> None:
        checking = self.loop.create_task(self._check_timeouts())
        try:
            await super()._serve()
        finally:
            checking.cancel()
            # The connections that the graceful end has not waited for: uvloop would wait for ever.
            for connection in self.connections:
                connection.abort()
            self._tick()
            # Requests that were served after the application was told to end.
            self._components.reporter.write()

    async def _check_timeouts(self) -> None:
        """Once a second: note the time, and end connections that have exceeded a limit."""
        await self._queue_connections()
        while True:
            self.now = self.loop.time()
            self._tick()
            self.connections.check_timeouts(self.now)
            await asyncio.sleep(_TICK)

    def _tick(self) -> None:
        """Drop rendered responses, whose fields have changed, and hand over their counters."""
        for responses in self._responses.values():
            responses.tick()
        counters = self.local_counters.take()
        self._components.reporter.add(counters, connections=len(self.connections))

    async def _queue_connections(self) -> None:
        """Have the kernel queue as many connections as `backlog` says; asyncio makes it 100.

        Connections inherit the options of the socket that they are accepted from.
        """
        while not self.servers:
            self.now = self.loop.time()
            await asyncio.sleep(0)
        for sock in self.sockets:
            sock.sock.listen(self.cfg.backlog)
            with suppress(AttributeError, OSError):  # not on every system, nor for every socket
                sock.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _MOST_UNREAD)
                sock.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _MOST_UNSENT)
        # The objects that exist now stay: collections need not traverse them again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECTED_AFTER)
