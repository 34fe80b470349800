"""Threads wait in the order in which they came; a freed place wakes one at once."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from redis import Redis

from refresher.errors import StoppedError
from refresher.github.auth.credentials import Token
from refresher.github.budget import Budget, Share
from refresher.github.turns import Turns
from tests.refresher.workbench import TOKEN, make_budget, make_settings


@pytest.fixture
def budget_of(redis: Redis) -> Callable[..., Budget]:
    def make(*, should_stop: Callable[[], bool] = lambda: False, **known: Any) -> Budget:
        settings = make_settings("http://github.invalid", github_api_token=TOKEN, **known)
        return make_budget(redis, settings, should_stop=should_stop)

    return make


def is_long(turns: Turns, length: int) -> bool:
    return len(turns._line) == length


def is_asleep(turns: Turns, number: int) -> bool:
    return len(turns._line) > number and not turns._line[number].is_set()


def until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.002)


def test_a_place_that_this_process_frees_is_taken_at_once() -> None:
    waited: list[float] = []

    def wait(event: threading.Event, seconds: float) -> None:
        began = time.monotonic()
        event.wait(30)  # instead of the pause after which it tries by itself
        waited.append(time.monotonic() - began)
        assert seconds <= 0.25

    turns = Turns(wait)
    with ThreadPoolExecutor(1) as threads:

        def join() -> bool:
            with turns.joined() as mine:
                return turns.comes(mine, pause=0.05)

        came = threads.submit(join)
        until(partial(is_asleep, turns, 0))
        turns.wake()
        assert came.result(10)
    assert waited[0] < 5


def test_each_freed_place_wakes_one_thread() -> None:
    turns = Turns(lambda event, _: event.wait(30))
    woken: list[int] = []
    stay = threading.Event()

    def join(number: int) -> None:
        with turns.joined() as mine:
            turns.comes(mine, pause=0.05)
            woken.append(number)
            stay.wait(30)

    with ThreadPoolExecutor(3) as threads:
        for number in range(3):
            threads.submit(join, number)
            until(partial(is_asleep, turns, number))
        turns.wake()
        until(lambda: woken == [0])
        turns.wake()
        until(lambda: woken == [0, 1])
        stay.set()
        turns.wake()


def test_many_threads_keep_within_the_places_and_all_are_served(
    budget_of: Callable[..., Budget],
) -> None:
    budget = budget_of(origin_concurrency=10, budget_reserve=0.2)
    limiter, lock = budget.limiter(Share.ON_DEMAND), threading.Lock()
    at_once, most = 0, 0

    def take(_: int) -> None:
        nonlocal at_once, most
        mine = limiter.reserve()
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.01)
        with lock:
            at_once -= 1
        limiter.settle(mine, 200, {})

    with ThreadPoolExecutor(30) as threads:
        list(threads.map(take, range(150)))
    assert most == 8


def test_a_process_that_shuts_down_stops_waiting(budget_of: Callable[..., Budget]) -> None:
    is_stopping = threading.Event()
    budget = budget_of(origin_concurrency=1, should_stop=is_stopping.is_set)
    limiter = budget.limiter(Share.TRACKED)
    limiter.reserve()
    with ThreadPoolExecutor(3) as threads:
        waiters = [threads.submit(limiter.reserve) for _ in range(3)]
        until(partial(is_long, budget._turns[Share.TRACKED], 3))
        is_stopping.set()
        for one in waiters:
            assert isinstance(one.exception(timeout=5), StoppedError)
    assert budget._turns[Share.TRACKED].is_empty


def test_who_gives_up_does_not_hold_up_the_next(budget_of: Callable[..., Budget]) -> None:
    budget = budget_of(origin_concurrency=1, miss_wait=0.3)
    held = budget.limiter(Share.TRACKED).reserve()
    with pytest.raises(StoppedError):
        budget.limiter(Share.ON_DEMAND).reserve()
    budget.limiter(Share.TRACKED).settle(held, 200, {})
    assert budget.limiter(Share.ON_DEMAND).reserve().credential == Token(TOKEN)
