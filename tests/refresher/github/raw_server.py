"""A server that sends what a test wants, byte by byte if need be, and never waits for a client."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

# What to do with one accepted connection, and its number from 0.
Behaviour = Callable[[socket.socket, int], None]


class RawServer:
    """Accepts connections, each in a thread of its own, until it is closed.

    Args:
        behave: called with each connection, which is closed afterwards.
        tls: wraps connections, if given.
        host: address to listen at.
    """

    def __init__(
        self, behave: Behaviour, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self._behave = behave
        self._tls = tls
        self._listener = socket.create_server((host, 0))
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """Host and port."""
        host, port = self._listener.getsockname()
        return f"{host}:{port}"

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                number, self.connections = self.connections, self.connections + 1
                threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError), connection:
            if self._tls is None:
                self._behave(connection, number)
                return
            with self._tls.wrap_socket(connection, server_side=True) as wrapped:
                self._behave(wrapped, number)


@contextmanager
def raw_server(
    behave: Behaviour, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[RawServer]:
    """A server for the block."""
    server = RawServer(behave, tls=tls, host=host)
    try:
        yield server
    finally:
        server.close()


def read_request(connection: socket.socket) -> bytes:
    """The head of a request; empty at the end of the connection."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        data = connection.recv(4096)
        if not data:
            return b""
        head += data
    return head


def drip(connection: socket.socket, data: bytes, *, interval: float = 0.05) -> None:
    """Send bytes one by one."""
    for at in range(len(data)):
        connection.sendall(data[at : at + 1])
        time.sleep(interval)
