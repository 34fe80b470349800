from concurrent.futures import ThreadPoolExecutor

from reader.cache.waiters import Arrivals, News
from shared.redis.store import Look
from tests.builders import make_failure, on_demand

USER = on_demand("/users/mona")
OTHER = on_demand("/users/hubot")
NEWS = News(Look(None, None))
LATER = News(Look(None, make_failure()), turned_away=True)


def test_news_told_before_the_wait_is_not_lost() -> None:
    arrivals = Arrivals()
    with arrivals.expect(USER) as expected:
        arrivals.tell(USER, NEWS)
        assert expected.wait(0) is NEWS


def test_news_told_during_the_wait_ends_it() -> None:
    arrivals = Arrivals()
    with arrivals.expect(USER) as expected, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(expected.wait, 30)
        arrivals.tell(USER, NEWS)
        assert waiting.result(30) is NEWS


def test_news_is_taken_once() -> None:
    arrivals = Arrivals()
    with arrivals.expect(USER) as expected:
        arrivals.tell(USER, NEWS)
        expected.wait(0)
        assert expected.wait(0) is None


def test_of_two_pieces_of_news_the_later_counts() -> None:
    arrivals = Arrivals()
    with arrivals.expect(USER) as expected:
        arrivals.tell(USER, NEWS)
        arrivals.tell(USER, LATER)
        assert expected.wait(0) is LATER


def test_a_wait_without_news_ends_with_none() -> None:
    with Arrivals().expect(USER) as expected:
        assert expected.wait(0.001) is None


def test_news_of_something_else_is_not_told() -> None:
    arrivals = Arrivals()
    with arrivals.expect(USER) as expected:
        arrivals.tell(OTHER, NEWS)
        assert expected.wait(0) is None


def test_a_resource_is_expected_inside_the_block_only() -> None:
    arrivals = Arrivals()
    assert not arrivals.is_expected(USER)
    with arrivals.expect(USER):
        assert arrivals.is_expected(USER)
        assert not arrivals.is_expected(OTHER)
    assert not arrivals.is_expected(USER)
    arrivals.tell(USER, NEWS)  # to nobody, and so to no effect


def test_leaving_does_not_end_the_wait_of_who_came_later() -> None:
    arrivals = Arrivals()
    first = arrivals.expect(USER)
    first.__enter__()
    with arrivals.expect(USER) as second:
        first.__exit__(None, None, None)
        arrivals.tell(USER, NEWS)
        assert second.wait(0) is NEWS
