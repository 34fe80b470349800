"""Writes a response to the socket: whole, or as a fault says cut, slow, reset or never."""

import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tests.fakegithub.counters import Counters
from tests.fakegithub.faults import Fault
from tests.fakegithub.http_messages import NO_BODY, HttpResponse, head_bytes

LONGEST_HANG: Final = 600.0
CHUNK: Final = 16_384


@dataclass
class ResponseWriter:
    """Writes one response.

    leave: called before the last bytes, so that a client which has its whole response is no longer
        counted as a request in flight.
    """

    sock: socket.socket
    response: HttpResponse
    counters: Counters
    leave: Callable[[], None]
    released: threading.Event
    fault: Fault | None = None
    head_only: bool = False
    keep_alive: bool = True
    chunked: bool = False

    def write(self) -> bool:
        """Send the response; return whether the connection stays open. Raises OSError."""
        ways = {
            "hang": self.hang,
            "reset": self.reset,
            "truncate": self.truncate,
            "cut_chunked": self.cut_chunked,
            "unframed": self.unframed,
            "drip": self.drip,
        }
        return ways.get(self.fault.kind if self.fault else "", self.whole)()

    def send(self, data: bytes) -> None:
        """Send bytes; count them first, so that no client reads old counters."""
        self.counters.add(sent=len(data))
        self.sock.sendall(data)

    def head(self, *, framing: dict[str, str] | None = None, close: bool = False) -> bytes:
        """Status line and headers; `framing` in place of Content-Length."""
        fields = dict(self.response.headers)
        if self.response.status not in NO_BODY:
            length = {"Content-Length": str(len(self.response.body))}
            fields |= length if framing is None else framing
        if close or not self.keep_alive:
            fields["Connection"] = "close"
        return head_bytes(self.response.status, fields.items())

    def body(self) -> bytes:
        """The bytes that follow the headers."""
        return b"" if self.head_only or self.response.status in NO_BODY else self.response.body

    def cut(self) -> bytes:
        """The first part of the body: the bytes before the fault."""
        body = self.body()
        given = self.fault.after_bytes if self.fault else None
        return body[: len(body) // 2 if given is None else given]

    def whole(self) -> bool:
        """Send the whole response."""
        if self.chunked and self.body():
            head = self.head(framing={"Transfer-Encoding": "chunked"})
            data = head + b"".join(chunks(self.body())) + b"0\r\n\r\n"
        else:
            data = self.head() + self.body()
        self.leave()
        self.send(data)
        return self.keep_alive

    def hang(self) -> bool:
        """Send nothing, or the first `after_bytes` of the response; then wait until released."""
        if self.fault and self.fault.after_bytes:
            self.send((self.head() + self.body())[: self.fault.after_bytes])
        self.counters.add(hanging=1)
        try:
            wait_for_release(self.sock, self.released)
        finally:
            self.counters.add(hanging=-1)
            self.leave()
        return False

    def reset(self) -> bool:
        """Send a part, and an RST in place of the rest."""
        if not (self.fault and self.fault.before_headers):
            self.send(self.head() + self.cut())
        self.leave()
        # Linger of zero seconds: close() sends RST and drops what is unsent.
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    def truncate(self) -> bool:
        """Send less than Content-Length says, and close the connection."""
        self.leave()
        self.send(self.head(close=True) + self.cut())
        return False

    def cut_chunked(self) -> bool:
        """Send chunks without the last one, and close the connection."""
        self.leave()
        head = self.head(framing={"Transfer-Encoding": "chunked"}, close=True)
        self.send(head + b"".join(chunks(self.cut())))
        return False

    def unframed(self) -> bool:
        """Send no length: the end of the connection is the end of the body, cut or not."""
        self.leave()
        cut = self.cut() if self.fault and self.fault.after_bytes is not None else self.body()
        self.send(self.head(framing={}, close=True) + cut)
        return False

    def drip(self) -> bool:
        """Send the body one piece at a time; once released, the rest at once."""
        fault, body = self.fault, self.body()
        assert fault
        self.send(self.head())
        step = max(1, fault.piece)
        position = 0
        while position + step < len(body) and not self.released.wait(fault.interval):
            self.send(body[position : position + step])
            position += step
        self.leave()
        self.send(body[position:])
        return self.keep_alive


def chunks(body: bytes) -> Iterator[bytes]:
    """The body as chunks, without the last chunk (RFC 9112 §7.1)."""
    for start in range(0, len(body), CHUNK):
        piece = body[start : start + CHUNK]
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"


def wait_for_release(sock: socket.socket, released: threading.Event) -> None:
    """Wait until released, until the client has left, or for LONGEST_HANG seconds."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    deadline = time.monotonic() + LONGEST_HANG
    while time.monotonic() < deadline and not released.wait(0.02):
        if poll.poll(30) and not sock.recv(1, socket.MSG_PEEK):
            return
