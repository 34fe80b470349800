"""Single flight: of many threads that want the same thing at once, one does the work.

After groupcache's `singleflight`, with a time limit for those who wait.
"""

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

Result = TypeVar("Result")


class SingleFlight(Generic[Result]):
    """Merges simultaneous calls with the same key into one.

    Not a cache: when the call is over the next one does the work again.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._flights: dict[Hashable, Future[Result]] = {}

    def do(self, key: Hashable, work: Callable[[], Result], *, timeout: float) -> Result:
        """Do the work, or wait for the thread that is doing it, and return its result.

        Args:
            key: calls with the same key are merged.
            work: called by one of them; what it raises is raised by all.
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
