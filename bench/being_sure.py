"""Second part of `make bench-cost`: what it costs at GitHub to be sure of what is stored.

An hour of simulated time, with six events, on the stand-in, by its own counters, and with the
settings' defaults: each event is followed by looks again; each minute a stored page is compared
with an unconditional answer; every five minutes lost deliveries are looked for, and all six were.
Of the refreshes that there are in any case, nothing counts, and neither does the change itself.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from redis import Redis

from bench.cost import ORG, STRANGER, Cost, context_of
from refresher.deliveries.everything import Everything
from refresher.deliveries.healer import Healer, Surroundings
from refresher.deliveries.hook_api import HookApi
from refresher.deliveries.record import Record
from refresher.deliveries.sources import HookAddress, Source, sources_of
from refresher.drift.checks import CheckPolicy, DriftChecks
from refresher.drift.samples import Samples
from refresher.github.transport import Transport
from refresher.refresh import refresh
from scripts.embedded_redis import EmbeddedRedis
from shared.clock import SYSTEM, Clock
from shared.looks import LOOKS_S, Looks
from shared.marking import mark
from shared.queueing import QueueLimits, RefreshQueue
from shared.redis import keys
from shared.redis.lifetimes import Lifetimes
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import REPOSITORIES
from shared.settings import Settings, load
from tests.fakegithub.client import FakeGitHub

EVENTS = 6
HOUR = 3600
REPOSITORIES_OF_ORG = 250
TOKEN, HOOK_TOKEN = "ghp_content", "ghp_hooks"
VIEWERS = {
    "*": STRANGER,
    HOOK_TOKEN: {"role": "owner", "scopes": "admin:org_hook"},
}
# A webhook none of whose deliveries arrives.
LOST = {"url": "http://127.0.0.1:1/webhooks/github", "lost": 1, "id": 7}


@dataclass
class World:
    """A GitHub, a Redis, and the time."""

    github: FakeGitHub
    redis: Redis
    now: float
    catalogue: Catalogue = field(default_factory=lambda: Catalogue((ORG,)))

    @property
    def clock(self) -> Clock:
        """Of all processes."""
        return replace(SYSTEM, now=lambda: self.now)

    @property
    def settings(self) -> Settings:
        """The defaults, except that the list does not become stale in this hour."""
        return load(
            redis_url="redis://given",
            github_api_url=self.github.url,
            github_api_token=TOKEN,
            github_hook_token=HOOK_TOKEN,
            cache_ttl=2 * HOUR,
        )

    def refresh(self) -> None:
        """Refresh the list, if there is anything to do."""
        resource = self.catalogue.of_kind(REPOSITORIES, ORG)
        with context_of(self.redis, self.settings, self.clock) as context:
            refresh(resource, context)

    def change(self, number: int) -> int:
        """Change a repository, on another page each time; return its id."""
        place = number * 100 % REPOSITORIES_OF_ORG
        identity: int = self.github.mutate("star", repo=place)["id"]
        return identity

    def counted(self, step: Callable[[], object]) -> Cost:
        """What a step costs."""
        self.github.reset_counters()
        step()
        counters = self.github.counters()
        return Cost(counters["total"], counters["points"], counters["bytes_sent"])


@contextmanager
def a_world(redis: Redis, hook: dict[str, Any] | None = None) -> Iterator[World]:
    """A world whose list is stored."""
    redis.flushall()
    with FakeGitHub(
        orgs=(ORG,), repos=REPOSITORIES_OF_ORG, members=1, viewers=VIEWERS, hook=hook or {}
    ) as github:
        world = World(github, redis, float(redis.time()[0]))
        world.refresh()
        yield world


def looks(redis: Redis) -> Cost:
    """Cost of the looks after the first one, which sees the change."""
    costs = []
    with a_world(redis) as world:
        for number in range(EVENTS):
            item = world.change(number)
            mark(redis, world.catalogue.of_kind(REPOSITORIES, ORG), item=item)
            resource, event_at = world.catalogue.of_kind(REPOSITORIES, ORG), world.now
            # The event is now by the time of this hour; Redis's is another one.
            redis.set(keys.looks(resource), Looks(event_at, event_at).to_text(), ex=HOUR)
            world.refresh()
            for after in LOOKS_S:
                world.now = event_at + after
                costs.append(world.counted(world.refresh))
            world.now = event_at + HOUR / EVENTS
    return added(costs)


def drift_checks(redis: Redis) -> Cost:
    """Cost of comparing a stored page each minute."""
    costs = []
    with a_world(redis) as world, context_of(redis, world.settings, world.clock) as context:
        checks = DriftChecks(
            context.storage,
            Samples(redis, world.catalogue, context.storage.store, lambda: 0.5),
            RefreshQueue(redis, QueueLimits()),
            origin=context.origin,
            note=_ignore,
            policy=CheckPolicy(
                world.settings.drift_check_interval,
                Lifetimes.of(world.settings),
                lambda: "check",
                world.clock,
            ),
        )
        for _ in range(int(HOUR / world.settings.drift_check_interval)):
            redis.delete(keys.DRIFT_TURN)
            world.now += world.settings.drift_check_interval
            costs.append(world.counted(checks.step))
    return added(costs)


def lost_deliveries(redis: Redis) -> Cost:
    """Cost of looking for lost deliveries, and of asking for all of them again, once each."""
    costs = []
    with a_world(redis, LOST) as world:
        transport = Transport(world.settings, clock=world.clock)
        interval = world.settings.redelivery_interval
        healer = a_healer(world, transport)
        for number in range(int(HOUR / interval)):
            redis.delete(keys.REDELIVERY)
            redis.zadd(keys.READERS, {"reader": world.now})
            if number % 2:
                world.change(number)
            costs.append(world.counted(healer.step))
            for one in world.github.deliveries():  # they arrive, as readers remember it
                redis.set(keys.delivery(one["guid"]), 1)
            world.now += interval
        transport.close()
    return added(costs)


def a_healer(world: World, transport: Transport) -> Healer:
    """What looks for lost deliveries in a process."""
    settings, redis = world.settings, world.redis

    def api(source: Source) -> HookApi:
        return HookApi(transport, source.authorization, count=lambda _: None, clock=world.clock)

    return Healer(
        Record(redis, "process", lease=HOUR),
        {source: partial(api, source) for source in sources_of(settings, clock=world.clock)},
        HookAddress(settings),
        Everything(redis, world.catalogue, RefreshQueue(redis, QueueLimits()), remember=HOUR),
        interval=settings.redelivery_interval,
        surroundings=Surroundings(
            world.clock.now, lambda _: None, lambda: False, lambda: False, _ignore
        ),
    )


def _ignore(*_: object) -> None:
    pass


def added(costs: list[Cost]) -> Cost:
    """The sum of costs."""
    return Cost(
        sum(one.requests for one in costs),
        sum(one.points for one in costs),
        sum(one.sent for one in costs),
    )


def table(costs: dict[str, Cost]) -> str:
    """A table of the costs."""
    lines = [f"{'':44}{'requests':>10}{'points':>10}{'kB sent':>10}"]
    lines += [
        f"{name:44}{cost.requests:>10}{cost.points:>10}{cost.sent / 1000:>10.0f}"
        for name, cost in costs.items()
    ]
    return "\n".join(lines)


def measure() -> dict[str, Cost]:
    """The costs of an hour."""
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedRedis(Path(folder)) as server,
        Redis.from_url(server.url) as redis,
    ):
        return {
            f"looks again after {EVENTS} events": looks(redis),
            "drift: a page compared each minute": drift_checks(redis),
            f"lost deliveries: 12 looks, {EVENTS} asked for again": lost_deliveries(redis),
        }


def main() -> None:
    """Print the table."""
    print("\nBeside that, it costs in an hour to be sure of what is stored:\n")
    print(table(measure()))


if __name__ == "__main__":
    main()
