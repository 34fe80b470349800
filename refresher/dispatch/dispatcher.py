"""Runs the jobs of one refresher in threads: hands them out, and takes the next ones as they end.

One thread at a time takes jobs for all free slots. A thread whose job has ended does so if no
other thread is doing it, so the next job begins at once. When the queue is empty, the main thread
waits for the bell of a lane that has room.
"""

import logging
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Condition, Thread
from typing import Protocol

from redis import Redis, RedisError

from refresher.dispatch.slots import Slots
from refresher.dispatch.take import JobTaker, Taken, TakenJob, taken_from
from shared.clock import Clock
from shared.queue_order import Lane
from shared.redis import keys
from shared.redis.connection import reason_of
from shared.redis.scripts import Batch
from shared.redis.trouble import trouble_of

log = logging.getLogger("refresher")

# Seconds after which the queue is checked without a bell, in case one was lost.
TICK = 1.0
_PAUSE = 0.5  # seconds before the next try after Redis failed


class Records(Protocol):
    """What must be written about jobs; written in the round trip that takes the next ones."""

    def add(self, batch: Batch) -> Callable[[], None]:
        """Add what is to be written to a batch; return what to call once it is written."""


class Dispatcher:
    """Takes jobs and runs them.

    Args:
        redis: the fleet's Redis.
        taker: takes jobs from the queue.
        slots: how many jobs run at the same time.
        records: what is written about ended jobs.
        run: runs one job; called in many threads; must not raise.
        clock: the process's clock.
    """

    def __init__(
        self,
        redis: Redis,
        taker: JobTaker,
        slots: Slots,
        *,
        records: Records,
        run: Callable[[TakenJob], None],
        clock: Clock,
    ) -> None:
        self._redis = redis
        self._taker = taker
        self._slots = slots
        self._records = records
        self._run = run
        self._clock = clock
        self._changed = Condition()
        self._is_taking = False
        self._must_take_again = False
        self._again_at = 0.0  # `clock.monotonic()` at which on-demand jobs may be taken again
        self._jobs: SimpleQueue[TakenJob | None] = SimpleQueue()  # None ends a thread
        self._threads: list[Thread] = []
        self._is_stopped = False
        self._is_away = False
        self.is_suspended = False

    @property
    def running(self) -> dict[Lane, int]:
        """Number of running jobs in each lane."""
        with self._changed:
            return dict(self._slots.running)

    def stop(self) -> None:
        """Take no more jobs; may be called by a signal handler."""
        self._is_stopped = True

    def end(self, seconds: float) -> bool:
        """After `stop`: let running jobs end, and their threads, so that none uses Redis any more.

        Args:
            seconds: for which it waits at most.

        Returns:
            Whether all have ended.
        """
        until = self._clock.monotonic() + seconds
        is_idle = self.wait_until_idle(seconds)
        threads = list(self._threads)
        for _ in threads:
            self._jobs.put(None)
        for thread in threads:
            thread.join(max(0.0, until - self._clock.monotonic()) if is_idle else 0.0)
        return not any(thread.is_alive() for thread in threads)

    @property
    def is_idle(self) -> bool:
        """Whether no job runs."""
        return not any(self.running.values())

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until no job runs, at most so many seconds; return whether none runs."""
        with self._changed:
            return self._changed.wait_for(lambda: not any(self._slots.running.values()), seconds)

    def step(self, *, is_patient: bool = True) -> bool:
        """Wait until there may be jobs, at most for a tick; then take what can be taken.

        Nothing comes between the bell and the taking: it would delay a job.

        Args:
            is_patient: wait for a bell first.

        Returns:
            Whether Redis responded.
        """
        waits = is_patient and not self._is_stopped
        is_there = (not waits or self._wait_for_bell()) and self.take()
        if not is_there:
            self._clock.sleep(_PAUSE)
        return is_there

    def take(self) -> bool:
        """Take jobs for all free slots, unless another thread is doing so.

        Returns:
            Whether Redis responded.
        """
        with self._changed:
            if self._is_taking:
                self._must_take_again = True
                return True
            self._is_taking = True
        is_there = False
        try:
            is_there = self._guarded(self._take_once)
            while is_there and self._must_continue():
                is_there = self._guarded(self._take_once)
        finally:
            if not is_there:
                with self._changed:
                    self._is_taking = False
        return is_there

    def _must_continue(self) -> bool:
        """Whether another thread asked to take again; if not, the next caller may take."""
        with self._changed:
            self._is_taking = self._must_take_again
            return self._is_taking

    def _take_once(self) -> None:
        with self._changed:
            self._must_take_again = False
            wanted, free = self._slots.wanted(), self._slots.free
        taken = self._ask_queue([] if self._is_stopped else wanted, free)
        with self._changed:
            for job in taken.jobs:
                self._slots.enter(job.lane)
            missing = self._slots.total - self._slots.free - len(self._threads)
        for _ in range(missing):
            self._start_thread()
        for job in taken.jobs:
            self._jobs.put(job)

    def _ask_queue(self, wanted: Sequence[tuple[Lane, int]], free: int) -> Taken:
        batch = Batch(self._redis)
        written = self._records.add(batch)
        self._taker.add(batch, wanted, most=free)
        *replies, reply = batch.execute_all()
        if isinstance(reply, RedisError):
            raise reply
        # Jobs are taken, whatever could not be written of others.
        failed = next((one for one in replies if isinstance(one, RedisError)), None)
        if failed is not None and trouble_of(failed) is None:
            log.error("reports of refreshes could not be written: %s", failed)
        taken = taken_from(reply)
        written()
        self.is_suspended = taken.is_suspended
        self._again_at = self._clock.monotonic() + taken.again if taken.again else 0.0
        return taken

    def _wait_for_bell(self) -> bool:
        now = self._clock.monotonic()
        patience = TICK if self._again_at <= now else min(TICK, self._again_at - now)
        with self._changed:
            lanes = [lane for lane, _ in self._slots.wanted()]
            if self._again_at > now:
                lanes = [lane for lane in lanes if lane is not Lane.ON_DEMAND]
            if not lanes or self.is_suspended:
                self._changed.wait(patience)
                return True
        bells = [keys.bell(lane) for lane in lanes]
        return self._guarded(lambda: self._redis.blpop(bells, timeout=patience))

    def _guarded(self, step: Callable[[], object]) -> bool:
        """Whether Redis responded; log the beginning and the end of an outage."""
        try:
            step()
        except RedisError as error:
            if (
                trouble_of(error) is not None
            ):  # it is not away; the trouble is logged when it is met
                return False
            if not self._is_away:
                log.error("Redis is away: %s", reason_of(error))
            self._is_away = True
            return False
        if self._is_away:
            log.warning("Redis is back")
        self._is_away = False
        return True

    def _start_thread(self) -> None:
        # A daemon: a job that hangs must not keep the process from ending.
        name = f"refresh-{len(self._threads) + 1}"
        self._threads.append(Thread(target=self._work, name=name, daemon=True))
        self._threads[-1].start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._run(job)
            except Exception:
                log.exception("unexpected error while running job %s", job.id)
            with self._changed:
                self._slots.leave(job.lane)
                self._changed.notify_all()
            self.take()
