"""Threads of one process that wait for permission to send a request: first come, first served.

Permission is given in Redis, to all processes. So a thread that waits tries again and again:

1. If no thread waits, a thread tries immediately. If it is refused, it joins the end of the line.
2. When this process frees a place, the first thread that is not awake yet is woken, and tries.
3. What other processes free is found by the first of the line, which also tries by itself.
4. A thread that got permission leaves, and wakes the next: there may be more.

Threads that are awake at the same time race for a place, so a thread can overtake a few others by
the time that a try takes. If only the first one tried, each place would stay free for that time.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock

_STEP = 0.25  # seconds after which a waiting thread checks whether it has to stop


class Turns:
    """One line of waiting threads.

    The event of a thread that is to try, or that tries, is set; that of one that sleeps is not.

    Args:
        wait: waits until an event is set, or for a number of seconds.
    """

    def __init__(self, wait: Callable[[Event, float], object] = Event.wait) -> None:
        self._wait = wait
        self._line: deque[Event] = deque()
        self._trying: set[Event] = set()
        self._try_again = False  # a place was freed while all were awake
        self._lock = Lock()

    @property
    def is_empty(self) -> bool:
        """Whether no thread waits."""
        return not self._line

    @contextmanager
    def joined(self) -> Iterator[Event]:
        """A place in the line, for the block."""
        mine = Event()
        with self._lock:
            self._line.append(mine)
        try:
            yield mine
        finally:
            with self._lock:
                self._line.remove(mine)
                self._trying.discard(mine)
            self.wake()

    def wake(self) -> None:
        """Wake the first thread that sleeps."""
        with self._lock:
            sleeping = next((one for one in self._line if not one.is_set()), None)
            if sleeping is not None:
                sleeping.set()
            else:
                self._try_again = bool(self._line)

    def comes(self, mine: Event, *, pause: float) -> bool:
        """Wait a little; return whether to try now.

        Args:
            mine: the place of this thread.
            pause: seconds after which the first tries by itself.
        """
        with self._lock:
            if mine in self._trying:  # its last try failed
                if self._try_again:
                    self._try_again = False
                    return True
                self._trying.remove(mine)
                mine.clear()
            is_first = self._line[0] is mine
        self._wait(mine, min(pause, _STEP) if is_first else _STEP)
        with self._lock:
            if self._line[0] is mine:
                mine.set()
            if mine.is_set():
                self._trying.add(mine)
            return mine in self._trying
