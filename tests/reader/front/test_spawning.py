"""A system that cannot start a process for a while does not end those that it has."""

import logging

import pytest

from reader.front.spawning import PatientSpawning

NO_PROCESS = BlockingIOError(11, "Resource temporarily unavailable")


class Spawn:
    """Fails a number of times, then gives the ids 1, 2, 3 ..."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self.failures:
            raise NO_PROCESS
        return self.calls - self.failures


def test_the_next_tries_come_after_pauses_that_grow(caplog: pytest.LogCaptureFixture) -> None:
    now, spawn = [100.0], Spawn(failures=8)
    spawning = PatientSpawning(spawn, stopwatch=lambda: now[0], pid=lambda: 7)
    tries = []
    with caplog.at_level(logging.WARNING):
        while spawning() is None:
            tries.append(now[0])
            now[0] += 1
    assert spawn.calls == 9
    assert now[0] - 100 == 1 + 2 + 4 + 8 + 16 + 30 + 30 + 30
    *failed, ended = caplog.messages
    assert len(failed) == 8
    assert "Resource temporarily unavailable; next try in 30 s" in failed[-1]
    assert ended == "processes can be started again; for 2 min 1 s they could not be"
    assert spawning() == 2, "at once"


def test_a_new_process_does_not_go_on_as_an_arbiter() -> None:
    pids = iter([7, 8])
    spawning = PatientSpawning(Spawn(failures=1), stopwatch=lambda: 0.0, pid=lambda: next(pids))
    with pytest.raises(BlockingIOError):
        spawning()
