"""Virtual time: runs tasks one at a time, in the order of the times for which they wait.

A task is a greenlet: a thread of a simulated process. It runs until it waits, so between two waits
nothing else happens. Everything that decides an order is a number from the seed, so a run with the
same seed is the same run.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from greenlet import getcurrent, greenlet

BEGINNING = 1_800_000_000.0  # Unix time in seconds at which a run begins


class Crashed(BaseException):
    """The process of the running task is gone; no `except Exception` of the product sees it."""


@dataclass(eq=False)
class SimProcess:
    """A process: its tasks end together when it crashes.

    Args:
        name: such as `reader-1`.
        skew: seconds by which its own clock is ahead of the true time.
    """

    name: str
    skew: float = 0.0
    is_dead: bool = False
    stopped_until: float = 0.0  # as by SIGSTOP: none of its tasks runs before
    tasks: "list[Task]" = field(default_factory=list)


class Task:
    """One thread of a process."""

    def __init__(self, process: SimProcess, work: Callable[[], None], name: str) -> None:
        self.process = process
        self.name = name
        self.waits = 0  # number of the wait that may be ended
        self.is_woken = False
        self.error: BaseException | None = None
        self.greenlet = greenlet(work)


class Hub:
    """Virtual time and its tasks.

    Args:
        seed: of the run.
    """

    def __init__(self, seed: str) -> None:
        self.now = 0.0  # seconds since the beginning
        self.events = 0
        self.dice = Random(f"{seed}:hub")
        self._queue: list[tuple[float, int, Task, int]] = []
        self._number = 0
        self._main = getcurrent()
        self._current: Task | None = None
        self.after_event: Callable[[], None] = lambda: None
        self.failed: Callable[[Task, BaseException], None] = lambda *_: None

    @property
    def unix(self) -> float:
        """The true Unix time in seconds."""
        return BEGINNING + self.now

    @property
    def process(self) -> SimProcess | None:
        """The process of the running task; None between tasks."""
        return None if self._current is None else self._current.process

    @property
    def task(self) -> Task | None:
        """The running task; None between tasks."""
        return self._current

    def spawn(self, process: SimProcess, work: Callable[[], None], name: str) -> Task:
        """Begin a task of a process."""

        def guarded() -> None:
            try:
                work()
            except Crashed:
                pass
            except Exception as error:
                task.error = error
                self.failed(task, error)

        task = Task(process, guarded, name)
        process.tasks.append(task)
        self._schedule(task, self.now)
        return task

    def sleep(self, seconds: float) -> None:
        """Let others run for some seconds; between tasks, do nothing."""
        if self._current is not None:
            self.park(max(0.0, seconds))

    def park(self, seconds: float | None) -> bool:
        """Wait until `wake`, at most for some seconds; return whether it was woken."""
        task = self._current
        if task is None:
            raise RuntimeError("nothing between tasks may wait")
        self._alive(task)
        task.is_woken = False
        task.waits += 1
        if seconds is not None:
            self._schedule(task, self.now + seconds)
        self._main.switch()
        self._alive(task)
        return task.is_woken

    def wake(self, task: Task) -> None:
        """End the wait of a task."""
        if not task.is_woken:
            task.is_woken = True
            self._schedule(task, self.now)

    def crash(self, process: SimProcess) -> None:
        """End a process between two steps: what it does from now on has no effect outside."""
        process.is_dead = True
        for task in process.tasks:
            if task is not self._current and not task.greenlet.dead:
                self._run(task, crashed=True)
        if self.process is process:
            raise Crashed

    def run(self, until: float) -> None:
        """Run tasks until a virtual time."""
        while self._queue and self._queue[0][0] <= until:
            at, _, task, wait = heapq.heappop(self._queue)
            if task.greenlet.dead or task.process.is_dead or wait != task.waits:
                continue
            stopped_until = task.process.stopped_until
            if stopped_until > max(at, self.now):
                self._schedule(task, stopped_until)
                continue
            self.now = max(self.now, at)
            self.events += 1
            self._run(task)
            self.after_event()
        self.now = max(self.now, until)

    def _run(self, task: Task, *, crashed: bool = False) -> None:
        before, self._current = self._current, task
        main, self._main = self._main, getcurrent()
        if not task.greenlet.dead:
            task.greenlet.parent = self._main  # where it returns to when it ends
        try:
            if not crashed:
                task.waits += 1  # what else would wake it comes too late
                task.greenlet.switch()
            elif task.greenlet:
                task.greenlet.throw(Crashed())
        finally:
            self._current, self._main = before, main

    def _schedule(self, task: Task, at: float) -> None:
        self._number += 1
        heapq.heappush(self._queue, (at, self._number, task, task.waits))

    @staticmethod
    def _alive(task: Task) -> None:
        if task.process.is_dead:
            raise Crashed
