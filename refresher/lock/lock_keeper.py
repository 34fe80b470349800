"""Extends all locks that a process holds, for as long as it holds them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Condition, Thread
from typing import Protocol

# Locks that are extended at the same time. One by one, the last would expire if Redis is slow.
_AT_ONCE = 25


class Extendable(Protocol):
    """A lock that must be extended now and then."""

    @property
    def is_due(self) -> bool:
        """Whether it is time to extend it."""

    def extend_if_due(self) -> bool:
        """Extend it; return whether it is still held."""


class LockKeeper:
    """Extends the locks of a process: one thread finds those that are due, a pool extends them.

    Thread-safe.

    Args:
        pause: seconds between two checks.
        watchdog: called after each pause while a lock is held.
    """

    def __init__(self, *, pause: float, watchdog: Callable[[], None] = lambda: None) -> None:
        self._pause = pause
        self._watchdog = watchdog
        self._changed = Condition()
        self._held: dict[Extendable, None] = {}  # in the order in which they were taken
        self._extending: set[Extendable] = set()
        self._pool: ThreadPoolExecutor | None = None
        self._thread: Thread | None = None
        self._is_closed = False

    def keep(self, lock: Extendable) -> None:
        """Extend a lock from now on."""
        with self._changed:
            self._held[lock] = None
            if self._thread is None:
                self._thread = Thread(target=self._run, name="locks", daemon=True)
                self._thread.start()

    def drop(self, lock: Extendable) -> None:
        """Stop extending a lock; wait for an extension that is under way."""
        with self._changed:
            self._held.pop(lock, None)
            self._changed.wait_for(lambda: lock not in self._extending)

    def close(self) -> None:
        """End the threads."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        if self._pool is not None:
            self._pool.shutdown()

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._is_closed, self._pause):
                    return
                free = [lock for lock in self._held if lock not in self._extending]
                due = [lock for lock in free if lock.is_due]
                self._extending.update(due)
                is_busy = bool(self._held)
            if is_busy:
                self._watchdog()
            for lock in due:
                self._executor().submit(self._extend, lock)

    def _extend(self, lock: Extendable) -> None:
        is_held = False
        try:
            is_held = lock.extend_if_due()
        finally:
            with self._changed:
                self._extending.discard(lock)
                if not is_held:
                    self._held.pop(lock, None)
                self._changed.notify_all()

    def _executor(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="lock")
        return self._pool
