"""Connections whose whole exchange ends at a deadline, whatever the other side sends, or does not.

A time limit of a socket holds for one operation. A server that sends a byte now and then meets it
for ever: in the status line, in header fields, in interim responses (`100 Continue`), in the sizes
of chunks and in trailers. So here each operation is given what is left of the exchange: each
attempt to connect, the TLS handshake, a proxy's response, and each read of the response.

The connections are urllib3's own, with the time limit of each step put in. What they need to know
of the exchange is kept for each thread: the thread that sends a request reads its response, too.
"""

import io
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from math import inf
from threading import local
from typing import Any, BinaryIO, cast

import urllib3.response
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family, create_connection

# Bytes of a response before its body: status line, header fields, and all interim responses.
MAX_HEAD = 256 * 1024
# Seconds after which an unused connection is not used again. Network address translation forgets
# connections that are idle for some minutes, without closing them: a request would get no response.
LONGEST_IDLE = 120.0
_INTERIM = range(102, 200)  # 100 is skipped by `http.client`, and 101 ends HTTP


class Bounds(local):
    """The exchange that the present thread performs.

    Args:
        monotonic: returns seconds since a fixed point.
        read_timeout: seconds that one read may take.
    """

    def __init__(self, monotonic: Callable[[], float], read_timeout: float) -> None:
        self.monotonic = monotonic
        self.read_timeout = read_timeout
        self._ends_at = inf
        self.received = 0  # bytes of the response so far
        self.needs_new = False  # no connection of earlier requests may be used
        self.found_closed = False  # the other side had closed a connection of earlier requests

    @contextmanager
    def exchange(self, ends_at: float) -> Iterator[None]:
        """The exchange of the block, which ends at a time of the monotonic clock."""
        self._ends_at, self.received = ends_at, 0
        self.needs_new = self.found_closed = False
        try:
            yield
        finally:
            self._ends_at = inf

    def left(self, at_most: float) -> float:
        """Seconds for the next step.

        Raises:
            TimeoutError: the time is over.
        """
        left = self._ends_at - self.monotonic()
        if left <= 0:
            raise TimeoutError("the time for the whole exchange is over")
        return min(left, at_most)


class _Reader(io.RawIOBase):
    """Reads from a socket within the exchange's time; limits the bytes before the body."""

    def __init__(self, sock: socket.socket, bounds: Bounds) -> None:
        self._sock = sock
        self._raw = cast(io.RawIOBase, sock.makefile("rb", buffering=0))
        self._bounds = bounds
        self.is_at_head = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        bounds = self._bounds
        if self.is_at_head and bounds.received > MAX_HEAD:
            raise HTTPException(f"more than {MAX_HEAD} bytes before the body")
        self._sock.settimeout(bounds.left(bounds.read_timeout))
        count = self._raw.readinto(buffer)
        if self.is_at_head and bounds.received and not count:
            raise HTTPException("the connection ended before the body")  # http.client goes on
        bounds.received += count or 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Source:
    """What `HTTPResponse` needs of a socket: its data as a file."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader

    def makefile(self, _mode: str) -> BinaryIO:
        return cast(BinaryIO, io.BufferedReader(self._reader))


class _Response(HTTPResponse):
    """A response whose head is limited in bytes, and which may follow any interim response."""

    def __init__(self, reader: _Reader, method: str | None) -> None:
        super().__init__(cast(socket.socket, _Source(reader)), method=method)
        self._reader = reader

    def begin(self) -> None:
        super().begin()
        self._reader.is_at_head = False

    def _read_status(self) -> tuple[str, int, str]:
        """The status line of the response, after interim ones (RFC 9110 section 15.2)."""
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if status not in _INTERIM:
                return version, status, reason
            while self.fp.readline(MAX_HEAD).strip():
                pass


class _Bounded(HTTPConnection):
    """The part of both kinds of connections that keeps the bounds."""

    bounds: Bounds
    _served = 0  # responses over the present socket
    _used_at = -inf  # time of the monotonic clock of the last of them

    @property
    def is_connected(self) -> bool:
        """Whether the connection of an earlier request can be used."""
        bounds = self.bounds
        is_idle = bounds.monotonic() - self._used_at > LONGEST_IDLE
        return super().is_connected and not is_idle and not bounds.needs_new

    def connect(self) -> None:
        self._served = 0
        super().connect()

    def _new_conn(self) -> socket.socket:
        """A socket to the first of the host's addresses that responds."""
        error: NewConnectionError | ConnectTimeoutError = NewConnectionError(self, "no address")
        for address in self._addresses():
            timeout = self.bounds.left(cast(float, self.timeout))
            try:
                sock = create_connection(
                    (address, self.port), timeout, socket_options=self.socket_options
                )
            except TimeoutError:
                error = ConnectTimeoutError(self, f"no connection within {timeout:.1f} s")
            except OSError as failed:
                error = NewConnectionError(self, f"no connection: {failed}")
            else:
                sock.settimeout(self.bounds.left(cast(float, self.timeout)))  # for the handshake
                return sock
        raise error

    def _addresses(self) -> list[str]:
        try:
            found = socket.getaddrinfo(
                self._dns_host, self.port, allowed_gai_family(), socket.SOCK_STREAM
            )
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    def response_class(  # type: ignore[override]
        self, sock: socket.socket, *, method: str | None = None
    ) -> HTTPResponse:
        """A response that is read from the socket, within bounds."""
        return _Response(_Reader(sock, self.bounds), method)

    def request(self, *arguments: Any, **known: Any) -> None:
        """Send a request; note if the connection had been closed meanwhile."""
        try:
            super().request(*arguments, **known)
        except TimeoutError:
            raise
        except OSError:
            self.bounds.found_closed = self._served > 0
            raise

    def getresponse(self) -> urllib3.response.HTTPResponse:  # type: ignore[override]
        """Read the head of a response; note if the connection had been closed meanwhile."""
        self.bounds.received = 0
        try:
            response = super().getresponse()
        except ConnectionError:
            self.bounds.found_closed = self._served > 0 and self.bounds.received == 0
            raise
        self._served += 1
        self._used_at = self.bounds.monotonic()
        return response


def bounded_pools(bounds: Bounds) -> dict[str, type[HTTPConnectionPool]]:
    """Pools of such connections, by scheme, as a pool manager of urllib3 takes them."""
    plain = type("PlainConnection", (_Bounded, HTTPConnection), {"bounds": bounds})
    secure = type("SecureConnection", (_Bounded, HTTPSConnection), {"bounds": bounds})
    return {
        "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }
