"""gunicorn's ASGI worker with the front before it: `worker_class` of gunicorn.conf.py."""

import asyncio
import gc
import socket
import sys
import time
from contextlib import suppress
from typing import Any

from gunicorn.workers.gasgi import ASGIWorker

from reader.fleet.process_reporter import Observer
from reader.front.connection import Front
from reader.front.connection_limits import Connections
from reader.front.gunicorn_protocol import use_for_connections
from reader.front.rendered_responses import Answers
from reader.response.client_url import is_trusted
from reader.telemetry.counters import Tallies

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
        self.connections = Connections(self.worker_connections)
        self.tallies = Tallies()
        self.observer: Observer
        self._answers: dict[tuple[str, bool], Answers] = {}

    def init_process(self) -> None:
        """Begin, in the process that was forked."""
        sys.setswitchinterval(_SWITCH_INTERVAL)
        use_for_connections(Front)
        super().init_process()

    def time(self) -> float:
        """Unix time in seconds."""
        return time.time()

    def retire(self) -> None:
        """It has answered as many requests as `max_requests` says: begin to end it."""
        if self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False

    def answers_for(self, *, peer: str, scheme: str) -> Answers:
        """The answers for those who connect from an address."""
        node = self.asgi.node
        trusted = is_trusted(peer, node.settings.trusted_networks)
        answers = self._answers.get((scheme, trusted))
        if answers is None:
            parts = node.start()
            self.observer = parts.observer
            self.observer.connections = self.connections.__len__
            answers = self._answers[scheme, trusted] = Answers(
                node.catalogue,
                parts.local,
                parts.caretaker,
                clock=self.time,
                tallies=self.tallies,
                new_id=self.observer.request_ids.new,
                scheme=scheme,
                trusted=trusted,
            )
        return answers

    async def _serve(self) -> None:
        looking_after = self.loop.create_task(self._look_after())
        try:
            await super()._serve()
        finally:
            looking_after.cancel()
            # Those that the graceful end has not waited for: uvloop would wait for them for ever.
            for connection in self.connections:
                connection.abort()
            self._tick()
            if self._answers:
                self.observer.write()  # what was answered since the application was told to end

    async def _look_after(self) -> None:
        """Once a second: what time it is, and who has taken too long."""
        await self._queue_connections()
        while True:
            self.now = self.loop.time()
            self._tick()
            self.connections.look_after(self.now)
            await asyncio.sleep(_TICK)

    def _tick(self) -> None:
        """A second has passed: answers are made anew, and what counted them is added up."""
        for answers in self._answers.values():
            answers.tick()
        if self._answers:  # so there is an observer
            self.observer.totals.add(self.tallies.take())

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
