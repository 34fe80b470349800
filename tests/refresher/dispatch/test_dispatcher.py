"""Jobs that were taken are run, whatever else fails; with a real Redis."""

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from threading import Event, Thread

import pytest
from redis import Redis

from refresher.dispatch.dispatcher import Dispatcher
from refresher.dispatch.slots import Slots
from refresher.dispatch.take import JobTaker, TakenJob
from shared.clock import SYSTEM
from shared.queueing import QueueLimits, RefreshQueue
from shared.redis.scripts import Batch
from tests.builders import on_demand, waiting
from tests.refresher.workbench import make_settings
from tests.waiting import eventually


class NoRecords:
    def add(self, batch: Batch) -> Callable[[], None]:  # noqa: ARG002
        return lambda: None


class FailingRecords(NoRecords):
    """A record that Redis refuses to write."""

    def add(self, batch: Batch) -> Callable[[], None]:
        batch.pipeline.lpush("of-another-type", 1)
        return super().add(batch)


MakeDispatcher = Callable[..., Dispatcher]


@pytest.fixture
def make_dispatcher(redis: Redis) -> Iterator[MakeDispatcher]:
    """Dispatchers whose threads have ended when the test has."""
    made: list[Dispatcher] = []

    def make(
        run: Callable[[TakenJob], None], *, total: int = 4, records: NoRecords | None = None
    ) -> Dispatcher:
        made.append(
            Dispatcher(
                redis,
                JobTaker(redis, make_settings("http://github.invalid")),
                Slots(total, reserve=0.2),
                records=records or NoRecords(),
                run=run,
                clock=SYSTEM,
            )
        )
        return made[-1]

    yield make
    for one in made:
        one.stop()
        assert one.end(10)


@pytest.fixture
def queue(redis: Redis) -> RefreshQueue:
    return RefreshQueue(redis, QueueLimits())


def test_a_record_that_cannot_be_written_loses_no_job(
    make_dispatcher: MakeDispatcher, redis: Redis, queue: RefreshQueue
) -> None:
    redis.set("of-another-type", "a string")
    done: list[str] = []
    dispatcher = make_dispatcher(lambda job: done.append(job.id), records=FailingRecords())
    queue.ask(waiting(on_demand("/users/mona")))
    assert dispatcher.take()
    assert eventually(lambda: len(done) == 1)
    assert dispatcher.wait_until_idle(5)


def test_the_next_job_begins_as_soon_as_one_has_ended(
    make_dispatcher: MakeDispatcher, redis: Redis, queue: RefreshQueue
) -> None:
    begun: list[float] = []

    def run(_: TakenJob) -> None:
        begun.append(time.monotonic())
        time.sleep(0.05)

    dispatcher = make_dispatcher(run, total=1)
    queue.ask_all([waiting(on_demand(f"/users/u{number}")) for number in range(6)])
    dispatcher.take()  # once; what follows is taken by the thread whose job has ended
    assert eventually(lambda: len(begun) == 6)
    assert max(later - sooner for sooner, later in pairwise(begun)) < 0.5


def test_a_bell_wakes_it_at_once(
    make_dispatcher: MakeDispatcher, redis: Redis, queue: RefreshQueue
) -> None:
    began = Event()
    dispatcher = make_dispatcher(lambda _: began.set())
    thread = Thread(target=dispatcher.step)
    thread.start()
    time.sleep(0.2)
    asked_at = time.monotonic()
    queue.ask(waiting(on_demand("/users/mona")))
    assert began.wait(5)
    assert time.monotonic() - asked_at < 0.7  # a tick is a second
    thread.join()


def test_a_job_that_raises_leaves_its_slot(
    make_dispatcher: MakeDispatcher, redis: Redis, queue: RefreshQueue
) -> None:
    def run(_: TakenJob) -> None:
        raise KeyError("unexpected")

    dispatcher = make_dispatcher(run, total=1)
    queue.ask_all([waiting(on_demand(f"/users/u{number}")) for number in range(3)])
    dispatcher.take()
    assert eventually(lambda: queue.length() == 0)
    assert dispatcher.wait_until_idle(5)


def test_after_stop_no_further_job_is_taken(
    make_dispatcher: MakeDispatcher, redis: Redis, queue: RefreshQueue
) -> None:
    dispatcher = make_dispatcher(lambda _: None)
    dispatcher.stop()
    queue.ask(waiting(on_demand("/users/mona")))
    assert dispatcher.take()
    assert queue.length() == 1


def test_a_job_that_hangs_does_not_keep_it_from_ending(
    make_dispatcher: MakeDispatcher, queue: RefreshQueue
) -> None:
    released = Event()
    dispatcher = make_dispatcher(lambda _: released.wait(10))
    queue.ask(waiting(on_demand("/users/mona")))
    dispatcher.take()
    dispatcher.stop()
    began = time.monotonic()
    assert not dispatcher.end(0.1)
    assert time.monotonic() - began < 1
    released.set()
    assert dispatcher.end(5)
