"""Assigns processes to cores: a server has one to itself, its clients run on another."""

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
        server: runs the measured server.
        load: runs the load generator.
        others: run everything else: Redis, the stand-in GitHub, refreshers, this process.
    """

    server: int
    load: int
    others: frozenset[int]

    @classmethod
    def share_out(cls) -> "Cores":
        """Assign the cores that this process may use; two are needed.

        Raises:
            BenchError: there is only one.
        """
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise BenchError("two cores are needed: one for the server, one for the load")
        server, load, *others = cores
        return cls(server, load, frozenset(others or [load]))


@contextmanager
def on(cores: Iterable[int]) -> Iterator[None]:
    """Run on these cores inside the block; processes started there stay on them."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def stand_back(pid: int) -> None:
    """Give a process the lowest scheduling class: it runs only while its core is idle otherwise.

    It may share the load generator's core, and must not disturb the measurement there. Threads that
    it starts from now on have the same class.
    """
    os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


def cpu_seconds(pid: int) -> float:
    """CPU seconds, user and system, that a process and its descendants have used so far.

    Children that have ended count for their parent, such as nginx's cache loader.
    """
    parent = psutil.Process(pid)
    times = [process.cpu_times() for process in (parent, *parent.children(recursive=True))]
    return sum(
        taken.user + taken.system + taken.children_user + taken.children_system for taken in times
    )
