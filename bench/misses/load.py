"""The clients: `python -m bench.misses.load`.

Each client has one kept-alive connection and sends its next request when it has the response to the
one before. A request is made once, whatever its response is. One process, one thread, one epoll: on
a small machine the load takes its CPU from the caches that are measured.
"""

import argparse
import gc
import json
import re
import select
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from bench.load_process import LoadProcess
from bench.misses.small_bodies import body_of, path_of

RIGHT = "200"
_PATIENCE = 30.0  # seconds without any response after which all waiting requests have failed
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_PIECE = 262_144


@dataclass(frozen=True)
class Load:
    """A load.

    Args:
        port: on 127.0.0.1.
        clients: number of them, each with its own connection.
        first: number of the first object (see `small_bodies`).
        objects: how many objects are requested, one after the other, again and again.
        requests: how many requests are sent.
        seconds: after which no more are sent.
        addresses: how many addresses the clients have, from 127.0.0.1 on.
    """

    port: int
    clients: int
    first: int
    objects: int
    requests: int
    seconds: float
    addresses: int = 1


@dataclass(frozen=True)
class Request:
    """One request of a client; times by the machine's monotonic clock, in seconds.

    Args:
        path: requested.
        sent: when it was sent.
        done: when the response was complete, or was given up.
        outcome: `200` for the right body; else another status, or what went wrong.
    """

    path: str
    sent: float
    done: float
    outcome: str

    @property
    def is_right(self) -> bool:
        """Whether the client has what it requested."""
        return self.outcome == RIGHT


@dataclass(frozen=True)
class Loaded:
    """What the clients met: requests in the order of their responses, and the load's own CPU."""

    requests: list[Request]
    cpu: float

    @classmethod
    def of_json(cls, found: dict[str, Any]) -> "Loaded":
        """From what the load's process printed."""
        rows = found["requests"]
        return cls([Request(path_of(at), *rest) for at, *rest in rows], found["cpu"])


def run(load: Load) -> Loaded:
    """Make a load from a process of its own.

    Raises:
        BenchError: the process failed.
    """
    with LoadProcess("bench.misses.load", vars(load), cores=_all_cores()) as process:
        return Loaded.of_json(process.printed())


def _all_cores() -> set[int]:
    import os  # noqa: PLC0415

    return os.sched_getaffinity(0)


@dataclass(eq=False)
class _Client:
    """A connection with what has arrived of its response."""

    address: str
    socket: socket.socket
    number: int = 0
    sent: float = 0.0
    received: bytearray = field(default_factory=bytearray)


class _Clients:
    """The event loop."""

    def __init__(self, load: Load) -> None:
        self.rows: list[tuple[int, float, float, str]] = []
        self._load = load
        self._epoll = select.epoll()
        self._by_file: dict[int, _Client] = {}
        self._numbers = count()
        self._ends = 0.0

    def run(self) -> None:
        """Send all requests, and wait for their responses."""
        clients = [self._client(at) for at in range(self._load.clients)]
        self._ends = time.monotonic() + self._load.seconds
        busy = sum(self._send_next(client) for client in clients)
        while busy:
            ready = self._epoll.poll(_PATIENCE)
            if not ready:
                for client in self._by_file.values():
                    self._note(client, "no response")
                return
            for file, _ in ready:
                client = self._by_file[file]
                if self._receive(client) and not self._send_next(client):
                    busy -= 1

    def _client(self, at: int) -> _Client:
        client = _Client(f"127.0.0.{1 + at % self._load.addresses}", socket.socket())
        self._connect(client)
        return client

    def _connect(self, client: _Client) -> None:
        client.socket.bind((client.address, 0))
        client.socket.connect(("127.0.0.1", self._load.port))
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._by_file[client.socket.fileno()] = client
        self._epoll.register(client.socket, select.EPOLLIN)

    def _send_next(self, client: _Client) -> bool:
        """Send the client's next request; False if there is none."""
        if time.monotonic() >= self._ends or (at := next(self._numbers)) >= self._load.requests:
            return False
        client.number = self._load.first + at % self._load.objects
        client.received.clear()
        client.sent = time.monotonic()
        client.socket.sendall(
            b"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: api-read-cache-bench\r\n"
            b"Accept: */*\r\n\r\n" % (path_of(client.number).encode(), self._load.port)
        )
        return True

    def _receive(self, client: _Client) -> bool:
        """Take what has arrived; whether the request has ended."""
        try:
            piece = client.socket.recv(_PIECE)
        except ConnectionError:
            piece = b""
        client.received += piece
        if not piece:
            self._note(client, "closed")
            self._by_file.pop(client.socket.fileno())
            client.socket.close()  # which removes it from the epoll
            client.socket = socket.socket()
            self._connect(client)
            return True
        outcome = outcome_of(bytes(client.received), path_of(client.number))
        if outcome is not None:
            self._note(client, outcome)
        return outcome is not None

    def _note(self, client: _Client, outcome: str) -> None:
        self.rows.append((client.number, client.sent, time.monotonic(), outcome))


def outcome_of(received: bytes, path: str) -> str | None:
    """How a request ended, by the bytes that have arrived; None while the response is incomplete.

    Returns:
        `200` if status and body are right for the path; `wrong body`; another status; `no length`.
    """
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    length = _LENGTH.search(received, 0, end + 2)
    if length is None:
        return "no length"
    body = received[end + 4 :]
    if len(body) < int(length[1]):
        return None
    status = received[9:12].decode("latin-1")
    return "wrong body" if status == RIGHT and body != body_of(path) else status


def main() -> int:
    """Make the load, and print what the clients met as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("port", "clients", "first", "objects", "requests", "addresses"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    clients = _Clients(Load(**vars(parser.parse_args())))
    body_of(path_of(0))
    body_of(path_of(1))
    gc.disable()  # a collection would delay a request
    begun = time.process_time()
    try:
        clients.run()
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    used = time.process_time() - begun
    statuses = Counter(row[-1] for row in clients.rows)
    print(json.dumps({"requests": clients.rows, "cpu": used, "outcomes": statuses}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
