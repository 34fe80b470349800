"""One connection: serves hits itself, and hands all other requests over to gunicorn."""

import asyncio
import fcntl
import struct
import sys
import termios
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import cast

from reader.errors import ApiError
from reader.front.connection_limits import (
    HALF_CLOSED,
    LINGER,
    REQUEST_TIMEOUT,
    STALL_TIMEOUT,
)
from reader.front.gunicorn_protocol import GunicornProtocol
from reader.front.rendered_responses import AGAIN, Found, RenderedResponses, render
from reader.front.request_head import MAX_HEAD
from reader.front.worker_interface import WorkerInterface
from reader.response.respond import refuse
from reader.telemetry.access_log import AccessLog
from reader.telemetry.counters import QUICK, RequestLabels, Route
from shared.buffers import Buffers

_MAX_BUFFERED = 16 * 1024  # bytes of a request whose head is not complete
_HIGH_WATER = 64 * 1024  # bytes the client has not taken, beyond which nothing is read from it
# The same for responses that are made while they are sent: each has a buffer of its own.
_HIGH_WATER_OF_PIECES = 16 * 1024
# More are hardly ever written at once: each of a large list has more than 100 kB.
_BUFFERS_AT_ONCE = 32
_END = b"\r\n\r\n"
# asyncio's `writelines` of these versions does not tell when too much waits (CVE-2024-12254), as
# that of uvloop does. Setting the limits anew makes it look.
_WRITES_SILENTLY = (3, 12) <= sys.version_info < (3, 12, 9) or (
    (3, 13) <= sys.version_info < (3, 13, 2)
)


class FrontConnection(asyncio.Protocol):
    """A connection.

    Flow control: while the client does not take its responses, nothing more is read from it, so
    that it costs us one response and what the loop reads at once (256 kB). Bodies are never copied.

    Args:
        worker: gunicorn's worker of this process.
    """

    def __init__(self, worker: WorkerInterface) -> None:
        self._worker = worker
        self._stopwatch = worker.stopwatch
        self._transport: asyncio.Transport
        self._responses: RenderedResponses
        self._new_id: Callable[[], bytes]
        self._access_log: AccessLog
        self._peer = ""
        self._received = b""
        self._rest: Sequence[bytes | memoryview] = ()  # of a response that is being written
        self._logs = False
        self._paused = False
        self._closing = False
        self._gunicorn: GunicornProtocol | None = None
        self._requests = 0
        self._since = worker.now  # when the current wait began
        self._untaken = 0
        self._moved_at = worker.now

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._transport = cast(asyncio.Transport, transport)
        self._worker.nr_conns += 1
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if isinstance(peer, tuple) else ""
        self._responses = self._worker.responses_for(
            peer=self._peer,
            scheme="https" if transport.get_extra_info("ssl_object") else "http",
        )
        self._new_id = self._worker.telemetry.ids.new
        self._access_log = self._worker.telemetry.access_log
        self._logs = self._access_log.is_on
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        if not self._worker.connections.admit(self):
            self._refuse(503, "Too many connections.")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget the connection; either side has closed it."""
        self._worker.nr_conns -= 1
        self._forget()

    def data_received(self, data: bytes) -> None:
        """Serve each complete request, in order."""
        began = self._stopwatch()
        if not (self._received or self._paused or self._closing):
            found = self._responses.find_again(data)
            if found is not None:  # one whole request: nothing else is ever remembered
                self._send(found, data, began)
                self._since = self._worker.now
                return
        was_waiting = not self._received
        data = self._received + data if self._received else data
        while data and not self._paused and not self._closing:
            is_one = len(data) <= MAX_HEAD and data.endswith(_END)  # most often
            found = self._responses.find(data) if is_one else None
            rest = b""
            if found is None:
                end = data.find(_END) + len(_END)
                if end < len(_END):
                    if not _may_become_a_request(data):
                        self._hand_over(data)
                        return
                    if len(data) > _MAX_BUFFERED:
                        self._refuse(431, "The request's head is too large.")
                    break
                if end < len(data):
                    data, rest = data[:end], data[end:]
                    found = self._responses.find(data)
                if found is None:
                    self._hand_over(data + rest)
                    return
            self._send(found, data, began)
            was_waiting, data = True, rest
        self._received = b"" if self._closing else data
        if was_waiting:
            self._since = self._worker.now

    def pause_writing(self) -> None:
        """Stop reading requests: the client does not take its responses."""
        self._paused = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on with the response, and the requests that have arrived: the client takes more."""
        self._paused = False
        self._write(self._rest)
        if self._closing and not self._rest:
            self._transport.close()
        if self._paused or self._closing:
            return
        self._transport.resume_reading()
        if self._received:
            received, self._received = self._received, b""
            self.data_received(received)

    def eof_received(self) -> bool:
        """Close after the responses under way: the client will send nothing more."""
        self.close()
        return True

    @property
    def is_idle(self) -> bool:
        """Whether it only waits for the next request."""
        return not (self._received or self._gunicorn or self._paused or self._closing)

    @property
    def may_be_ended(self) -> bool:
        """Whether it is idle, and no request has arrived that would be lost."""
        return self.is_idle and not self._unread_bytes()

    def close(self) -> None:
        """End it once the client has taken its responses."""
        self._closing = True
        if not self._rest:
            self._transport.close()

    def abort(self) -> None:
        """End it now, whatever is under way."""
        self._transport.abort()

    def check_timeouts(self, now: float) -> None:
        """End it if the client sends nothing, or takes nothing, for too long."""
        untaken = self._transport.get_write_buffer_size() and self._untaken_bytes()
        if untaken:
            if untaken != self._untaken:
                self._untaken, self._moved_at = untaken, now
            elif now - self._moved_at > STALL_TIMEOUT:
                self._transport.abort()
            self._since = now
            return
        self._untaken, self._moved_at = 0, now
        waited = now - max(self._since, self._worker.ending_since)
        if self._gunicorn is not None:
            if not self._gunicorn.awaits_head:
                self._since = now
            elif now - max(self._since, self._gunicorn.heard_at) > REQUEST_TIMEOUT:
                self._transport.abort()
        elif self._received:
            if waited > REQUEST_TIMEOUT:
                self._refuse(408, "The request did not arrive in time.")
        elif waited > self._patience and self.may_be_ended:
            self._end_idle()

    @property
    def _patience(self) -> float:
        """Seconds that the connection may wait for the next request."""
        if not self._worker.alive:
            return LINGER
        return float(self._worker.cfg.keepalive) if self._requests else REQUEST_TIMEOUT

    def _end_idle(self) -> None:
        """Tell the client that nothing more comes, and read for a while what it has sent."""
        self._closing = True
        if not self._transport.can_write_eof():  # TLS
            self._transport.close()
            return
        self._transport.write_eof()
        asyncio.get_running_loop().call_later(HALF_CLOSED, self._transport.close)

    def _send(self, found: Found, request: bytes, began: float) -> None:
        worker = self._worker
        self._requests += 1
        worker.nr += 1
        if worker.nr >= worker.max_requests:
            worker.retire()
        (start, head, body, closes, counter), request_id = found
        if not worker.alive and not closes:
            head, _, rest = head.partition(_END)
            head, closes = head + b"\r\nConnection: close" + _END + rest, True
        request_id = request_id or self._new_id()
        head = b"".join((start, request_id, AGAIN, request_id, head))
        if isinstance(body, Buffers):
            self._write((head, *body.parts))
        elif body:
            self._transport.writelines((head, body))
            if _WRITES_SILENTLY:
                self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        else:
            self._transport.write(head)
        # As `Counter.count`; a call would cost as much as all the rest.
        took = self._stopwatch() - began
        counter.requests += 1
        counter.seconds += took
        if took > QUICK:
            counter.slow.append(took)
        if self._logs and self._access_log.wants_next():
            method, target, _ = request.split(b" ", 2)
            self._log(method, target, counter.labels, took, request_id)
        if closes:
            self.close()

    def _write(self, buffers: Sequence[bytes | memoryview]) -> None:
        """Write as much as the client takes, and the rest when it has taken that.

        The transport has some bytes for each buffer that is not written yet.
        """
        for at in range(0, len(buffers), _BUFFERS_AT_ONCE):
            if self._paused:
                self._rest = buffers[at:]
                return
            self._transport.writelines(buffers[at : at + _BUFFERS_AT_ONCE])
            if _WRITES_SILENTLY:
                self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        self._rest = ()

    def _log(
        self, method: bytes, target: bytes, labels: RequestLabels, seconds: float, request_id: bytes
    ) -> None:
        self._access_log.note(
            method=method.decode("latin-1"),
            target=target.decode("latin-1"),
            status=labels.status,
            served=labels.served,
            seconds=seconds,
            request_id=request_id.decode(),
            client=self._peer,
        )

    def _hand_over(self, data: bytes) -> None:
        """Have gunicorn and the application serve it, and all that is pipelined behind it."""
        self._received = b""
        self._since = self._worker.now
        self._requests += 1
        self._worker.nr_conns -= 1  # gunicorn's protocol counts it, too
        self._gunicorn = GunicornProtocol(
            self._worker, give_back=self._take_back, lost=self._forget
        )
        self._transport.set_protocol(self._gunicorn)
        self._gunicorn.connection_made(self._transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER_OF_PIECES)
        self._gunicorn.data_received(data)

    def _take_back(self, received: bytes) -> None:
        """Continue after gunicorn's response; the next request may be a hit."""
        self._gunicorn = None
        self._since = self._worker.now
        self._transport.set_protocol(self)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        self._paused = self._transport.get_write_buffer_size() > _HIGH_WATER
        if self._paused:
            self._transport.pause_reading()
        if received:
            self.data_received(received)

    def _forget(self) -> None:
        self._gunicorn = None
        self._worker.connections.forget(self)

    def _refuse(self, status: int, message: str) -> None:
        self._received = b""  # it gets one refusal
        headers = {"Retry-After": "1"} if status == 503 else {}
        labels = RequestLabels.without_content(Route.OTHER, status)
        counter = self._worker.local_counters.of(labels)
        serialized = render(
            refuse(ApiError(status, message, headers)),
            counter,
            now=self._worker.clock(),
            is_head=False,
            closes=True,
        )
        counter.count(0.0)
        self._transport.write(serialized.head_with(self._new_id()))
        self.close()

    def _untaken_bytes(self) -> int:
        """Bytes that the client has not taken, here and in the kernel, whose buffers are large."""
        return self._transport.get_write_buffer_size() + self._in_kernel(termios.TIOCOUTQ)

    def _unread_bytes(self) -> int:
        """Bytes that have arrived and that the loop has not read yet."""
        return self._in_kernel(termios.FIONREAD)

    def _in_kernel(self, which: int) -> int:
        """Bytes in a buffer of the kernel; 0 if it does not say."""
        with suppress(OSError, AttributeError, ValueError):
            descriptor = self._transport.get_extra_info("socket").fileno()
            size: int = struct.unpack("i", fcntl.ioctl(descriptor, which, struct.pack("i", 0)))[0]
            return size
        return 0


def _may_become_a_request(data: bytes) -> bool:
    """Whether these bytes can be the beginning of a request; gunicorn refuses others.

    Methods are upper-case, and lines end in CRLF.
    """
    return b"A" <= data[:1] <= b"Z" and data.count(b"\n") == data.count(b"\r\n")
