from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Semaphore

import pytest

from reader.cache.single_flight import SingleFlight

PATIENCE = 30.0


class Key:
    """A key that counts how often it was looked up: once by each who joins."""

    def __init__(self) -> None:
        self.looked_up = Semaphore(0)

    def __hash__(self) -> int:
        self.looked_up.release()
        return 1

    def wait_for_joining(self, count: int) -> None:
        # The leader hashes the key once more, to put the flight down.
        for _ in range(count + 1):
            assert self.looked_up.acquire(timeout=PATIENCE)


def test_fifty_threads_make_one_call() -> None:
    flights: SingleFlight[object] = SingleFlight()
    key, calls = Key(), []

    def work() -> object:
        key.wait_for_joining(50)
        calls.append(1)
        return object()

    with ThreadPoolExecutor(50) as pool:
        joined = [pool.submit(flights.do, key, work, timeout=PATIENCE) for _ in range(50)]
        results = {id(flight.result()) for flight in joined}
    assert len(calls) == 1
    assert len(results) == 1


def test_what_the_call_raises_is_raised_by_all() -> None:
    flights: SingleFlight[None] = SingleFlight()
    key, calls = Key(), []

    def work() -> None:
        key.wait_for_joining(10)
        calls.append(1)
        raise LookupError("no luck")

    with ThreadPoolExecutor(10) as pool:
        joined = [pool.submit(flights.do, key, work, timeout=PATIENCE) for _ in range(10)]
        errors = [flight.exception() for flight in joined]
    assert [repr(error) for error in errors] == ["LookupError('no luck')"] * 10
    assert len(calls) == 1


def test_a_call_after_the_flight_works_anew() -> None:
    flights: SingleFlight[int] = SingleFlight()
    numbers = iter(range(3))
    assert [flights.do("key", lambda: next(numbers), timeout=1) for _ in range(3)] == [0, 1, 2]


def test_a_call_after_a_failed_flight_works_anew() -> None:
    flights: SingleFlight[float] = SingleFlight()
    with pytest.raises(ZeroDivisionError):
        flights.do("key", lambda: 1 / 0, timeout=1)
    assert flights.do("key", lambda: 2.0, timeout=1) == 2.0


def test_different_keys_are_different_flights() -> None:
    flights: SingleFlight[str] = SingleFlight()

    def outer() -> str:
        return "outer and " + flights.do("b", lambda: "inner", timeout=1)

    assert flights.do("a", outer, timeout=1) == "outer and inner"


def test_a_follower_waits_no_longer_than_its_time_and_disturbs_nobody() -> None:
    flights: SingleFlight[str] = SingleFlight()
    under_way, may_end = Event(), Event()

    def work() -> str:
        under_way.set()
        assert may_end.wait(PATIENCE)
        return "late"

    with ThreadPoolExecutor(1) as pool:
        leader: Future[str] = pool.submit(flights.do, "key", work, timeout=PATIENCE)
        assert under_way.wait(PATIENCE)
        with pytest.raises(TimeoutError):
            flights.do("key", lambda: "never", timeout=0.001)
        may_end.set()
        assert leader.result(PATIENCE) == "late"
