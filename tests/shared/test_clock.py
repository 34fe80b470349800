"""Redis's clock, as a process knows it, whatever the process's own clock shows."""

import os
import time
from dataclasses import dataclass, field
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from shared.clock import SYSTEM, Clock, FleetClock
from tests.builders import NOW


@dataclass
class Machine:
    """A machine whose own clock is wrong, and a Redis whose clock is right by definition."""

    own_error: float = 0.0
    redis: float = NOW
    up: float = 50.0
    clock: FleetClock = field(init=False)

    def __post_init__(self) -> None:
        own = Clock(lambda: self.redis + self.own_error, lambda: self.up, lambda _: None)
        self.clock = FleetClock(own)

    def pass_time(self, seconds: float) -> None:
        self.redis += seconds
        self.up += seconds

    def measure(self, *, out: float = 0.0, back: float = 0.0) -> None:
        """Measure with so many seconds on the way to Redis, and on the way back."""
        sent_at = self.clock.monotonic()
        self.pass_time(out)
        redis_time = self.redis
        self.pass_time(back)
        self.clock.heard(redis_time, sent_at=sent_at)


def test_before_a_measurement_it_shows_the_process_s_own_time() -> None:
    machine = Machine(own_error=-600)
    assert machine.clock.now() == NOW - 600
    assert machine.clock.skew is None


@pytest.mark.parametrize("error", [-3600, -600, 0, 600, 3600])
def test_it_shows_redis_s_time_whatever_the_own_clock_shows(error: float) -> None:
    machine = Machine(own_error=error)
    machine.measure()
    machine.pass_time(100)
    machine.own_error -= 7200  # it jumps
    assert machine.clock.now() == pytest.approx(NOW + 100)


def test_half_a_round_trip_is_added() -> None:
    machine = Machine()
    machine.measure(out=0.2, back=0.2)
    assert machine.clock.now() == pytest.approx(machine.redis)


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3), st.floats(0, 100)), min_size=1))
def test_it_is_never_wrong_by_more_than_half_of_the_shortest_round_trip(
    trips: list[tuple[float, float, float]],
) -> None:
    machine = Machine()
    for out, back, pause in trips:
        machine.measure(out=out, back=back)
        machine.pass_time(pause)
    shortest = min(out + back for out, back, _ in trips)
    drift = 0.0005 * sum(map(sum, trips))
    assert abs(machine.clock.now() - machine.redis) <= shortest / 2 + drift + 1e-5


def test_a_slow_measurement_moves_nothing_after_a_quick_one() -> None:
    machine = Machine()
    machine.measure(out=0.0005, back=0.0005)
    before = machine.clock.now()
    machine.measure(out=2.9)
    assert machine.clock.now() - before == pytest.approx(2.9, abs=0.001)


@pytest.mark.parametrize("step", [-3600, -1, 1, 3600])
def test_it_follows_a_redis_whose_clock_is_set(step: float) -> None:
    machine = Machine()
    machine.measure(out=0.001, back=0.001)
    machine.redis += step
    machine.measure(out=0.001, back=0.001)
    assert machine.clock.now() == pytest.approx(machine.redis)


def test_a_clock_that_drifts_is_followed() -> None:
    machine = Machine()
    for _ in range(10_000):
        machine.measure(out=0.001, back=0.001)
        machine.pass_time(1)
        machine.up += 0.0004  # the monotonic clock is fast
    assert machine.clock.now() == pytest.approx(machine.redis, abs=0.005)


@pytest.mark.parametrize("error", [-3600, -3, 3, 3600])
def test_the_skew_is_how_far_the_own_clock_is_ahead(error: float) -> None:
    machine = Machine(own_error=error)
    machine.measure()
    assert machine.clock.skew == pytest.approx(error)


def test_a_slow_response_is_no_skew() -> None:
    machine = Machine()
    machine.measure(out=2.9)
    assert machine.clock.skew == pytest.approx(0)


def test_redis_is_asked(redis: Redis) -> None:
    clock = FleetClock(Clock(lambda: 0.0, time.monotonic, time.sleep))
    clock.measure(redis)
    began = time.monotonic()
    seconds, microseconds = redis.time()
    now, took = clock.now(), time.monotonic() - began
    assert now == pytest.approx(seconds + microseconds / 1e6, abs=1 + took)


def test_durations_are_those_of_the_own_clock() -> None:
    clock = FleetClock().clock
    assert (clock.monotonic, clock.sleep) == (SYSTEM.monotonic, SYSTEM.sleep)


def test_many_threads_may_measure_and_read_at_once() -> None:
    machine = Machine(own_error=3600)
    machine.measure()
    wrong: list[float] = []

    def use() -> None:
        for _ in range(2000):
            machine.measure()
            if abs(machine.clock.now() - NOW) > 1:
                wrong.append(machine.clock.now())

    threads = [Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_forked_process_knows_what_was_measured() -> None:
    clock = FleetClock(Clock(lambda: 0.0, time.monotonic, time.sleep))
    clock.heard(NOW, sent_at=clock.monotonic())
    pid = os.fork()
    if not pid:
        os._exit(0 if abs(clock.now() - NOW) < 60 else 1)
    assert os.waitpid(pid, 0)[1] == 0
