"""Locks, events, queues and threads on virtual time, in the place of Python's own.

`replaced` puts them into the modules of the product by the names under which these import them.
"""

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any
from unittest.mock import patch

from tests.simulation.hub import Hub, Task


class Primitives:
    """The primitives of one run.

    Args:
        hub: runs the tasks that wait.
    """

    def __init__(self, hub: Hub) -> None:
        class Condition(_Condition):
            def __init__(self, _lock: object = None) -> None:
                super().__init__(hub)

        class Lock(_Lock):
            def __init__(self) -> None:
                super().__init__(hub)

        class Event(threading.Event):
            """Python's own, whose methods wait for a condition."""

            def __init__(self) -> None:
                self._cond = Condition()
                self._flag = False

        class Queue(_Queue):
            def __init__(self) -> None:
                super().__init__(Condition())

        class Thread(_Thread):
            def __init__(self, target: Callable[..., Any], **known: Any) -> None:
                super().__init__(hub, target, **known)

        class LaterResult(_Future):
            def __init__(self) -> None:
                super().__init__(Condition())

        class Executor(_Executor):
            def __init__(self, *_: Any, **__: Any) -> None:
                super().__init__(hub, LaterResult)

        self.by_original: Mapping[object, type] = {
            threading.Lock: Lock,
            threading.Event: Event,
            threading.Condition: Condition,
            threading.Thread: Thread,
            SimpleQueue: Queue,
            ThreadPoolExecutor: Executor,
            Future: LaterResult,
        }
        self.condition = Condition

    @contextmanager
    def replaced(self) -> Iterator[None]:
        """Put them into all loaded modules of the product inside the block."""
        patches = []
        for name, module in sorted(sys.modules.items()):
            if name.partition(".")[0] in _PACKAGES and name not in _PYTHONS_OWN:
                for attribute in _NAMES & vars(module).keys():
                    made = self.by_original.get(getattr(module, attribute))
                    if made is not None:
                        patches.append(patch.object(module, attribute, made))
        for one in patches:
            one.start()
        try:
            yield
        finally:
            for one in patches:
                one.stop()


_PACKAGES = {"reader", "refresher", "shared"}
_PYTHONS_OWN = {"refresher.lock.redlock_import"}  # pottery waits for Python's own
_NAMES = {
    *(
        "Lock",
        "Event",
        "Flag",
        "Condition",
        "Thread",
        "SimpleQueue",
        "ThreadPoolExecutor",
        "Future",
    ),
}


class _Lock:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._holder: object = None
        self._waiting: deque[Task] = deque()

    def acquire(self, blocking: bool = True) -> bool:
        """Take it; another task of the process may hold it while it waits."""
        while self._holder is not None:
            if not blocking:
                return False
            task = self._hub.task
            assert task is not None, "a lock is held between tasks"
            self._waiting.append(task)
            self._hub.park(None)
        self._holder = self._hub.task or self
        return True

    def release(self) -> None:
        """Give it back."""
        self._holder = None
        while self._waiting:
            task = self._waiting.popleft()
            if not task.process.is_dead:
                self._hub.wake(task)
                return

    def locked(self) -> bool:
        """Whether it is held."""
        return self._holder is not None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class _Condition:
    """No lock is needed: nothing runs between two waits."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._waiting: list[Task] = []

    def __enter__(self) -> bool:
        return True

    def __exit__(self, *_: object) -> None:
        pass

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a notification."""
        task = self._hub.task
        assert task is not None
        self._waiting.append(task)
        is_woken = self._hub.park(timeout)
        if task in self._waiting:
            self._waiting.remove(task)
        return is_woken

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """Wait until something is true."""
        until = None if timeout is None else self._hub.now + timeout
        while not (result := predicate()):
            left = None if until is None else until - self._hub.now
            if left is not None and left <= 0:
                return result
            self.wait(left)
        return result

    def notify_all(self) -> None:
        """End all waits."""
        waiting, self._waiting = self._waiting, []
        for task in waiting:
            if not task.process.is_dead:
                self._hub.wake(task)

    def notify(self, _number: int = 1) -> None:
        """The same: whoever waits checks again."""
        self.notify_all()


class _Queue:
    def __init__(self, changed: _Condition) -> None:
        self._changed = changed
        self._items: deque[Any] = deque()

    def put(self, item: Any) -> None:
        """Add an item."""
        self._items.append(item)
        self._changed.notify_all()

    def get(self) -> Any:
        """Wait for an item and take it."""
        self._changed.wait_for(lambda: bool(self._items))
        return self._items.popleft()

    def empty(self) -> bool:
        """Whether there is no item."""
        return not self._items


class _Thread:
    def __init__(
        self,
        hub: Hub,
        target: Callable[..., Any],
        name: str = "thread",
        args: tuple[Any, ...] = (),
        **_: Any,
    ) -> None:
        self._hub = hub
        self._work = lambda: target(*args)
        self._task: Task | None = None
        self.name = name

    def start(self) -> None:
        """Begin, in the process of the running task."""
        process = self._hub.process
        assert process is not None, "threads belong to processes"
        self._task = self._hub.spawn(process, self._work, self.name)

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._task is not None and not self._task.greenlet.dead

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""
        until = None if timeout is None else self._hub.now + timeout
        while self.is_alive() and (until is None or self._hub.now < until):
            self._hub.sleep(0.01)


class _Future:
    def __init__(self, changed: _Condition) -> None:
        self._changed = changed
        self._is_done = False
        self._result: Any = None
        self._error: BaseException | None = None

    def set_result(self, result: Any) -> None:
        """End with a result."""
        self._is_done, self._result = True, result
        self._changed.notify_all()

    def set_exception(self, error: BaseException) -> None:
        """End with an error."""
        self._is_done, self._error = True, error
        self._changed.notify_all()

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the result."""
        if not self._changed.wait_for(lambda: self._is_done, timeout):
            raise TimeoutError
        if self._error is not None:
            raise self._error
        return self._result


class _Executor:
    def __init__(self, hub: Hub, make: Callable[[], _Future]) -> None:
        self._hub = hub
        self._make = make

    def submit(self, function: Callable[..., Any], *args: Any, **known: Any) -> _Future:
        """Call a function in a task of its own."""
        made, process = self._make(), self._hub.process
        assert process is not None

        def work() -> None:
            try:
                made.set_result(function(*args, **known))
            except Exception as error:
                made.set_exception(error)

        self._hub.spawn(process, work, "pool")
        return made

    def shutdown(self, *_: Any, **__: Any) -> None:
        """Nothing is left to end: tasks end with their process."""
