"""Visitors: clients that request what is not held, and wait for it."""

import time
from threading import Event, Thread
from typing import Final

from tests.chaos.history import History, Miss
from tests.http_client import Connection, request

_PATIENCE: Final = 30.0  # seconds for a response
_LONGEST_PAUSE: Final = 2.0  # seconds before the next try after a refusal, whatever it asks for
_PAUSE: Final = 0.1  # seconds between a response and the next request


class Visitor:
    """A client with an address of its own, which requests one new name after the other.

    It requests a name again until it has it.

    Args:
        number: of the visitor.
        reader: number of its reader.
        url: of its reader.
        history: takes what becomes of its requests.
    """

    def __init__(self, number: int, reader: int, url: str, history: History) -> None:
        self._number, self._reader, self._url = number, reader, url
        self._history = history
        self._ends = Event()
        self._thread = Thread(target=self._run, name=f"visitor-{number}")

    def start(self) -> None:
        """Begin to send requests."""
        self._thread.start()

    def stop(self) -> None:
        """Send no more requests."""
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        count = 0
        while not self._ends.is_set():
            count += 1
            path = f"/users/visitor-{self._number}-{count}"
            while not self._ends.is_set():
                miss = self._ask(path)
                self._history.misses.append(miss)
                self._ends.wait(_pause_after(miss))
                if miss.is_served:
                    break

    def _ask(self, path: str) -> Miss:
        began = time.time()
        status, retry_after, note = None, "", ""
        try:
            source = f"127.0.0.{10 + self._number}"
            with Connection(self._url, timeout=_PATIENCE, source=source) as connection:
                connection.send(request(path))
                received = connection.receive()
            status, retry_after = received.status, received.headers.get("retry-after", "")
            note = "" if status in {200, 404} else received.body[:120].decode(errors="replace")
        except Exception as error:  # a checker judges what a thread must not raise
            note = repr(error)[:80]
        return Miss(self._number, self._reader, path, began, time.time(), status, retry_after, note)


def _pause_after(miss: Miss) -> float:
    if miss.is_served:
        return _PAUSE
    return min(float(miss.retry_after), _LONGEST_PAUSE) if miss.retry_after.isdigit() else 0.5
