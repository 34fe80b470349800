"""The changes at each size, with the code of now and of before in turn."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from redis import Redis

from bench.change import probes
from bench.change.figures import (
    ADDED,
    CHANGED,
    FIRST,
    MANY,
    NOTHING,
    ONES,
    REMOVED,
    RENAMED,
    STEADY,
    Node,
    Plan,
    Results,
    Sample,
)
from bench.change.fleet import PROCESSES, ReaderNode, Refresher, fleet_of, github_of, idle_memory
from bench.change.watching import Shown, Watched
from bench.cores import Cores
from bench.errors import BenchError
from bench.figures import percentile
from bench.push_lag import connect_to_each
from bench.steady_load import Load, SteadyLoad, Timed, of_window
from bench.throughput import say
from bench.workloads import LIST, ORG, SMALL
from shared.redis import keys
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import REPOSITORIES
from tests.end_to_end.fleet import Fleet
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

_STEP = 37  # from one changed repository to the next: prime, so that all pages take part
_PATIENCE = 120.0  # seconds until a change is served
_MARGIN = 0.3  # seconds after a change is served that belong to its take-over
_QUIET = 4.0  # seconds in which nothing changes
# What events have named is looked at again for 10 s; it is as if that were over.
_LIST = Catalogue((ORG,)).of_kind(REPOSITORIES, ORG)
_LOOKS = (keys.invalidated_by(_LIST), keys.items_named(_LIST), keys.looks(_LIST), keys.LOOKS)
_SPACING = 1.2  # a resource rests for as long as its last refresh took, and for a second


def measure(plan: Plan, checkouts: Mapping[str, Path], cores: Cores) -> Results:
    """Measure each code at each size.

    Args:
        plan: the extent.
        checkouts: of the code, by its name.
        cores: for the processes.

    Raises:
        BenchError: a process failed, or served something wrong.
    """
    samples: list[Sample] = []
    nodes = []
    for repositories in plan.sizes:
        for code, checkout in checkouts.items():
            with ExitStack() as stack:
                bench = Bench(plan, (code, repositories), checkout, cores, stack)
                nodes.append(bench.run())
                samples += bench.samples
    return Results(samples, nodes)


class Bench:
    """One code at one size. The constructor lets it hold the list.

    Args:
        plan: the extent.
        what: the code's name, and the number of repositories.
        checkout: of the code.
        cores: for the processes.
        stack: ends the processes.
    """

    def __init__(
        self,
        plan: Plan,
        what: tuple[str, int],
        checkout: Path,
        cores: Cores,
        stack: ExitStack,
    ) -> None:
        self.samples: list[Sample] = []
        self._plan, self._what, self._stack = plan, what, stack
        self._core = cores.load
        self._say("first look")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self._github: FakeGitHubProcess = stack.enter_context(github_of(what[1]))
        self._fleet: Fleet = stack.enter_context(fleet_of(folder, self._github, checkout))
        self._redis: Redis = stack.enter_context(self._fleet.redis())
        self._redis.config_set("save", "")  # a dump would take the cores of this machine
        self._idle = idle_memory(self._fleet, self._redis, cores)
        self._refresher = Refresher(self._fleet, self._redis)
        self._number = 0
        self._windows: list[tuple[float, float]] = []
        self._github.reset_counters()
        used = self._refresher.cpu()
        self.node = ReaderNode(self._fleet, cores)
        self.node.wait_until_complete()
        visible = time.time() - self._github.recent()[0]["time"]
        self._refresher.wait_until_quiet()
        self._note(FIRST, used, sent=0, visible=visible)
        self._processes = connect_to_each(self.node.reader, self._watched)
        if len(self._processes) != PROCESSES:
            raise BenchError("a reader process is missing")
        self._threads = stack.enter_context(ThreadPoolExecutor(PROCESSES))

    def run(self) -> Node:
        """Make all changes under load."""
        load = Load(self.node.port, SMALL, self._plan.rate)
        with SteadyLoad(load, core=self._core) as steady:
            time.sleep(1.0)
            self._windows = [(time.monotonic(), time.monotonic() + _QUIET)]
            time.sleep(_QUIET)
            for event in ONES:
                self._say(event)
                self._restart()
                for _ in range(self._plan.rounds):
                    time.sleep(self._one(event))
            self._say(STEADY)
            self._restart()
            self._steady()
            timed = steady.stop()
        size = max(process.read() for process in self._processes)
        self._check()
        memory = self.node.memory() - self._idle
        (quiet, *hits) = [_times(of_window(timed, *window)) for window in self._windows]
        first, *changes = self.samples
        self.samples = [first, *(replace(one, p99=times[0], longest=times[1])
                                 for one, times in zip(changes, hits, strict=True))]  # fmt: skip
        return Node(*self._what, size, memory, *quiet)

    def _one(self, event: str) -> float:
        """One change; returns the seconds to wait before the next."""
        self._redis.delete(*_LOOKS)
        places = range(max(1, self._what[1] // 100)) if event == MANY else range(1)
        touched = [self._change(event) for _ in places]
        names = tuple(name for _, name in reversed(touched))
        before = self._processes[0].shown(1).etag

        def is_last(shown: Shown) -> bool:
            return shown.etag != before and (event == REMOVED or shown.newest == names)

        def deliver() -> None:
            self.node.deliver([identity for identity, _ in touched])

        return self._measured(event, deliver, None if event == NOTHING else is_last, len(names))

    def _change(self, event: str) -> tuple[int, str]:
        """Change the world; id and name of what it touched."""
        self._number += 1
        place = self._number * _STEP % (self._what[1] - 2 * self._plan.rounds)
        touched = self._github.mutate(**_mutation(event, place, self._number))
        return touched["id"], touched["full_name"]

    def _steady(self) -> None:
        """One change a second, whether or not the one before is served yet."""
        delivered: dict[str, float] = {}

        def deliver() -> None:
            begun = time.monotonic()
            for second in range(self._plan.seconds):
                time.sleep(max(0.0, begun + second - time.monotonic()))
                identity, name = self._change(CHANGED)
                delivered[name] = time.monotonic()
                self.node.deliver([identity])

        def is_last(shown: Shown) -> bool:
            names = list(delivered)
            return len(names) == self._plan.seconds and shown.newest == (names[-1],)

        self._measured(STEADY, deliver, is_last, 1, delivered)

    def _measured(
        self,
        event: str,
        deliver: Callable[[], None],
        until: Callable[[Shown], bool] | None,
        newest: int,
        delivered: Mapping[str, float] | None = None,
    ) -> float:
        self._github.reset_counters()
        used, sent = self._refresher.cpu(), probes.sent_by_redis(self._redis, self.node.pids())
        begun, patience = (
            time.monotonic(),
            _PATIENCE + (0 if delivered is None else self._plan.seconds),
        )
        following = [
            self._threads.submit(one.follow, until, newest=newest, patience=patience)
            for one in self._processes
            if until
        ]
        deliver()
        seen = [one.result() for one in following]
        if not seen:
            eventually(lambda: self._github.counters()["total"], what="GitHub is asked")
        last = max([time.monotonic() - _MARGIN, *(one[-1][0] for one in seen)])
        self._windows.append((begun, last + _MARGIN))
        visible = last - begun if seen else None
        if delivered is not None:
            visible = percentile(lags(delivered, seen), 99)
        self._refresher.wait_until_quiet()
        most = max((probes.sent_by_redis(self._redis, self.node.pids()) - sent).values(), default=0)
        self._note(event, used, sent=most, visible=visible)
        return _SPACING * max(1.0, last - begun)

    def _note(self, event: str, used: float, *, sent: int, visible: float | None) -> None:
        """Add a sample; of `STEADY`, for one of its changes."""
        cpu, counters = self._refresher.cpu() - used, self._github.counters()
        of = self._plan.seconds if event == STEADY else 1
        figures = (counters["total"] / of, counters["points"] / of, cpu / of)
        self.samples.append(
            Sample(*self._what, event, *figures, self._refresher.peak(), sent / of, visible)
        )

    def _restart(self) -> None:
        """Let another refresher take over, whose memory holds nothing yet."""
        self._refresher.stop()
        self._refresher = Refresher(self._fleet, self._redis)

    def _check(self) -> None:
        served = self.node.reader.get(LIST).json()
        if served != self._github.repos():
            raise BenchError("the list that is served is not GitHub's")

    def _watched(self, port: int) -> Watched:
        return self._stack.enter_context(Watched(port))

    def _say(self, event: str) -> None:
        say(f"{self._what[1]:,} repositories, {self._what[0]}: {event}")


def lags(
    delivered: Mapping[str, float], seen: Sequence[Sequence[tuple[float, Shown]]]
) -> list[float]:
    """Seconds from each webhook until all processes serve its change, or a later one.

    Args:
        delivered: when the webhook of each repository was delivered, in this order.
        seen: of each process, what it served when.
    """
    order = {name: number for number, name in enumerate(delivered)}
    served = [
        [(when, order[shown.newest[0]]) for when, shown in of_one if shown.newest[0] in order]
        for of_one in seen
    ]
    return [
        max(next(when for when, last in of_one if last >= number) for of_one in served) - sent
        for number, sent in enumerate(delivered.values())
    ]


def _mutation(event: str, place: int, number: int) -> dict[str, Any]:
    mutations: dict[str, dict[str, Any]] = {
        ADDED: {"kind": "add"},
        REMOVED: {"kind": "delete", "repo": place},
        RENAMED: {"kind": "rename", "repo": place, "to": f"renamed-{number}"},
        NOTHING: {"kind": "move", "repo": place, "to": place},
    }
    return mutations.get(event, {"kind": "star", "repo": place})


def _times(timed: Sequence[Timed]) -> tuple[float, float]:
    """The 99th percentile and the longest time, in milliseconds, without the generator's delay."""
    took = [1000 * (one.took - one.noticed) for one in timed]
    return percentile(took, 99), max(took)
