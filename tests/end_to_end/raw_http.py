"""HTTP/1.1 by hand: what no client library would send, and exactly what comes back."""

import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_PIECE = 65536
_BODILESS = {204, 304}
CRLF = b"\r\n"


class Closed(Exception):  # noqa: N818 - not an error: tests wait for it
    """The connection ended; `args[0]` is what had arrived of the next answer."""


@dataclass(frozen=True)
class Received:
    """One answer, its fields by lower-case name."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Connection:
    """A connection of a test's own.

    Args:
        url: where to; only host and port count.
        timeout: seconds for each wait.
        receive_buffer: bytes that the kernel keeps for us; its default when None.
        source: address to come from, of this machine; the usual one when None.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 20,
        receive_buffer: int | None = None,
        source: str | None = None,
    ) -> None:
        address = urlsplit(url)
        self.socket = socket.socket()
        if source is not None:
            self.socket.bind((source, 0))
        if receive_buffer is not None:  # before the connection, which announces it
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._timeout = timeout
        self.socket.settimeout(timeout)
        try:
            self.socket.connect((address.hostname, address.port))
        except OSError:
            self.socket.close()
            raise
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self.socket.close()

    def send(self, data: bytes) -> None:
        """All of it, as it is."""
        self.socket.sendall(data)

    def ask(self, target: str, *, method: str = "GET", **fields: str) -> Received:
        """A request of the usual form, and its answer."""
        self.send(request(target, method=method, **fields))
        return self.receive(method=method)

    def receive(self, *, method: str = "GET") -> Received:
        """The next answer.

        Raises:
            Closed: there is none, or not all of it.
        """
        head = self._until(CRLF + CRLF)
        line, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = line.split(" ", 2)
        assert version in {"HTTP/1.1", "HTTP/1.0"}, line
        headers: dict[str, str] = {}
        for one in lines:
            name, _, value = one.partition(":")
            assert name.lower() not in headers, f"twice: {one}"
            headers[name.lower()] = value.strip()
        return Received(int(status), headers, self._body(int(status), headers, method))

    def receive_if_any(self) -> Received | None:
        """The next answer; None for the end of the connection in place of one."""
        try:
            return self.receive()
        except Closed as end:
            if end.args[0]:
                raise
        return None

    def take(self, size: int) -> int:
        """Take up to so many bytes of what has come, without waiting; how many there were."""
        self.socket.setblocking(False)
        try:
            piece = self.socket.recv(size)
        except BlockingIOError:
            return 0
        finally:
            self.socket.settimeout(self._timeout)
        if not piece:
            raise Closed(bytes(self._buffer))
        self._buffer += piece
        return len(piece)

    @property
    def buffered(self) -> int:
        """How many bytes were taken and not looked at."""
        return len(self._buffer)

    def enlarge(self, receive_buffer: int) -> None:
        """Be quick from now on."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)

    def vanish(self) -> None:
        """End the connection with an RST, as a client that was killed does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def is_closed(self) -> bool:
        """Whether the other side ends the connection, and sends nothing before."""
        try:
            self._more()
        except Closed as end:
            return not end.args[0]
        return False

    def _body(self, status: int, headers: dict[str, str], method: str) -> bytes:
        if method == "HEAD" or status in _BODILESS or status < 200:
            return b""
        if headers.get("transfer-encoding") == "chunked":
            return self._chunks()
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"]))
        return self._rest()

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self._until(CRLF), 16):
            body += self._exactly(size)
            assert self._exactly(2) == CRLF
        assert self._until(CRLF) == b""
        return body

    def _until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            self._more()
        found = self._take(self._buffer.index(end))
        self._take(len(end))
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        return self._take(size)

    def _rest(self) -> bytes:
        try:
            while True:
                self._more()
        except Closed:
            return self._take(len(self._buffer))

    def _more(self) -> None:
        try:
            piece = self.socket.recv(_PIECE)
        except ConnectionError:
            piece = b""
        if not piece:
            raise Closed(bytes(self._buffer))
        self._buffer += piece

    def _take(self, size: int) -> bytes:
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        return found


def request(target: str, *, method: str = "GET", **fields: str) -> bytes:
    """The bytes of a request; `_` in a field's name stands for `-`."""
    named = {"Host": "cache.test", **{name.replace("_", "-"): v for name, v in fields.items()}}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {v}" for name, v in named.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def exchange(url: str, data: bytes, *, timeout: float = 20, silence: float = 1) -> list[Received]:
    """All answers to some bytes on a connection of their own, until it ends or falls silent.

    Args:
        url: where to.
        data: sent at once.
        timeout: seconds for the first answer.
        silence: seconds without another one that end them.
    """
    answers: list[Received] = []
    with Connection(url, timeout=timeout) as connection:
        with suppress(ConnectionError):  # an end before all was sent is an answer, too
            connection.send(data)
        with suppress(TimeoutError):
            while answer := connection.receive_if_any():
                answers.append(answer)
                connection.socket.settimeout(silence)
            return answers
    assert answers, "neither an answer nor an end"
    return answers
