"""One run: starts everything, inflicts the plan, notes the history."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, Final

import psutil
from redis import RedisError

from refresher.storage.mending import EVERY_S
from shared.redis.connection import RESPONSE_TIMEOUT
from tests.chaos import checkers, watching
from tests.chaos.clients import Client
from tests.chaos.faults import Components, inflict
from tests.chaos.history import History, Inflicted, Recovery
from tests.chaos.operators import Operator
from tests.chaos.relay import Relay, RelayLoop
from tests.chaos.schedule import (
    CALM,
    CLOCKS,
    LINKS,
    MENDED_LATER,
    READERS,
    REFRESHERS,
    Episode,
    Fault,
)
from tests.chaos.visitors import Visitor
from tests.chaos.world import World
from tests.end_to_end.fleet import Fleet, Reader
from tests.end_to_end.left_of_jobs import left_of_jobs
from tests.end_to_end.wrong_clocks import WrongClock
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

SETTINGS: Final[Mapping[str, float]] = {
    "CACHE_TTL": 3, "ON_DEMAND_TTL": 3, "LOCAL_TTL": 2, "LOCK_TTL": 3, "BACKOFF_MAX": 2,
    "MISS_WAIT": 5, "ORIGIN_CONNECT_TIMEOUT": 1, "ORIGIN_READ_TIMEOUT": 2, "ORIGIN_DEADLINE": 4,
    "ORIGIN_MAX_BYTES": 4_000_000, "ORIGIN_POINTS_PER_MINUTE": 6000, "LIST_MAX_PAGES": 10,
    "WEB_CONCURRENCY": 2, "ON_DEMAND_KEEP": 60,
}  # fmt: skip
_CLIENTS: Final = 3  # of each reader
_VISITORS: Final = 14  # of each reader
_EMPTY_WITHIN: Final = 30.0  # seconds: what a lock, a wait and a refresh leave has ended
_STARTS_IN: Final = 2.5  # seconds that a reader takes to answer on a machine that is not slow
_WORKER_LOOKS: Final = 5.0  # seconds after which a refresher that lost Redis looks again
_STALE_ANSWERS: Final = 1.0  # seconds in which refreshers have read what GitHub said before
_TICKS: Final = 2.0  # seconds: a reader looks once, and asks once a second


@dataclass(frozen=True)
class Result:
    """What came of a run.

    Args:
        history: all of it.
        violations: by what was checked.
        bound: seconds in which freshness had to recover.
        slowness: of this machine, 1 or more.
        seconds: that it took.
    """

    history: History
    violations: dict[str, list[str]]
    bound: float
    slowness: float
    seconds: float


def bound_of(slowest_start: float) -> float:
    """Seconds after the last fault in which every reader serves what GitHub had when it healed.

    The sum of all that may come one after the other: an answer that is waited for, a refresher
    that looks for Redis again, a dead one's lock, a pause after a failure, a fetch that began
    before, content that was confirmed just before, a reader's look and its asking; and processes
    that start, which is the only part that depends on the machine.

    Args:
        slowest_start: seconds that a reader took to answer, in this run.
    """
    named = ("LOCK_TTL", "BACKOFF_MAX", "ORIGIN_DEADLINE", "CACHE_TTL")
    waits = sum(SETTINGS[name] for name in named)
    return waits + 2 * RESPONSE_TIMEOUT + _WORKER_LOOKS + _TICKS + 2 * slowest_start


def slowness_of(slowest_start: float) -> float:
    """How much slower this machine is than one that has nothing else to do."""
    return max(1.0, slowest_start / _STARTS_IN)


def run(
    episodes: Sequence[Episode], folder: Path, *, seed: int, say: Callable[[str], None]
) -> Result:
    """Do it, and check it.

    Args:
        episodes: the plan.
        folder: for logs and data.
        seed: of the plan; the world and the clients have theirs from it.
        say: told what happens.
    """
    history, began = History(), time.monotonic()
    has_clocks = any(fault.kind in CLOCKS for one in episodes for fault in one.faults)
    with _everything(folder, history, seed, has_clocks=has_clocks) as parts:
        runner = _Runner(parts, history, say)
        runner.go(episodes)
        runner.end()
        slowest = parts.slowest_start
    history.stored += watching.stored_in(folder)
    history.fetches += watching.fetches_of(runner.seen.values())
    bound, slowness = bound_of(slowest), slowness_of(slowest)
    violations = {
        "no 5xx for content once held": checkers.no_5xx_for_content_once_held(history),
        "no response mixes two versions": checkers.one_version_in_a_response(history),
        "versions never go back on a reader": checkers.versions_never_go_back(history),
        "one fetch at a time is stored": checkers.one_fetch_at_a_time(history),
        "freshness recovers within the bound": checkers.freshness_recovers(history, bound=bound),
        "requests are answered": checkers.answers_come(history, slowness=slowness),
        "times are true": checkers.times_are_true(history),
        "operators see all": checkers.operators_see_all(history),
        "misses are served or put off": checkers.misses_are_served_or_put_off(history),
        "everyone gets a turn": checkers.everyone_gets_a_turn(history, bound=bound),
        "nothing leaks": checkers.nothing_leaks(history),
        "nothing is left of jobs": checkers.nothing_is_left(history),
        "the run itself is sound": history.errors,
    }
    return Result(history, violations, bound, slowness, time.monotonic() - began)


@contextmanager
def _everything(
    folder: Path, history: History, seed: int, *, has_clocks: bool
) -> Iterator[Components]:
    # GitHub takes its time, so that faults meet refreshes that are under way.
    options: dict[str, Any] = {"repos": 110, "members": 20, "anonymous_limit": 1_000_000}
    options["latency"] = 0.2
    with ExitStack() as stack:
        github = stack.enter_context(FakeGitHubProcess(**options))
        fleet = stack.enter_context(Fleet(folder, github.url, **SETTINGS))
        fleet.interpreters = has_clocks
        clocks = {
            name: WrongClock(folder / f"clock-{name}", 0)
            for name in (*READERS, *REFRESHERS)
            if has_clocks
        }
        relays = RelayLoop()
        stack.callback(relays.stop)
        links = {}
        for name in LINKS:
            port = (
                int(github.url.rpartition(":")[2]) if "github" in name else fleet.redis_server.port
            )
            links[name] = Relay(relays, port)
            stack.callback(links[name].close)
        parts = Components(fleet, github, links, clocks)
        for number in range(len(REFRESHERS)):
            parts.start_refresher(number)
        for number in range(len(READERS)):
            parts.start_reader(number)
        world = World(github, history, seed=seed, every=0.7)
        world.start()
        stack.callback(world.stop)
        for reader in parts.readers:
            # Both processes hold everything: neither has answered 503 in so many times.
            eventually(partial(_is_well, reader), within=90, what="a reader is healthy")
        parts.order_github_fault(None)
        clients: list[Client | Visitor | Operator] = [
            _client(number % len(READERS), parts, world, history, seed + number)
            for number in range(len(READERS) * _CLIENTS)
        ]
        for number in range(len(READERS) * _VISITORS):
            place = number % len(READERS)
            clients.append(Visitor(number, place, parts.readers[place].url, history))
        for place, reader in enumerate(parts.readers):
            clients.append(Operator(place, reader.url, history))
        for client in clients:
            client.start()
            stack.callback(client.stop)
        parts.clients += clients
        yield parts


def _more_of(episode: Episode) -> float:
    """Seconds that are added to the bound: until a refresher has looked at all keys."""
    return EVERY_S if any(fault.kind in MENDED_LATER for fault in episode.faults) else 0.0


def _is_well(reader: Reader) -> bool:
    return all(reader.is_healthy() for _ in range(12))


def _client(number: int, parts: Components, world: World, history: History, seed: int) -> Client:
    return Client(
        number,
        parts.readers[number].url,
        processes=lambda: parts.readers[number].processes(),  # noqa: PLW0108 - another one later
        world=world,
        history=history,
        dice=random.Random(seed),
    )


@dataclass
class _Runner:
    parts: Components
    history: History
    say: Callable[[str], None]
    seen: dict[tuple[float, int, str], dict[str, Any]] = field(default_factory=dict)

    def go(self, episodes: Sequence[Episode]) -> None:
        """Inflict one episode after the other; the clock stands still until each is over."""
        began = time.monotonic()
        for episode in episodes:
            self.history.at_work.append(self.parts.github.counters()["in_flight"])
            threads = [Thread(target=self._befall, args=(fault, began)) for fault in episode.faults]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            late = self._recover(more=_more_of(episode))
            self._look()
            began = max(began, time.monotonic() - episode.until)
            self.say(f"{'':11}recovered after {late:.1f} s")

    def end(self) -> None:
        """End all load; note what is left of jobs as soon as nothing is, or after a while."""
        for one in (*self.parts.clients, *self.parts.readers):
            one.stop()
        since = time.time() - EVERY_S
        more = max((one.more for one in self.history.recoveries if one.healed > since), default=0.0)
        deadline = time.monotonic() + _EMPTY_WITHIN + more
        with self.parts.fleet.redis() as redis:
            while (left := left_of_jobs(redis)) and time.monotonic() < deadline:
                time.sleep(0.25)
        self.history.left += left

    def _befall(self, fault: Fault, began: float) -> None:
        time.sleep(max(0.0, began + fault.at - time.monotonic()))
        self.say(f"{fault.at:7.1f} s  {fault.kind} ({fault.subject}), for {fault.seconds:.1f} s")
        since = time.time()
        try:
            heal = inflict(fault, self.parts)
            time.sleep(max(0.0, fault.seconds - (time.time() - since)))
            heal()
        except Exception as error:  # what a thread raises would be seen by nobody
            self.history.errors.append(f"{fault.kind} ({fault.subject}): {error!r}")
        self.history.inflicted.append(Inflicted(fault, since, time.time()))

    def _recover(self, *, more: float) -> float:
        """Wait until all is fresh, or the bound is over; gives how long that took (seconds)."""
        if self.parts.is_paused:
            time.sleep(_STALE_ANSWERS)
            self.parts.resume()
        healed = time.time()
        bound = bound_of(self.parts.slowest_start) + more
        while True:
            time.sleep(0.25)
            recovery = Recovery(healed, time.time(), more)
            rows = checkers.recovery_times(self._lately(healed), recovery)
            worst = max((row.seconds for row in rows if row.seconds is not None), default=0.0)
            is_over = (
                all(row.seconds is not None for row in rows)
                and recovery.until - healed - worst > 1.5
                and self._visitors_served(healed)
            )
            waited = recovery.until - healed
            if waited > bound + 3 or (is_over and waited >= CALM):
                self.history.recoveries.append(recovery)
                return worst

    def _visitors_served(self, since: float) -> bool:
        """Whether each visitor was served."""
        misses = list(self.history.misses)
        served = {one.visitor for one in misses if one.is_served and one.ended >= since}
        return len(served) == len(READERS) * _VISITORS

    def _lately(self, healed: float) -> History:
        """The part of the history that tells of a recovery, and of what there is to recover."""
        with self.history.lock:
            answers = [one for one in self.history.answers if one.began >= healed - 20]
        return History(answers, self.history.facts, list(self.history.published))

    def _look(self) -> None:
        # The stand-in remembers only so many; a request has its answer by the next time.
        for one in self.parts.github.recent():
            self.seen[one["time"], one["port"], one["path"]] = one
        self.history.samples += watching.samples(self._processes(), at=time.time())
        try:
            with self.parts.fleet.redis() as redis:
                self.history.keys.append((time.time(), watching.keys_by_kind(redis)))
        except RedisError as error:
            self.history.errors.append(f"Redis in a calm: {error!r}")

    def _processes(self) -> dict[str, psutil.Process]:
        found = {}
        for number, reader in enumerate(self.parts.readers):
            for at, process in enumerate(reader.processes()):
                found[f"reader-{number}.{at}"] = process
        for number, refresher in enumerate(self.parts.refreshers):
            found.update({f"refresher-{number}": one for one in refresher.family()[:1]})
        return found
