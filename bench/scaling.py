"""`make bench-scaling`: simulates how far one Redis, one credential and a few refreshers scale.

Nothing is served or fetched: refreshes are events, and their cost is computed. The parts that queue
(refreshers, GitHub's limits) are simulated; the load of Redis is computed from the result. Every
organisation has three tracked resources; GitHub changes them at random, at fixed rates.

Refreshes are scheduled, limited and announced by the rules of `shared.refresh_ahead`,
`refresher.github.budget` and `reader.cache.synchronizer`. Sizes are those of an organisation of 250
repositories and 130 members. GitHub takes a fifth of a second for a response.
"""

import argparse
import heapq
import random
import sys
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import mean, quantiles

_WARM_UP = 3600.0  # seconds simulated before the measured hour
_HOUR = 3600.0
# Bytes on the wire, request and response: a check of an entry, an announcement, a pulse.
CHECK, ANNOUNCEMENT, PULSE = 630, 130, 80
CHECK_COMMANDS = 2  # Redis commands for one check
# The limits of one Redis on one core with a network of one gigabit.
MOST_COMMANDS, MOST_BYTES = 100_000, 100_000_000  # a second


@dataclass(frozen=True)
class Kind:
    """A kind of tracked resource.

    Args:
        pages: requests of one refresh; after a webhook only the page that holds the item.
        changes: per hour, at GitHub.
        body: bytes in memory: plain, compressed, ends and views.
        entry: bytes that each process reads from Redis for a new version: a manifest, or all.
        changed: bytes that one process of a node reads of it for all: the changed segments.
    """

    pages: int
    changes: float
    body: int
    entry: int
    changed: int = 0


ORGANISATION = (
    Kind(pages=1, changes=1, body=3_000, entry=3_000),
    Kind(pages=2, changes=0.2, body=137_000, entry=1_500, changed=5_000),
    Kind(pages=3, changes=12, body=1_490_000, entry=2_000, changed=38_000),
)
# 7,000 repositories, of which each changes as often as those above, and 3,000 members.
LARGE_ORGANISATION = (
    Kind(pages=1, changes=1, body=3_000, entry=3_000),
    Kind(pages=30, changes=4.6, body=3_100_000, entry=4_500, changed=5_000),
    Kind(pages=70, changes=336, body=42_600_000, entry=14_500, changed=50_000),
)
_OWN = 0.08  # share of a list that each process of a node has for itself; the rest is shared


@dataclass(frozen=True)
class Fleet:
    """The simulated fleet; names are those of the settings.

    Args:
        tracked: number of tracked resources.
        readers: number of nodes.
        processes: reader processes of each node.
        refreshers: number of RQ workers.
        credentials: number of tokens.
        cache_ttl: seconds.
        local_ttl: seconds.
        refresh_ahead: share of `cache_ttl`.
        points_per_minute: the fleet's own limit of requests to GitHub.
        points_per_hour: GitHub's limit for each credential; a 304 is free.
        origin_seconds: GitHub's response time.
        webhooks: whether GitHub reports changes, which are then refreshed at once.
        organisation: its tracked resources.
    """

    tracked: int = 100
    readers: int = 10
    processes: int = 4
    refreshers: int = 4
    credentials: int = 1
    cache_ttl: float = 1000
    local_ttl: float = 50
    refresh_ahead: float = 0.1
    points_per_minute: int = 400
    points_per_hour: int = 5000
    origin_seconds: float = 0.2
    webhooks: bool = False
    organisation: tuple[Kind, ...] = ORGANISATION


@dataclass(frozen=True)
class Outcome:
    """The result of the measured hour.

    Args:
        requests: to GitHub.
        points: requests that cost a point.
        put_off: refreshes that met a limit and began again later.
        lag: seconds from each change at GitHub until it is in Redis, sorted.
        busy: share of the refreshers' time that is used.
        commands: Redis commands a second, for readers.
        transferred: bytes a second from Redis to readers.
        memory: bytes that a node of readers holds.
    """

    requests: int
    points: int
    put_off: int
    lag: Sequence[float]
    busy: float
    commands: float
    transferred: float
    memory: int

    @property
    def median_lag(self) -> float:
        """Delay within which half of all changes are seen."""
        return mean(quantiles(self.lag, n=4)[1:2]) if len(self.lag) > 1 else 0.0

    @property
    def worst_lag(self) -> float:
        """Delay within which 99 of 100 changes are seen."""
        return quantiles(self.lag, n=100)[98] if len(self.lag) > 1 else 0.0

    @property
    def bottlenecks(self) -> list[str]:
        """Names of what is used up."""
        found = []
        if self.busy > 0.9:
            found.append("refreshers")
        if self.put_off:
            found.append("GitHub's limits")
        if self.commands > MOST_COMMANDS:
            found.append("Redis's commands")
        if self.transferred > MOST_BYTES:
            found.append("Redis's network")
        return found


@dataclass
class _Counts:
    requests: int = 0
    points: int = 0
    put_off: int = 0
    refreshes: int = 0
    updates: int = 0
    loaded: int = 0  # bytes of new versions, by each node
    worked: float = 0.0
    lag: list[float] = field(default_factory=list)


class _Limits:
    """GitHub's limits, and ours below them: requests a minute, points an hour."""

    def __init__(self, fleet: Fleet) -> None:
        self._minute, self._hour = Counter[int](), Counter[int]()
        self._per_minute = fleet.points_per_minute
        self._per_hour = fleet.points_per_hour * fleet.credentials

    def refuses_until(self, now: float) -> float | None:
        """The time to try again; None if the request may be sent."""
        if self._hour[int(now // _HOUR)] >= self._per_hour:
            return (now // _HOUR + 1) * _HOUR
        if self._minute[int(now // 60)] >= self._per_minute:
            return (now // 60 + 1) * 60
        return None

    def take(self, now: float, *, points: int) -> None:
        """Count one request."""
        self._minute[int(now // 60)] += 1
        self._hour[int(now // _HOUR)] += points


class Simulation:
    """Simulates one hour, after another hour in which everything settles.

    Args:
        fleet: simulated fleet.
        seed: of the times of changes.
    """

    def __init__(self, fleet: Fleet, *, seed: int = 1) -> None:
        self._fleet = fleet
        self._random = random.Random(seed)  # noqa: S311 - not a secret
        self._limits = _Limits(fleet)
        self._kinds = [fleet.organisation[at % 3] for at in range(fleet.tracked)]
        self._changed: list[list[float]] = [
            [] for _ in self._kinds
        ]  # times of changes not yet seen
        self._queued = [False] * fleet.tracked
        self._due: set[int] = set()  # of which all pages are requested next
        self._read: dict[int, int] = {}  # pages of an interrupted refresh
        self._queue: deque[int] = deque()
        # (time, order, kind, resource); kinds are "due", "again", "change" or "free".
        self._events: list[tuple[float, int, str, int]] = []
        self._order = 0
        self._idle = fleet.refreshers
        self._counts = _Counts()

    def run(self) -> Outcome:
        """Run the simulation."""
        for resource, kind in enumerate(self._kinds):
            self._at(self._random.uniform(0, self._fleet.cache_ttl), "due", resource)
            self._at(self._random.expovariate(kind.changes / _HOUR), "change", resource)
        end = _WARM_UP + _HOUR
        while self._events and self._events[0][0] < end:
            now, _, what, resource = heapq.heappop(self._events)
            if what == "change":
                self._change(now, resource)
            elif what == "again":
                self._ask(resource)
            elif what == "due":
                self._due.add(resource)
                self._ask(resource)
            else:
                self._idle += 1
            self._work(now)
        return self._outcome()

    def _at(self, when: float, what: str, resource: int) -> None:
        self._order += 1
        heapq.heappush(self._events, (when, self._order, what, resource))

    def _change(self, now: float, resource: int) -> None:
        self._changed[resource].append(now)
        rate = self._kinds[resource].changes / _HOUR
        self._at(now + self._random.expovariate(rate), "change", resource)
        if self._fleet.webhooks:
            self._ask(resource)

    def _ask(self, resource: int) -> None:
        """Queue a job for a resource, unless one is queued."""
        if not self._queued[resource]:
            self._queued[resource] = True
            self._queue.append(resource)

    def _work(self, now: float) -> None:
        while self._idle and self._queue:
            resource = self._queue.popleft()
            self._queued[resource] = False
            self._idle -= 1
            self._refresh(now, resource)

    def _refresh(self, began: float, resource: int) -> None:
        """One refresh, page by page; a limit postpones it, and what was read is kept."""
        fleet, kind, now = self._fleet, self._kinds[resource], began
        seen = [at for at in self._changed[resource] if at <= began]
        is_whole = resource in self._due
        first = self._read.pop(resource, 0)
        for page in range(first, kind.pages if is_whole else 1):
            again = self._limits.refuses_until(now)
            if again is not None:
                self._counts.put_off += began >= _WARM_UP
                self._read[resource] = page
                self._at(again + self._random.uniform(0, 5), "again", resource)
                self._at(max(now, began + 0.01), "free", resource)
                return
            points = int(bool(seen) and page == first)  # one of its pages changed
            self._limits.take(now, points=points)
            if began >= _WARM_UP:
                self._counts.requests += 1
                self._counts.points += points
            now += fleet.origin_seconds
        self._changed[resource] = [at for at in self._changed[resource] if at > began]
        if began >= _WARM_UP:
            counts = self._counts
            counts.refreshes += 1
            counts.worked += now - began
            counts.updates += bool(seen)
            counts.loaded += (kind.changed + fleet.processes * kind.entry) if seen else 0
            counts.lag += [now - at for at in seen]
        if is_whole:
            self._due.discard(resource)
            ahead = fleet.refresh_ahead * fleet.cache_ttl * self._random.uniform(0.5, 1)
            self._at(began + fleet.cache_ttl - ahead, "due", resource)
        self._at(now, "free", resource)

    def _outcome(self) -> Outcome:
        fleet, counts = self._fleet, self._counts
        processes = fleet.readers * fleet.processes
        announced = counts.refreshes / _HOUR
        # One check after LOCAL_TTL, and one after each announcement.
        checks = processes * (fleet.tracked / min(fleet.local_ttl, fleet.cache_ttl) + announced)
        transferred = checks * CHECK + processes * (announced * ANNOUNCEMENT + PULSE)
        transferred += fleet.readers * counts.loaded / _HOUR
        loads = processes * counts.updates / _HOUR
        # Changes not seen by the end count with their lag so far.
        end = _WARM_UP + _HOUR
        unseen = [end - at for waiting in self._changed for at in waiting if at >= _WARM_UP]
        return Outcome(
            requests=counts.requests,
            points=counts.points,
            put_off=counts.put_off,
            lag=sorted([*counts.lag, *unseen]),
            busy=counts.worked / (_HOUR * fleet.refreshers),
            commands=checks * CHECK_COMMANDS + processes + loads,
            transferred=transferred,
            memory=int((1 + _OWN * fleet.processes) * sum(kind.body for kind in self._kinds)),
        )


def table(named: Sequence[tuple[str, Fleet]]) -> str:
    """A Markdown table with a row for each fleet."""
    titles = (
        *("fleet", "requests/h", "points/h", "delay p50, p99, s", "refreshers busy"),
        *("Redis commands/s", "Redis MB/s", "MB a node", "bottleneck"),
    )
    lines = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    for name, fleet in named:
        found = Simulation(fleet).run()
        cells = (
            name,
            f"{found.requests:,}",
            f"{found.points:,}",
            f"{found.median_lag:,.0f}, {found.worst_lag:,.0f}",
            f"{found.busy:.0%}",
            f"{found.commands:,.0f}",
            f"{found.transferred / 1e6:,.1f}",
            f"{found.memory / 1e6:,.0f}",
            ", ".join(found.bottlenecks) or "none",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Print the tables of docs/scaling.md."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    usual = Fleet()
    print("More tracked resources: 10 readers of 4 processes, 4 refreshers, 1 credential\n")
    print(table([(f"{n:,} tracked", replace(usual, tracked=n)) for n in (10, 100, 1000, 10_000)]))
    print("\nMore readers: 300 tracked (100 organisations)\n")
    hundred = replace(usual, tracked=300)
    print(table([(f"{n} readers", replace(hundred, readers=n)) for n in (1, 10, 50, 100, 500)]))
    print("\nWebhooks: 300 tracked, 10 readers\n")
    slow = replace(hundred, cache_ttl=4000)
    print(
        table(
            [
                ("CACHE_TTL=1000", hundred),
                ("CACHE_TTL=4000", slow),
                ("CACHE_TTL=4000, webhooks", replace(slow, webhooks=True)),
            ]
        )
    )
    print("\nLarge organisations: 10 readers, CACHE_TTL=4000, webhooks\n")
    huge = replace(slow, webhooks=True, organisation=LARGE_ORGANISATION)
    many = replace(huge, tracked=90)
    named = [(f"{n // 3} of them", replace(huge, tracked=n)) for n in (3, 30)]
    print(table([*named, ("30", many), ("30, 4 credentials", replace(many, credentials=4))]))
    print("\nWhich setting helps: 3,000 tracked, 50 readers\n")
    large = Fleet(tracked=3000, readers=50)
    variants = [
        ("defaults", large),
        ("16 refreshers", replace(large, refreshers=16)),
        ("4 credentials", replace(large, credentials=4)),
        ("CACHE_TTL=4000", replace(large, cache_ttl=4000)),
        ("CACHE_TTL=4000, webhooks", replace(large, cache_ttl=4000, webhooks=True)),
        ("the same, 4 credentials", replace(large, cache_ttl=4000, webhooks=True, credentials=4)),
        ("LOCAL_TTL=600", replace(large, local_ttl=600)),
    ]
    print(table(variants))
    return 0


if __name__ == "__main__":
    sys.exit(main())
