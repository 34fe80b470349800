"""A Redis that is far away: a relay before it delays every byte."""

import asyncio
from contextlib import suppress
from threading import Event, Thread

from scripts.embedded_redis import EmbeddedRedis, free_port

_PIECE = 65_536


class DistantRedis:
    """A Redis server behind a relay; what passes arrives later, however much is under way.

    Args:
        server: the Redis server.
        round_trip: seconds that the relay adds to a command and its reply together.
    """

    def __init__(self, server: EmbeddedRedis, *, round_trip: float) -> None:
        self._server = server
        self._delay = round_trip / 2
        self._port = free_port()
        self._listens = Event()
        self._loop = asyncio.new_event_loop()
        self._connections: set[asyncio.Task[None]] = set()
        self._end = self._loop.create_future()
        self._thread = Thread(target=self._run)

    @property
    def url(self) -> str:
        """The relay's URL."""
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start the server and the relay."""
        self._server.start()
        self._thread.start()
        assert self._listens.wait(10)

    def stop(self) -> None:
        """Stop both."""
        self._loop.call_soon_threadsafe(self._end.set_result, None)
        self._thread.join()
        self._server.stop()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        self._listens.set()
        await self._end
        server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        far, forth = await asyncio.open_connection("127.0.0.1", self._server.port)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await asyncio.gather(self._pass_on(near, forth), self._pass_on(far, back))
        finally:
            back.transport.abort()
            forth.transport.abort()
            self._connections.discard(task)

    async def _pass_on(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        later = asyncio.get_running_loop().call_later
        while piece := await source.read(_PIECE):
            later(self._delay, to.write, piece)
        later(self._delay, to.transport.abort)
