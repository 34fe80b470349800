"""Slow and rude clients: `python -m bench.soak.slow_clients`.

Slow readers read a large list at a few kB a second, stalled ones read nothing of it; slow senders
drip the head of a request, silent ones send nothing; leavers close the connection in the middle of
a request or of a response. All come and go as the hour's shape says.
"""

import argparse
import asyncio
import json
import socket
import struct
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from bench.soak.shape import Shape
from bench.workloads import LIST, SMALL
from reader.front.connection_limits import STALL_TIMEOUT
from tests.http_client import ResponseParser, request

_LARGE = request(LIST, User_Agent="api-read-cache-bench", Accept_Encoding="identity")
_HEAD = request(SMALL, User_Agent="api-read-cache-bench", X_Drip="x" * 200)
_SMALL_BUFFER = 4096  # bytes that the kernel buffers for a client that reads nothing
_STALLED = (
    STALL_TIMEOUT + 10
)  # seconds after which a stalled client checks whether it was disconnected
_SPEEDS = (4_096, 4_096, 4_096, 131_072)  # bytes a second of slow readers, in turn
_TOO_LONG = 60.0  # seconds after which a slow sender stops waiting to be disconnected

Client = Callable[[], Awaitable[None]]


class _SlowClients:
    """All slow clients and their results; times in seconds since the run's begin."""

    def __init__(self, port: int, begin: float, number: int) -> None:
        self._address = ("127.0.0.1", port)
        self._begin = begin
        self._number = number
        self._loop = asyncio.get_running_loop()
        self.whole = 0
        self.cut: list[
            tuple[float, float]
        ] = []  # slow readers cut short: time of the request, time of the end
        self.given_up = 0
        self.not_given_up = 0
        self.sent_away: list[tuple[float, float, int]] = []  # time, seconds until then, status
        self.left = {"in a request": 0, "in a response": 0}

    async def run(self, windows: Iterable[tuple[float, float]]) -> None:
        """Run the clients in these windows."""
        for begin, end in windows:
            await asyncio.sleep(self._begin + begin - time.monotonic())
            tasks = [asyncio.ensure_future(self._again(client)) for client in self._clients()]
            await asyncio.sleep(self._begin + end - time.monotonic())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _clients(self) -> list[Client]:
        """A third are slow readers, a sixth each stalled, slow senders and silent; the rest leave.

        Leavers reconnect all the time.
        """
        sixth = self._number // 6
        clients: list[Client] = []
        for place in range(2 * sixth):
            speed = _SPEEDS[place % len(_SPEEDS)]
            clients.append(lambda speed=speed: self._read_slowly(speed))  # type: ignore[misc]
        clients += [self._stall] * sixth
        clients += [lambda: self._drip(_HEAD)] * sixth
        clients += [lambda: self._drip(b"")] * sixth
        leaving = [self._leave_in_a_request, self._leave_in_a_response]
        clients += leaving * ((self._number - 5 * sixth) // 2)
        return clients

    async def _again(self, client: Client) -> None:
        while True:
            with suppress(OSError):
                await client()
            await asyncio.sleep(0.2)

    async def _connect(self, receive_buffer: int | None = None) -> socket.socket:
        made = socket.socket()
        if receive_buffer is not None:  # before the connection, which announces it
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        made.setblocking(False)
        try:
            await self._loop.sock_connect(made, self._address)
        except BaseException:
            made.close()
            raise
        return made

    async def _read_slowly(self, speed: int) -> None:
        with await self._connect(max(_SMALL_BUFFER, speed // 4)) as connection:
            asked = time.monotonic() - self._begin
            await self._loop.sock_sendall(connection, _LARGE)
            if await self._take(connection, speed // 2, every=0.5):
                self.whole += 1
            else:
                self.cut.append((asked, time.monotonic() - self._begin))

    async def _stall(self) -> None:
        with await self._connect(_SMALL_BUFFER) as connection:
            await self._loop.sock_sendall(connection, _LARGE)
            await asyncio.sleep(_STALLED)
            if await self._take(connection, 1 << 20, every=0):
                self.not_given_up += 1
            else:
                self.given_up += 1

    async def _take(self, connection: socket.socket, size: int, *, every: float) -> bool:
        """Read `size` bytes each `every` seconds; return whether a whole 200 came."""
        parser = ResponseParser(keeps_body=False, needs_length=True)
        while True:
            try:
                piece = await self._loop.sock_recv(connection, size)
            except ConnectionError:
                piece = b""
            if not piece:
                return False
            if parser.feed(piece):
                return parser.status == 200
            await asyncio.sleep(every)

    async def _drip(self, data: bytes) -> None:
        """Send a byte a second until the server closes the connection."""
        with await self._connect() as connection:
            began, response = time.monotonic(), b""
            ended = asyncio.ensure_future(self._until_closed(connection))
            try:
                for byte in data or b"\0" * 1000:
                    if data:
                        with suppress(OSError):
                            await self._loop.sock_sendall(connection, bytes([byte]))
                    done, _ = await asyncio.wait({ended}, timeout=1)
                    if done or time.monotonic() - began > _TOO_LONG:
                        break
                response = ended.result() if ended.done() else b""
            finally:
                ended.cancel()
            now = time.monotonic()
            status = int(response[9:12]) if response.startswith(b"HTTP/1.") else 0
            self.sent_away.append((now - self._begin, now - began, status))

    async def _until_closed(self, connection: socket.socket) -> bytes:
        received = b""
        with suppress(ConnectionError):
            while piece := await self._loop.sock_recv(connection, 65536):
                received += piece
        return received

    async def _leave_in_a_request(self) -> None:
        with await self._connect() as connection:
            await self._loop.sock_sendall(connection, _HEAD[:40])
            self.left["in a request"] += 1
        await asyncio.sleep(0.8)

    async def _leave_in_a_response(self) -> None:
        with await self._connect(_SMALL_BUFFER) as connection:
            await self._loop.sock_sendall(connection, _LARGE)
            await self._loop.sock_recv(connection, 1000)
            # An RST, as from a client that was killed.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.left["in a response"] += 1
        await asyncio.sleep(0.8)

    def results(self) -> dict[str, object]:
        """The results as JSON."""
        return {
            name: getattr(self, name)
            for name in ("whole", "cut", "given_up", "not_given_up", "sent_away", "left")
        }


async def _run(options: argparse.Namespace) -> dict[str, object]:
    slow_clients = _SlowClients(options.port, options.begin, options.number)
    await slow_clients.run(Shape(options.minutes, 1).slow_clients())
    return slow_clients.results()


def main() -> int:
    """Run the clients, and print the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--begin", type=float, required=True, help="by the monotonic clock")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--number", type=int, required=True, help="of them, at once")
    print(json.dumps(asyncio.run(_run(parser.parse_args()))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
