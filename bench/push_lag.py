"""Delay between a write and every reader process serving it: `python -m bench.push_lag`.

Four reader processes serve a steady load. A refresher repeatedly stores a new version of the list
of repositories. From its announcement on, each process is polled for the list's ETag, on a
connection of its own, until the ETag is the new one.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

from bench.cores import Cores, on
from bench.figures import percentile
from bench.refreshing import Announced, Refresher
from bench.servers import CACHE_TTL
from bench.steady_load import Load, SteadyLoad
from bench.version_watcher import VersionWatcher
from bench.workloads import LIST, SMALL
from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

Watcher = TypeVar("Watcher")
_POLL = 0.002  # seconds between two polls of one process


@dataclass(frozen=True)
class PushLag:
    """The plan of a measurement.

    Args:
        updates: number of new versions.
        processes: reader processes.
        rate: small requests a second, in addition to the polls.
    """

    updates: int = 40
    processes: int = 4
    rate: float = 200.0


def measure(plan: PushLag, cores: Cores) -> list[list[float]]:
    """Seconds from each write until each process served it, one list per write.

    Raises:
        BenchError: a refresh or a request failed, or a process never served the new version.
    """
    with ExitStack() as stack:
        reserve = stack.enter_context
        folder = Path(reserve(tempfile.TemporaryDirectory()))
        github = reserve(FakeGitHubProcess(anonymous_limit=1_000_000))
        fleet = reserve(Fleet(folder, github.url, CACHE_TTL=CACHE_TTL))
        worker = fleet.worker()
        with on({cores.server}):
            reader = fleet.healthy_reader(WEB_CONCURRENCY=plan.processes)
        eventually(lambda: all(reader.is_healthy() for _ in range(40)), what="all are healthy")
        worker.stop()
        processes = [reserve(process) for process in watch_each(reader)]
        assert len(processes) == plan.processes
        announced = reserve(Announced(reserve(fleet.redis())))
        refresher = reserve(Refresher(fleet.environment()))
        steady = reserve(SteadyLoad(Load(_port(reader), SMALL, plan.rate), core=cores.load))
        threads = reserve(ThreadPoolExecutor(plan.processes))
        lags = []
        for number in range(plan.updates):
            # Avoid a fixed phase relative to what happens once a second.
            time.sleep(random.uniform(0.1, 0.4))  # noqa: S311
            github.mutate("star", repo=number)
            refresher.begin(LIST)
            written = announced.wait(LIST)
            served = threads.map(_wait, processes)
            lags.append([moment - written for moment in served])
            refresher.end()
        steady.stop()
        return lags


def _wait(process: VersionWatcher) -> float:
    return process.wait_for_new_version(every=_POLL)


def watch_each(reader: Reader) -> list[VersionWatcher]:
    """A watcher for each process."""
    return connect_to_each(reader, VersionWatcher)


def connect_to_each(reader: Reader, connect: Callable[[int], Watcher]) -> list[Watcher]:
    """A connection to each process, made while all others are suspended.

    Args:
        reader: with several processes.
        connect: makes a connection to a port, and sends a request.
    """
    workers = reader.family()[1:]
    found = []
    for worker in workers:
        others = [other for other in workers if other != worker]
        try:
            for other in others:
                other.suspend()
            eventually(lambda: _all_are_suspended(others), every=0.001)  # noqa: B023
            found.append(connect(_port(reader)))
        finally:
            for other in others:
                other.resume()
    return found


def _all_are_suspended(processes: Sequence[psutil.Process]) -> bool:
    return all(process.status() == psutil.STATUS_STOPPED for process in processes)


def table(lags: Sequence[Sequence[float]]) -> str:
    """Percentiles of the lags, of single processes and of the last process of each write."""
    rows = {
        "until one process serves it": [lag for of_write in lags for lag in of_write],
        "until all processes do": [max(of_write) for of_write in lags],
    }
    lines = [f"{'milliseconds after a write':30}{'p50':>8}{'p99':>8}{'worst':>8}"]
    for name, values in rows.items():
        p50, p99, worst = (1000 * percentile(values, percent) for percent in (50, 99, 100))
        lines.append(f"{name:30}{p50:>8.1f}{p99:>8.1f}{worst:>8.1f}")
    return "\n".join(lines)


def _port(reader: Reader) -> int:
    return int(reader.url.rpartition(":")[2])


def main() -> int:
    """Measure and print."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    cores = Cores.share_out()
    os.sched_setaffinity(0, cores.others)
    print(table(measure(PushLag(), cores)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
