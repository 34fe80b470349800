"""Clients with addresses of their own that request paths which are not held."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.http_client import Connection, Response


@dataclass(frozen=True)
class Asked:
    """One request of a client, and its response.

    Args:
        client: its address.
        sent: `time.monotonic()` at which it was sent.
        seconds: until the response was complete.
        response: status, header fields and body.
    """

    client: str
    sent: float
    seconds: float
    response: Response

    @property
    def status(self) -> int:
        """Status of the response."""
        return self.response.status


@dataclass(frozen=True)
class Client:
    """A client at an address of its own.

    Args:
        url: of the reader.
        address: of the client.
        is_proxied: whether it comes through a proxy at 127.0.0.1, which names its address; else it
            connects from its address, which begins with `127.`.
    """

    url: str
    address: str
    is_proxied: bool = False

    def connection(self) -> Connection:
        """A new connection."""
        source = None if self.is_proxied else self.address
        return Connection(self.url, timeout=60, source=source)

    def fields(self) -> dict[str, str]:
        """Header fields of its requests."""
        return {"X_Forwarded_For": self.address} if self.is_proxied else {}

    def ask(self, path: str, connection: Connection) -> Asked:
        """One request on a connection of this client."""
        sent = time.monotonic()
        response = connection.ask(path, **self.fields())
        return Asked(self.address, sent, time.monotonic() - sent, response)

    def ask_once(self, path: str) -> Asked:
        """One request on a new connection."""
        with self.connection() as connection:
            return self.ask(path, connection)


@dataclass
class Crowd:
    """What clients asked for, and got; grows inside the block of `asking`."""

    asked: list[Asked] = field(default_factory=list)
    errors: list[OSError] = field(default_factory=list)

    def of(self, client: str) -> list[Asked]:
        """The requests of one client."""
        return [one for one in self.asked if one.client == client]


@contextmanager
def asking(
    clients: list[Client], path: Callable[[], str], *, connections: int, pause: float = 0.1
) -> Iterator[Crowd]:
    """Clients that ask for one path after the other, until the block ends.

    Args:
        clients: that ask.
        path: returns the next path.
        connections: of each client; each has one request at a time.
        pause: seconds between a refusal and the next request.
    """
    crowd, ends, lock = Crowd(), threading.Event(), threading.Lock()

    def run(client: Client) -> None:
        try:
            with client.connection() as connection:
                while not ends.is_set():
                    with lock:
                        wanted = path()
                    asked = client.ask(wanted, connection)
                    crowd.asked.append(asked)
                    if asked.status != 200:
                        ends.wait(pause)
        except OSError as error:
            crowd.errors.append(error)

    threads = [
        threading.Thread(target=run, args=(client,))
        for client in clients
        for _ in range(connections)
    ]
    for thread in threads:
        thread.start()
    try:
        yield crowd
    finally:
        ends.set()
        for thread in threads:
            thread.join()
    assert not crowd.errors
