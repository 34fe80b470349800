"""Load generator: clients that send requests all the time, and what became of the requests."""

import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.http_client import Connection, ConnectionClosed, Response, request


@dataclass
class Outcome:
    """What became of the clients' requests.

    Args:
        answered: requests with the expected response.
        retried: requests that a client sent again, as it may: the connection, which had been used
            before, was closed before a single byte of a response came.
        failures: all others.
        worst: seconds for one response.
    """

    answered: int = 0
    retried: int = 0
    failures: list[str] = field(default_factory=list)
    worst: float = 0


class Load:
    """Clients that run inside the block.

    Every other client keeps its connection for as long as it lasts; the rest open a new one for
    each request.

    Args:
        url: of the reader.
        expected: by target, the body that a 200 must have; None for any.
        clients: number of clients.
        pause: seconds between a response and the next request.
    """

    def __init__(
        self, url: str, expected: dict[str, bytes | None], *, clients: int, pause: float = 0.005
    ) -> None:
        self.outcome = Outcome()
        self._url = url
        self._expected = expected
        self._pause = pause
        self._ends = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()

    def has_answered(self, number: int) -> bool:
        """Whether so many requests got their response, or one failed."""
        return self.outcome.answered >= number or bool(self.outcome.failures)

    def _run(self, number: int) -> None:
        targets = list(self._expected)
        keeps = number % 2 == 0
        connection: Connection | None = None
        try:
            while not self._ends.wait(self._pause):
                number += 1
                connection = self._ask(connection, targets[number % len(targets)])
                if connection is not None and not keeps:
                    connection.close()
                    connection = None
        finally:
            if connection is not None:
                connection.close()

    def _ask(self, connection: Connection | None, target: str) -> Connection | None:
        """Send a request on this connection or a new one; return the next request's connection."""
        began = time.monotonic()
        is_used = connection is not None
        try:
            connection = connection or Connection(self._url)
            connection.send(request(target))
            response = connection.receive()
        except OSError as error:
            if connection is not None:
                connection.close()
            if is_used and _came_before_a_response(error):
                with self._lock:
                    self.outcome.retried += 1
                return self._ask(None, target)
            self._note(f"{target}: {error!r}", began)
            return None
        self._note(self._judge(target, response), began)
        if response.closes:
            connection.close()
            return None
        return connection

    def _judge(self, target: str, response: Response) -> str | None:
        expected = self._expected[target]
        is_right = response.status == 200 and expected in {None, response.body}
        return None if is_right else f"{target}: {response.status} {response.body[:100]!r}"

    def _note(self, failure: str | None, began: float) -> None:
        with self._lock:
            self.outcome.worst = max(self.outcome.worst, time.monotonic() - began)
            if failure is None:
                self.outcome.answered += 1
            else:
                self.outcome.failures.append(failure)


def _came_before_a_response(error: OSError) -> bool:
    """Whether the connection ended before a single byte of a response came."""
    if isinstance(error, ConnectionClosed):
        return error.args == (b"",)
    return isinstance(error, ConnectionError)
