"""Effect of taking over a huge new version on other requests: `python -m bench.pauses`.

One reader process serves a small object at a steady rate. Meanwhile a refresher stores a new
version of a list of 7,000 repositories (40 MB), and the reader takes it over. The requests' times
during that are compared with those just before, when nothing else happened.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cores import Cores, on, stand_back
from bench.figures import percentile
from bench.refreshing import Announced, Refresher
from bench.servers import CACHE_TTL
from bench.steady_load import Load, SteadyLoad, Timed, keeps_up, of_window
from bench.version_watcher import VersionWatcher
from bench.workloads import LIST, SMALL
from tests.end_to_end.fleet import Fleet
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

_MARGIN = 0.5  # seconds before the announcement and after the take-over that belong to it
_QUIET = 4.0  # seconds without other work before each swap
_POLL = 0.01  # seconds between two polls of the version served
_FILLING = 120.0  # seconds for the first refresh, at most


@dataclass(frozen=True)
class Pauses:
    """The plan of a measurement.

    Args:
        repositories: in the huge list.
        swaps: number of new versions, one after the other.
        rate: small requests a second.
    """

    repositories: int = 7000
    swaps: int = 4
    rate: float = 500.0


@dataclass(frozen=True)
class Window:
    """The requests of a period; times in milliseconds.

    Args:
        requests: their number.
        p99: 99th percentile of their times.
        worst: the longest time.
        generator: the load generator's own largest delay, which is part of the two above.
    """

    requests: int
    p99: float
    worst: float
    generator: float

    @classmethod
    def of(cls, timed: Sequence[Timed]) -> "Window":
        """The window of at least one request."""
        took = [1000 * one.took for one in timed]
        late = max(1000 * one.noticed for one in timed)
        return cls(len(timed), percentile(took, 99), max(took), late)


@dataclass(frozen=True)
class Swap:
    """One new version.

    Args:
        size: bytes of its body.
        taken_over: seconds from the announcement of the write until it was served.
        before: as long as `during`, within the quiet time before the refresh.
        during: from shortly before the write until shortly after the take-over.
        keeps_up: whether the reader kept up with the rate before; if not, the times only say how
            far behind it was.
    """

    size: int
    taken_over: float
    before: Window
    during: Window
    keeps_up: bool


def measure(plan: Pauses, cores: Cores) -> list[Swap]:
    """Swap the list as often as planned, under a steady load.

    Raises:
        BenchError: a refresh failed, or a request did.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        FakeGitHubProcess(repos=plan.repositories, members=1, anonymous_limit=1_000_000) as github,
        # A refresher that stands back may be slow to extend its lock.
        Fleet(Path(folder), github.url, CACHE_TTL=CACHE_TTL, LOCK_TTL=60) as fleet,
        fleet.redis() as redis,
        Announced(redis) as announced,
    ):
        worker = fleet.worker()
        with on({cores.server}):
            reader = fleet.reader()
        eventually(reader.is_healthy, within=_FILLING, what="the huge list is there")
        worker.stop()
        port = int(reader.url.rpartition(":")[2])
        load = Load(port, SMALL, plan.rate)
        with (
            Refresher(fleet.environment()) as refresher,
            SteadyLoad(load, core=cores.load) as steady,
        ):
            for pid in (refresher.pid, github.process.pid):
                stand_back(pid)
            with VersionWatcher(port) as watched:
                moments = [
                    _swap(number, github, refresher, announced, watched)
                    for number in range(plan.swaps)
                ]
            timed = steady.stop()
    return [_cut(moment, timed) for moment in moments]


@dataclass(frozen=True)
class _Moments:
    """Times of a swap's steps, by the monotonic clock in seconds."""

    begun: float
    announced: float
    served: float
    size: int


def _swap(
    number: int,
    github: FakeGitHubProcess,
    refresher: Refresher,
    announced: Announced,
    watched: VersionWatcher,
) -> _Moments:
    time.sleep(_QUIET)
    begun = time.monotonic()
    github.mutate("star", repo=100 * number)
    refresher.begin(LIST)
    heard = announced.wait(LIST)
    served = watched.wait_for_new_version(every=_POLL)
    refresher.end()
    time.sleep(2 * _MARGIN)
    return _Moments(begun, heard, served, watched.size)


def _cut(moments: _Moments, timed: Sequence[Timed]) -> Swap:
    begin, end = moments.announced - _MARGIN, moments.served + _MARGIN
    # At most as long as the quiet time: the previous swap may have effects before.
    length = min(end - begin, _QUIET)
    quiet = of_window(timed, moments.begun - length, moments.begun)
    return Swap(
        moments.size,
        moments.served - moments.announced,
        before=Window.of(quiet),
        during=Window.of(of_window(timed, begin, end)),
        keeps_up=keeps_up(quiet),
    )


def table(swaps: Sequence[Swap]) -> str:
    """A table with one line per swap."""
    lines = [
        f"{'':8}{'taken over':>12}{'p99, ms':>22}{'worst, ms':>22}{'generator late, ms':>22}",
        f"{'MB':8}{'after, s':>12}" + f"{'before':>11}{'during':>11}" * 3,
    ]
    for swap in swaps:
        before, during = swap.before, swap.during
        lines.append(
            f"{swap.size / 1e6:<8.1f}{swap.taken_over:>12.2f}"
            f"{before.p99:>11.1f}{during.p99:>11.1f}{before.worst:>11.1f}{during.worst:>11.1f}"
            f"{before.generator:>11.1f}{during.generator:>11.1f}"
            + ("" if swap.keeps_up else "  (could not keep up)")
        )
    return "\n".join(lines)


def main() -> int:
    """Measure and print."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    cores = Cores.share_out()
    os.sched_setaffinity(0, cores.others)
    print(table(measure(Pauses(), cores)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
