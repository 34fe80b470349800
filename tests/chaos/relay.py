"""A TCP relay between two parts of a fleet, which can cut, refuse, stall, delay and throttle."""

import asyncio
import socket
import struct
from collections.abc import Coroutine
from contextlib import suppress
from threading import Thread
from typing import Any, Final, Literal, TypeVar

Mode = Literal["pass", "cut", "refuse", "stall", "delay", "throttle"]
DELAY: Final = 0.15  # seconds for each piece, in each direction
RATE: Final = 100_000  # bytes a second of a throttled connection's direction
_PIECE: Final = 64 * 1024
_PAUSE: Final = 0.02
Result = TypeVar("Result")


class RelayLoop:
    """The thread that all relays of a run live in."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = Thread(target=self.loop.run_forever, name="relays", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Have the thread do something, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def stop(self) -> None:
        """End the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class Relay:
    """Listens on a port of its own, and passes on to `target`.

    pass: as it comes. cut: all connections are reset now, and new ones for as long as it lasts.
    refuse: the same, and nobody listens. stall: connections stay, nothing moves; it moves on when
    healed, as after lost packets. delay: each piece comes later. throttle: few bytes a second.

    Args:
        relays: the thread to live in.
        target: port on 127.0.0.1.
        delay: seconds that each piece is delayed, in each direction.
    """

    def __init__(self, relays: RelayLoop, target: int, *, delay: float = DELAY) -> None:
        self._relays = relays
        self._delay = delay
        self._target = target
        self._mode: Mode = "pass"
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._socket = _bound(0)
        self.port: int = self._socket.getsockname()[1]
        relays.run(self._listen())

    def set(self, mode: Mode) -> None:
        """Behave like this from now on."""
        self._relays.run(self._set(mode))

    def close(self) -> None:
        """Listen no more, and end all connections."""
        self._relays.run(self._close())

    async def _set(self, mode: Mode) -> None:
        before, self._mode = self._mode, mode
        if before == "refuse" and mode != "refuse":
            await self._listen()
        if mode == "refuse" and self._server is not None:
            self._server.close()
            self._server = None
            self._socket = _bound(self.port)  # bound, not listening: nobody else gets the port
        if mode in {"cut", "refuse"}:
            self._reset_all()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, sock=self._socket)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._socket.close()
        self._reset_all()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(back)
        try:
            with suppress(asyncio.CancelledError):  # the relay is closed
                await self._join(near, back)
        finally:
            _reset(back)
            self._writers.discard(back)
            self._tasks.discard(task)

    async def _join(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        while self._mode == "stall":
            await asyncio.sleep(_PAUSE)
        if self._mode in {"cut", "refuse"}:
            return
        try:
            far, forth = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            return
        self._writers.add(forth)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass_on(near, forth))
                both.create_task(self._pass_on(far, back))
        except* OSError:
            pass
        finally:
            _reset(forth)
            self._writers.discard(forth)

    async def _pass_on(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        while piece := await source.read(_PIECE):
            if self._mode == "delay":
                await asyncio.sleep(self._delay)
            while self._mode == "stall":
                await asyncio.sleep(_PAUSE)
            await self._write(piece, to)
        with suppress(OSError):
            to.write_eof()

    async def _write(self, piece: bytes, to: asyncio.StreamWriter) -> None:
        step = int(RATE * _PAUSE)
        while self._mode == "throttle" and piece:
            to.write(piece[:step])
            await to.drain()
            piece = piece[step:]
            await asyncio.sleep(_PAUSE)
        to.write(piece)
        await to.drain()

    def _reset_all(self) -> None:
        for writer in list(self._writers):
            _reset(writer)


def _bound(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with an RST: whoever holds the other end learns of it at once."""
    with suppress(OSError):
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
