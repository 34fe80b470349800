"""Reads the bodies of requests in the event loop, within limits for all of them together.

A body takes no thread while it arrives, and has one deadline for the whole of it: a client that
sends it drop by drop costs a connection for seconds and nothing more. A process reads `MOST` bodies
at once, and holds `MOST_BYTES` of them in memory. What is larger than `SPOOLED_ABOVE` goes to a
temporary file, `MOST_SPOOLED` bytes in total, and is read again only if its signature holds.

A new body is never refused because of earlier ones: beyond the first limit the slowest body is
given up, beyond the others the largest. So a delivery of GitHub's, which comes in one piece, is
read whatever else arrives. Limits for each address would not achieve that: behind a load balancer,
all clients have the same address.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from tempfile import TemporaryFile
from typing import IO

from reader.errors import ApiError, BadRequest, Unavailable
from reader.web.asgi_types import Receive

DEADLINE = 10.0  # seconds for a whole body, from the end of its request's head
MOST = 64  # bodies that are read at once
MOST_BYTES = 24 * 1024 * 1024  # in memory, of all bodies that are being read
SPOOLED_ABOVE = 1024 * 1024  # bytes of a body
MOST_SPOOLED = 100 * 1024 * 1024  # bytes on disk, of all bodies that are being read
GRACE = 1.0  # seconds after which the speed of a body is meaningful
# Bytes that are read of an unwanted body after the response: if no more are to come, the connection
# can be kept.
DISCARDED = 64 * 1024
LINGER = 1.0  # seconds
_TINY = 4 * 1024  # bytes of a piece
_JOINED = 64 * 1024  # bytes of tiny pieces


class TooLarge(ApiError):  # noqa: N818 - named as HTTP names it
    """The body is too large; 413, named as Werkzeug names it."""

    def __init__(self) -> None:
        super().__init__(413, "Request Entity Too Large")


class TooSlow(ApiError):  # noqa: N818
    """The body did not come in time; 408, which ends the connection (RFC 9110 section 15.5.9)."""

    def __init__(self) -> None:
        super().__init__(408, "The body did not arrive in time.", {"Connection": "close"})


class GivenUp(Unavailable):
    """The body was given up in favour of others; 503."""

    def __init__(self) -> None:
        super().__init__("Too many bodies arrive at once.", retry_after=1)


class NoRoom(Unavailable):
    """The body cannot be kept on disk; 503. GitHub keeps the delivery for a redelivery."""

    def __init__(self) -> None:
        super().__init__("There is no room for a body of this size.", retry_after=60)


class Incoming:
    """The body of one request, as it arrives.

    Args:
        receive: returns the next message of the server.
        headers: the request's header fields, with lower-case names.
    """

    def __init__(self, receive: Receive, headers: Iterable[tuple[bytes, bytes]]) -> None:
        declared = dict(headers)
        self._receive = receive
        self.length = int(declared.get(b"content-length", b"0"))  # digits: checked by the server
        self.is_over = not self.length and b"transfer-encoding" not in declared

    async def next(self) -> bytes:
        """The next piece; empty at the end.

        Raises:
            BadRequest: the client has disconnected.
        """
        if self.is_over:
            return b""
        message = await self._receive()
        self.is_over = not message.get("more_body", False)
        if message["type"] != "http.request":
            raise BadRequest("The body is not complete.")
        piece: bytes = message.get("body", b"")
        return piece

    async def left(self) -> None:
        """Wait until the client has left; drop what it sends of an unwanted body meanwhile."""
        with suppress(BadRequest):
            while not self.is_over:
                await self.next()
            while (await self._receive())["type"] != "http.disconnect":
                pass

    async def discard(self) -> None:
        """Read and drop the rest of an unwanted body, if it is small and comes soon."""
        with suppress(TimeoutError, BadRequest):
            async with asyncio.timeout(LINGER):
                left = DISCARDED
                while left > 0 and not self.is_over:
                    left -= len(await self.next())


class _Reading:
    """A body that is being read."""

    def __init__(self, began: float, deadline: asyncio.Timeout) -> None:
        self.began = began
        self.deadline = deadline
        self.size = 0  # bytes, of which these are on disk:
        self.spooled = 0
        self.is_given_up = False
        self._pieces: list[bytes | bytearray] = []
        self._file: IO[bytes] | None = None  # has no name, and ends with the process

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return self.size - self.spooled

    def hold(self, piece: bytes) -> None:
        """Keep a piece.

        Pieces are kept as they are: one growing buffer would leave holes in memory that are larger
        than the body. Only tiny pieces are joined, since an object for each costs more than its
        bytes. A large body goes to a file.

        Raises:
            NoRoom: it cannot be written there.
        """
        self.size += len(piece)
        if self.size > SPOOLED_ABOVE:
            self._spool(piece)
            return
        if len(piece) >= _TINY:
            self._pieces.append(piece)
            return
        last = self._pieces[-1] if self._pieces else b""
        if not isinstance(last, bytearray) or len(last) >= _JOINED:
            last = bytearray()
            self._pieces.append(last)
        last += piece

    def _spool(self, piece: bytes) -> None:
        try:
            if self._file is None:
                self._file = TemporaryFile(buffering=0)  # noqa: SIM115 - closed in `let_go`
                self._write(b"".join(self._pieces))
                self._pieces.clear()
            self._write(piece)
        except OSError as error:
            raise NoRoom from error
        self.spooled = self.size

    def _write(self, piece: bytes) -> None:
        assert self._file is not None
        left = memoryview(piece)
        while left:
            left = left[self._file.write(left) :]

    def let_go(self) -> None:
        """Drop all pieces, and the file."""
        self.size = self.spooled = 0
        self._pieces.clear()
        if self._file is not None:
            self._file.close()
            self._file = None

    def whole(self) -> bytes:
        """The whole body.

        Raises:
            NoRoom: its file cannot be read.
        """
        if self._file is None:
            return b"".join(self._pieces)
        try:
            self._file.seek(0)
            return self._file.read()
        except OSError as error:
            raise NoRoom from error


class Bodies:
    """The bodies that a process is reading; for the thread of its event loop only.

    Args:
        spooled: is told why a piece could not be written to a file, or None if it was.
    """

    def __init__(self, spooled: Callable[[OSError | None], None] = lambda _: None) -> None:
        self._tell_spooled = spooled
        self._all: dict[_Reading, None] = {}  # the oldest first
        self._bytes = 0  # in memory
        self._spooled = 0  # on disk

    async def read(
        self,
        incoming: Incoming,
        *,
        limit: int,
        feed: Callable[[bytes], None],
        check: Callable[[], None] = lambda: None,
    ) -> bytes:
        """Read a whole body.

        Args:
            incoming: the body.
            limit: of its size in bytes.
            feed: called with each piece, in order.
            check: called at the end, before a body on disk is read; what it raises is raised.

        Raises:
            TooLarge: it is larger, or its Content-Length is.
            TooSlow: it did not arrive in time.
            GivenUp: it was given up in favour of others.
            NoRoom: it is large, and there is no room for it on disk.
            BadRequest: the client has disconnected.
        """
        if incoming.length > limit:
            raise TooLarge
        loop = asyncio.get_running_loop()
        reading = _Reading(loop.time(), asyncio.timeout(DEADLINE))
        self._all[reading] = None
        if len(self._all) > MOST:
            # Later: a body that has already arrived is read at once, and then needs no place.
            loop.call_soon(self._bound_number)
        try:
            async with reading.deadline:
                while not incoming.is_over:
                    piece = await incoming.next()
                    self._hold(reading, piece, limit)
                    feed(piece)
            check()
            return reading.whole()
        except TimeoutError:
            raise (GivenUp if reading.is_given_up else TooSlow)() from None
        finally:
            del self._all[reading]
            self._let_go(reading)

    def _hold(self, reading: _Reading, piece: bytes, limit: int) -> None:
        if reading.is_given_up:
            raise GivenUp
        if reading.size + len(piece) > limit:
            raise TooLarge
        self._bytes -= reading.held
        self._spooled -= reading.spooled
        try:
            reading.hold(piece)
        except NoRoom as error:
            if isinstance(error.__cause__, OSError):
                self._tell_spooled(error.__cause__)
            raise
        finally:
            self._bytes += reading.held
            self._spooled += reading.spooled
        if reading.spooled:
            self._tell_spooled(None)
        while self._bytes > MOST_BYTES:
            self._give_up(max(self._all, key=lambda one: one.held))
        while self._spooled > MOST_SPOOLED:
            self._give_up(max(self._all, key=lambda one: one.spooled))
        if reading.is_given_up:
            raise GivenUp

    def _bound_number(self) -> None:
        remaining = [one for one in self._all if not one.is_given_up]
        if len(remaining) > MOST:
            now = asyncio.get_running_loop().time()
            self._give_up(_slowest(remaining, now))

    def _let_go(self, reading: _Reading) -> None:
        self._bytes -= reading.held
        self._spooled -= reading.spooled
        reading.let_go()

    def _give_up(self, reading: _Reading) -> None:
        self._let_go(reading)
        reading.is_given_up = True
        reading.deadline.reschedule(asyncio.get_running_loop().time())


def _slowest(readings: list[_Reading], now: float) -> _Reading:
    """The body with the fewest bytes a second; while all are younger than `GRACE`, the oldest."""
    known = [one for one in readings if now - one.began >= GRACE]
    return min(known, key=lambda one: one.size / (now - one.began), default=readings[0])
