from concurrent.futures import ThreadPoolExecutor

from reader.cache.waiters import CheckResult, Waiters
from shared.redis.store import EntryState
from tests.builders import make_failure, on_demand

USER = on_demand("/users/mona")
OTHER = on_demand("/users/hubot")
RESULT = CheckResult(EntryState(None, None))
LATER = CheckResult(EntryState(None, make_failure()), turned_away=True)


def test_news_told_before_the_wait_is_not_lost() -> None:
    waiters = Waiters()
    with waiters.waiting_for(USER) as expected:
        waiters.tell(USER, RESULT)
        assert expected.wait(0) is RESULT


def test_news_told_during_the_wait_ends_it() -> None:
    waiters = Waiters()
    with waiters.waiting_for(USER) as expected, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(expected.wait, 30)
        waiters.tell(USER, RESULT)
        assert waiting.result(30) is RESULT


def test_news_is_taken_once() -> None:
    waiters = Waiters()
    with waiters.waiting_for(USER) as expected:
        waiters.tell(USER, RESULT)
        expected.wait(0)
        assert expected.wait(0) is None


def test_of_two_pieces_of_news_the_later_counts() -> None:
    waiters = Waiters()
    with waiters.waiting_for(USER) as expected:
        waiters.tell(USER, RESULT)
        waiters.tell(USER, LATER)
        assert expected.wait(0) is LATER


def test_a_wait_without_news_ends_with_none() -> None:
    with Waiters().waiting_for(USER) as expected:
        assert expected.wait(0.001) is None


def test_news_of_something_else_is_not_told() -> None:
    waiters = Waiters()
    with waiters.waiting_for(USER) as expected:
        waiters.tell(OTHER, RESULT)
        assert expected.wait(0) is None


def test_a_resource_is_expected_inside_the_block_only() -> None:
    waiters = Waiters()
    assert not waiters.has_waiter(USER)
    with waiters.waiting_for(USER):
        assert waiters.has_waiter(USER)
        assert not waiters.has_waiter(OTHER)
    assert not waiters.has_waiter(USER)
    waiters.tell(USER, RESULT)  # to nobody, and so to no effect


def test_leaving_does_not_end_the_wait_of_who_came_later() -> None:
    waiters = Waiters()
    first = waiters.waiting_for(USER)
    first.__enter__()
    with waiters.waiting_for(USER) as second:
        first.__exit__(None, None, None)
        waiters.tell(USER, RESULT)
        assert second.wait(0) is RESULT
