"""One thread keeps all locks of a process, and one slow extension delays no other."""

import threading
from collections.abc import Callable, Iterator
from threading import Event, Lock

import pytest

from refresher.lock import lock_keeper
from refresher.lock.lock_keeper import LockKeeper
from tests.waiting import eventually

PATIENCE = 30.0  # seconds after which something that should have happened has not
PAUSE = 0.005


class Kept:
    """A lock that is always due, and counts how often it was extended.

    Args:
        extend: called by each extension; returns whether the lock is still held.
    """

    def __init__(self, extend: Callable[[], bool] = lambda: True) -> None:
        self.is_due = True
        self.extensions = 0
        self.at_once = 0  # the most extensions of this lock at the same time
        self._extend = extend
        self._running = 0
        self._lock = Lock()

    def extend_if_due(self) -> bool:
        with self._lock:
            self.extensions += 1
            self._running += 1
            self.at_once = max(self.at_once, self._running)
        try:
            return self._extend()
        finally:
            with self._lock:
                self._running -= 1

    def is_extended_again(self) -> bool:
        """Whether it is extended from now on."""
        before = self.extensions
        return bool(eventually(lambda: self.extensions > before + 1, every=PAUSE))


@pytest.fixture
def keeper() -> Iterator[LockKeeper]:
    keeper = LockKeeper(pause=PAUSE)
    yield keeper
    keeper.close()


def test_each_lock_is_extended_as_long_as_it_is_kept(keeper: LockKeeper) -> None:
    one, other = Kept(), Kept()
    keeper.keep(one)
    keeper.keep(other)
    assert one.is_extended_again()
    assert other.is_extended_again()
    keeper.drop(one)
    before = one.extensions
    assert other.is_extended_again()
    assert one.extensions == before


def test_a_lock_that_is_not_due_is_left_alone(keeper: LockKeeper) -> None:
    early, due = Kept(), Kept()
    early.is_due = False
    keeper.keep(early)
    keeper.keep(due)
    assert due.is_extended_again()
    assert early.extensions == 0


def test_a_lock_that_is_lost_is_extended_no_more(keeper: LockKeeper) -> None:
    lost, kept = Kept(lambda: False), Kept()
    keeper.keep(lost)
    keeper.keep(kept)
    assert eventually(lambda: lost.extensions)
    assert kept.is_extended_again()
    assert lost.extensions == 1
    keeper.drop(lost)  # no error


def test_a_lock_whose_extension_raises_ends_no_other(keeper: LockKeeper) -> None:
    def fail() -> bool:
        raise ZeroDivisionError

    broken, kept = Kept(fail), Kept()
    keeper.keep(broken)
    keeper.keep(kept)
    assert eventually(lambda: broken.extensions)
    assert kept.is_extended_again()
    keeper.drop(broken)  # does not wait for ever


def test_slow_extensions_delay_no_other_and_none_is_extended_twice_at_once(
    keeper: LockKeeper,
) -> None:
    go_on = Event()
    slow = [Kept(lambda: go_on.wait(PATIENCE)) for _ in range(7)]
    quick = Kept()
    for one in (*slow, quick):
        keeper.keep(one)
    assert eventually(lambda: all(one.extensions for one in slow))
    assert quick.is_extended_again()
    assert [one.extensions for one in slow] == [1] * 7
    go_on.set()
    assert all(one.is_extended_again() for one in slow)
    assert {one.at_once for one in (*slow, quick)} == {1}


def test_dropping_waits_for_an_extension_that_is_under_way(keeper: LockKeeper) -> None:
    # Otherwise the extension could bring a lock back that was just released.
    go_on = Event()
    slow = Kept(lambda: go_on.wait(PATIENCE))
    keeper.keep(slow)
    assert eventually(lambda: slow.extensions)
    dropped = Event()

    def drop() -> None:
        keeper.drop(slow)
        dropped.set()

    dropping = threading.Thread(target=drop)
    dropping.start()
    assert not dropped.wait(10 * PAUSE)
    go_on.set()
    assert dropped.wait(PATIENCE)
    dropping.join()
    assert slow.extensions == 1


def test_a_dropped_lock_may_be_kept_again(keeper: LockKeeper) -> None:
    one = Kept()
    for _ in range(2):
        keeper.keep(one)
        assert one.is_extended_again()
        keeper.drop(one)


def test_the_watchdog_is_called_while_a_lock_is_held_and_only_then() -> None:
    calls, lock = Kept(), Kept()

    def watchdog() -> None:
        calls.extend_if_due()

    keeper = LockKeeper(pause=PAUSE, watchdog=watchdog)
    keeper.keep(lock)
    assert calls.is_extended_again()
    keeper.drop(lock)
    before = calls.extensions
    assert not Event().wait(10 * PAUSE)
    assert calls.extensions <= before + 1  # one may have been under way
    keeper.close()


def test_it_has_no_thread_before_the_first_lock_and_none_after_its_end() -> None:
    before = set(threading.enumerate())
    keeper = LockKeeper(pause=PAUSE)
    assert set(threading.enumerate()) == before
    locks = [Kept() for _ in range(50)]
    for lock in locks:
        keeper.keep(lock)
    assert eventually(lambda: all(lock.extensions for lock in locks))
    # One that decides, and those that extend.
    assert len(set(threading.enumerate()) - before) <= 1 + lock_keeper._AT_ONCE
    keeper.close()
    assert set(threading.enumerate()) <= before
