"""Single flight: if many threads want the same result at once, one of them does the work.

Like groupcache's `singleflight`, with a time limit for the threads that wait.
"""

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

Result = TypeVar("Result")


class SingleFlight(Generic[Result]):
    """Merges simultaneous calls with the same key into one.

    Not a cache: after the call the next one does the work again.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._flights: dict[Hashable, Future[Result]] = {}

    def do(self, key: Hashable, work: Callable[[], Result], *, timeout: float) -> Result:
        """Do the work, or wait for the thread that is doing it, and return its result.

        Args:
            key: simultaneous calls with the same key are merged.
            work: called by one of them; an error that it raises is raised in all.
            timeout: seconds that the others wait.

        Raises:
            TimeoutError: another thread's work took longer than `timeout`.
        """
        with self._lock:
            flight = self._flights.get(key)
            leads = flight is None
            if flight is None:
                flight = self._flights[key] = Future()
        if not leads:
            return flight.result(timeout)
        try:
            flight.set_result(work())
        except BaseException as error:
            flight.set_exception(error)
        finally:
            with self._lock:
                del self._flights[key]
        return flight.result()
