from concurrent.futures import ThreadPoolExecutor

from reader.cache.waiters import Waiters
from tests.builders import on_demand

USER = on_demand("/users/mona")
OTHER = on_demand("/users/hubot")
ONE, TWO = "192.0.2.1", "192.0.2.2"


def test_a_signal_before_the_wait_is_not_lost() -> None:
    waiters = Waiters()
    with waiters.waiting_for(USER, ONE) as waiter:
        waiters.notify(USER)
        assert waiter.wait(0)


def test_a_signal_during_the_wait_ends_it() -> None:
    waiters = Waiters()
    with waiters.waiting_for(USER, ONE) as waiter, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(waiter.wait, 30)
        waiters.notify(USER)
        assert waiting.result(30)


def test_a_signal_is_taken_once() -> None:
    waiters = Waiters()
    with waiters.waiting_for(USER, ONE) as waiter:
        waiters.notify(USER)
        waiters.notify(USER)
        assert waiter.wait(0)
        assert not waiter.wait(0)


def test_a_signal_after_a_wait_ends_the_next_one() -> None:
    waiters = Waiters()
    with waiters.waiting_for(USER, ONE) as waiter:
        assert not waiter.wait(0.001)
        waiters.notify(USER)
        assert waiter.wait(0)


def test_a_wait_without_a_signal_ends() -> None:
    with Waiters().waiting_for(USER, ONE) as waiter:
        assert not waiter.wait(0.001)


def test_a_signal_about_something_else_ends_no_wait() -> None:
    waiters = Waiters()
    with waiters.waiting_for(USER, ONE) as waiter:
        waiters.notify(OTHER)
        assert not waiter.wait(0)


def test_a_loss_of_news_is_signalled_to_every_waiter() -> None:
    waiters = Waiters()
    with waiters.waiting_for(USER, ONE) as one, waiters.waiting_for(OTHER, ONE) as other:
        waiters.notify_all()
        assert one.wait(0)
        assert other.wait(0)


def test_a_resource_has_a_waiter_inside_the_block_only() -> None:
    waiters = Waiters()
    assert not waiters.has_waiter(USER)
    with waiters.waiting_for(USER, ONE):
        assert waiters.has_waiter(USER)
        assert not waiters.has_waiter(OTHER)
    assert not waiters.has_waiter(USER)
    waiters.notify(USER)  # without a waiter, and so without effect


def test_the_end_of_a_wait_does_not_end_a_later_one() -> None:
    waiters = Waiters()
    first = waiters.waiting_for(USER, ONE)
    first.__enter__()
    with waiters.waiting_for(USER, ONE) as second:
        first.__exit__(None, None, None)
        waiters.notify(USER)
        assert second.wait(0)


def test_each_client_joins_a_wait_once() -> None:
    waiters = Waiters()
    with waiters.waiting_for(USER, ONE) as waiter:
        assert waiter.requested() == []
        joined = [waiters.joins(USER, client) for client in (ONE, TWO, TWO, ONE)]
    assert joined == [False, True, False, False]


def test_who_requests_the_refresh_does_it_for_those_who_joined_before() -> None:
    waiters = Waiters()
    with waiters.waiting_for(USER, ONE) as waiter:
        assert [waiters.joins(USER, client) for client in (TWO, TWO, "192.0.2.3")] == [False] * 3
        assert waiter.requested() == [TWO, "192.0.2.3"]
        assert waiter.requested() == []
        assert waiters.joins(USER, "192.0.2.4")


def test_without_a_wait_there_is_nothing_to_join() -> None:
    waiters = Waiters()
    with waiters.waiting_for(OTHER, ONE):
        assert not waiters.joins(USER, TWO)
    assert not waiters.joins(OTHER, TWO)


def test_the_estimate_is_that_of_the_waiter() -> None:
    waiters = Waiters()
    assert waiters.done_at(USER) == 0
    with waiters.waiting_for(USER, ONE) as waiter:
        waiter.done_at = 7.5
        assert waiters.done_at(USER) == 7.5
    assert waiters.done_at(USER) == 0
