"""Clients that ask all the time and keep their connections, and what became of their requests."""

import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.end_to_end.raw_http import Closed, Connection, Received, request


@dataclass
class Outcome:
    """What the clients met.

    Args:
        answered: requests that got the answer that they should.
        retried: those that a client sent again, as it may: the connection, which had been used
            before, was closed before a single byte of an answer came.
        failures: all others.
        worst: seconds for one answer.
    """

    answered: int = 0
    retried: int = 0
    failures: list[str] = field(default_factory=list)
    worst: float = 0


class Load:
    """Some clients inside the block.

    Every other one keeps its connection for as long as it lasts, the rest take a new one each time.

    Args:
        url: of the reader.
        expected: by target, the body that each has to get with 200; None for any.
        clients: how many.
        pause: seconds between an answer and the next request.
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
        """Whether so many requests got their answer, or something went wrong."""
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
        """One request, on this connection or a new one; gives the one for the next request."""
        began = time.monotonic()
        is_used = connection is not None
        try:
            connection = connection or Connection(self._url)
            connection.send(request(target))
            answer = connection.receive()
        except (OSError, Closed) as error:
            if connection is not None:
                connection.close()
            is_empty = isinstance(error, ConnectionError) or error.args == (b"",)
            if is_used and is_empty:
                with self._lock:
                    self.outcome.retried += 1
                return self._ask(None, target)
            self._note(f"{target}: {error!r}", began)
            return None
        self._note(self._judge(target, answer), began)
        if answer.headers.get("connection") == "close":
            connection.close()
            return None
        return connection

    def _judge(self, target: str, answer: Received) -> str | None:
        expected = self._expected[target]
        is_right = answer.status == 200 and expected in {None, answer.body}
        return None if is_right else f"{target}: {answer.status} {answer.body[:100]!r}"

    def _note(self, failure: str | None, began: float) -> None:
        with self._lock:
            self.outcome.worst = max(self.outcome.worst, time.monotonic() - began)
            if failure is None:
                self.outcome.answered += 1
            else:
                self.outcome.failures.append(failure)
