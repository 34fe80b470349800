"""An operator and a Prometheus: they look at a reader all the time, above all while it is ill."""

import time
from threading import Event, Thread
from typing import Final

from tests.chaos.history import Answer, History
from tests.http_client import Connection, request

_PATIENCE: Final = 30.0  # seconds for a response
_PAUSE: Final = 0.4  # seconds between a response and the next request
_PATHS: Final = ("/status.json", "/metrics", "/status", "/metrics")


class Operator:
    """Whoever looks at one reader.

    Args:
        reader: number of the reader.
        url: of the reader.
        history: takes what is seen.
    """

    def __init__(self, reader: int, url: str, history: History) -> None:
        self._reader, self._url, self._history = reader, url, history
        self._ends = Event()
        self._thread = Thread(target=self._run, name=f"operator-{reader}")

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        count = 0
        while not self._ends.wait(_PAUSE):
            path = _PATHS[count % len(_PATHS)]
            count += 1
            self._history.looks.append(self._look(path))

    def _look(self, path: str) -> Answer:
        began = time.time()
        status, note = None, ""
        try:
            with Connection(self._url, timeout=_PATIENCE) as connection:
                connection.send(request(path))
                received = connection.receive()
            status = received.status
            note = "" if status == 200 else received.body[:120].decode(errors="replace")
        except Exception as error:  # a checker judges what a thread must not raise
            note = repr(error)[:80]
        return Answer(self._reader, None, path, began, time.time(), status, note=note)
