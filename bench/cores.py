"""Which processor core runs what: a server has one to itself, and none of its clients is on it."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from bench.errors import BenchError


@dataclass(frozen=True)
class Cores:
    """The cores of a measurement.

    Args:
        server: of the server that is measured.
        load: of the load generator.
        others: of everything else: Redis, the stand-in GitHub, refreshers, ourselves.
    """

    server: int
    load: int
    others: frozenset[int]

    @classmethod
    def share_out(cls) -> "Cores":
        """Share out the cores that this process may use; two are needed.

        Raises:
            BenchError: there is one only.
        """
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise BenchError("two cores are needed: one for the server, one for the load")
        server, load, *others = cores
        return cls(server, load, frozenset(others or [load]))


@contextmanager
def on(cores: Iterable[int]) -> Iterator[None]:
    """Run on these cores only; so do processes started inside the block, for all their life."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def stand_back(pid: int) -> None:
    """Have a process run only while nobody else wants its core.

    Where it shares the load generator's, what is measured must not be how the two take turns.
    Threads that it starts from now on do the same.
    """
    os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


def cpu_seconds(pid: int) -> float:
    """The CPU seconds, user and system, that a process and all below it have taken so far.

    What a child took counts as its parent's once it has ended, as nginx's cache loader does.
    """
    parent = psutil.Process(pid)
    times = [process.cpu_times() for process in (parent, *parent.children(recursive=True))]
    return sum(
        taken.user + taken.system + taken.children_user + taken.children_system for taken in times
    )
