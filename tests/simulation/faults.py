"""What goes wrong, and when: a plan for each episode, a function of the seed.

Each kind draws from dice of its own, so that a run without one kind has the others at the same
times: that is how a failure shrinks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Protocol

from tests.simulation.fleet import NO_CACHE, Fleet
from tests.simulation.hub import Hub
from tests.simulation.model_github import ORG, TOKENS, ModelGitHub
from tests.simulation.model_redis import USUAL_LATENCY, ModelRedis
from tests.simulation.promises import Promises

EPISODE_S: Final = 120.0  # seconds of faults, after which a calm begins
_PATHS: Final = ("", "/repos", "/members", "^/orgs/[^/]+$")


class Broken(Protocol):
    """What faults happen to; `run.Simulation` says more."""

    hub: Hub
    redis: ModelRedis
    github: ModelGitHub
    fleet: Fleet
    promises: Promises
    hooks: dict[str, float]
    is_to_be_resumed: bool
    is_pause_to_pass: bool

    def doom(self, name: str, **fate: Any) -> None:
        """Let a process crash, or be stopped, at one of its next steps."""

    def crash(self, name: str) -> None:
        """End a process now, if it has not ended."""

    def tell(self, kind: str = "") -> tuple[str, list[str]]:
        """Change GitHub, which delivers that to some reader; return what changed."""

    def lose(self, snapshot: Any) -> None:
        """Let Redis restart with what a snapshot holds."""


@dataclass(frozen=True)
class Fault:
    """One fault.

    Args:
        at: seconds after the beginning of the episode.
        kind: a key of `KINDS`.
        number: of the fault in its kind; its dice depend on it.
    """

    at: float
    kind: str
    number: int


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Args:
        most: times that it happens in an episode.
        inflict: does it; waits until it is over.
        share: of the episodes in which it may happen, where all kinds do: others take too long.
    """

    most: int
    inflict: Callable[[Broken, Random], None]
    share: float = 1.0


def plan(
    seed: str,
    episode: int,
    kinds: frozenset[str],
    *,
    seconds: float = EPISODE_S,
    is_chosen: bool = False,
) -> list[Fault]:
    """The faults of an episode.

    Args:
        seed: of the run.
        episode: its number.
        kinds: of faults.
        seconds: of the episode.
        is_chosen: somebody has chosen the kinds, so that rare ones are not rare.

    Returns:
        The faults, in order.
    """
    found = []
    for kind in sorted(kinds):
        dice = Random(f"{seed}:{episode}:{kind}")
        number = dice.randint(0, KINDS[kind].most)
        if KINDS[kind].share < 1 and dice.random() >= KINDS[kind].share and not is_chosen:
            number = 0
        found += [Fault(dice.uniform(1, seconds), kind, one) for one in range(number)]
    return sorted(found, key=lambda one: (one.at, one.kind))


def _crash(simulation: Broken, dice: Random) -> None:
    name = dice.choice(simulation.fleet.names)
    simulation.doom(name, step=dice.randint(1, 12), is_after=dice.random() < 0.5)
    simulation.hub.sleep(dice.uniform(1, 6))
    simulation.crash(name)  # if it took no step
    simulation.fleet.start(name)


def _stop(simulation: Broken, dice: Random) -> None:
    name, seconds = dice.choice(simulation.fleet.names), dice.uniform(3, 40)
    if dice.random() < 0.5:
        simulation.fleet.processes[name].stopped_until = simulation.hub.now + seconds
    else:
        # A refresher, just before it writes: another one gets its lock meanwhile.
        name = dice.choice([one for one in simulation.fleet.names if "refresher" in one])
        simulation.doom(name, step=1, stop_s=seconds, only=dice.choice(("WRITE", "CONFIRM")))
    simulation.hub.sleep(seconds)


def _redis_away(simulation: Broken, dice: Random) -> None:
    simulation.redis.is_away = True
    simulation.hub.sleep(dice.uniform(0.5, 8))
    simulation.redis.is_away = False


def _link_cut(simulation: Broken, dice: Random) -> None:
    process = simulation.fleet.processes[dice.choice(simulation.fleet.names)]
    simulation.redis.cut_off.add(process)
    simulation.hub.sleep(dice.uniform(1, 15))
    simulation.redis.cut_off.discard(process)


def _replies_lost(simulation: Broken, dice: Random) -> None:
    simulation.redis.reply_lost_share = 0.05
    simulation.hub.sleep(dice.uniform(5, 20))
    simulation.redis.reply_lost_share = 0.0


def _redis_slow(simulation: Broken, dice: Random) -> None:
    redis = simulation.redis
    redis.latency, redis.reply_late_share = (0.01, 0.3), 0.1
    simulation.hub.sleep(dice.uniform(5, 20))
    redis.latency, redis.reply_late_share = USUAL_LATENCY, 0.0


def _clients_late(simulation: Broken, dice: Random) -> None:
    """A thread that reads for a client is held up: others go on meanwhile, with one resource."""
    fleet, hub = simulation.fleet, simulation.hub
    simulation.redis.clients_late_share = dice.uniform(0.2, 0.8)
    until, resource = hub.now + dice.uniform(10, 40), fleet.catalogue.named(f"/users/{ORG}")
    assert resource is not None
    while hub.now < until:
        hub.sleep(dice.uniform(0.3, 1.2))
        reader = dice.choice([one for one in fleet.names if one.startswith("reader")])
        fleet.request(reader, resource, "192.0.2.9", NO_CACHE)
    simulation.redis.clients_late_share = 0.0


def _announcements_lost(simulation: Broken, dice: Random) -> None:
    simulation.redis.pubsub_lost_share = dice.choice((0.3, 1.0))
    simulation.hub.sleep(dice.uniform(5, 30))
    simulation.redis.pubsub_lost_share = 0.0


def _last_second_lost(simulation: Broken, dice: Random) -> None:
    snapshot = simulation.redis.snapshot()
    simulation.hub.sleep(dice.uniform(0.1, 1))
    simulation.lose(snapshot)
    simulation.redis.is_away = True
    simulation.hub.sleep(dice.uniform(0.1, 2))
    simulation.redis.is_away = False


def _everything_lost(simulation: Broken, dice: Random) -> None:
    simulation.lose(None)
    simulation.redis.is_away = True
    simulation.hub.sleep(dice.uniform(0.1, 2))
    simulation.redis.is_away = False


def _clock_jumps(simulation: Broken, dice: Random) -> None:
    name = dice.choice(simulation.fleet.names)
    skew = dice.choice((-3600.0, 3600.0, -20.0, 20.0, 1e8, 0.0))
    simulation.fleet.skews[name] = simulation.fleet.processes[name].skew = skew


def _redis_clock_jumps(simulation: Broken, dice: Random) -> None:
    """It was set, or another Redis has become the master: expiry and `TIME` follow it.

    It is not set back twice with a loss of data in between: that is not defended, see
    docs/simulation.md.
    """
    redis = simulation.redis
    by = dice.choice((-3600.0, 3600.0, -20.0, 20.0, -2.0, 2.0, 90_000.0))
    if by > 0 or not 0 <= redis.was_set_back_at <= redis.lost_at:
        redis.set_clock(by)


def _github(kind: str, **options: object) -> Callable[[Broken, Random], None]:
    def inflict(simulation: Broken, dice: Random) -> None:
        path = dice.choice(_PATHS)
        simulation.github.order(kind, path=path, times=dice.randint(1, 4), **options)

    return inflict


def _absurd_headers(simulation: Broken, dice: Random) -> None:
    simulation.github.order("absurd_headers", times=dice.randint(5, 60))


def _absurd_pauses(simulation: Broken, dice: Random) -> None:
    """Of years: they are believed for an hour, unless an operator ends them."""
    simulation.github.order("absurd_pauses", times=dice.randint(1, 4))
    simulation.is_to_be_resumed = True


def _hour_pauses(simulation: Broken, dice: Random) -> None:
    """The same; nobody ends them, so an hour passes before GitHub is asked again."""
    simulation.github.order("absurd_pauses", times=dice.randint(1, 4))
    simulation.is_pause_to_pass = True


def _wrong_304(simulation: Broken, dice: Random) -> None:
    """Until a check has found it in the calm: no event and no refresh shows what has changed."""
    kind = simulation.github.hide_changes(dice)
    if kind:
        simulation.hub.sleep(dice.uniform(0, 10))
        simulation.tell(kind)


def _changes_between_pages(simulation: Broken, dice: Random) -> None:
    """The list changes just after one of its pages was sent."""
    simulation.github.changes_between = dice.randint(1, 6)
    simulation.tell("star")


def _order_short(simulation: Broken, dice: Random) -> None:
    kind = dice.choice(("short_list", "empty_list"))
    options = {"share": 0.2} if kind == "short_list" else {}
    simulation.github.order(kind, path="^/orgs/[^/]+/repos", times=1, **options)


def _short(simulation: Broken, dice: Random) -> None:
    _order_short(simulation, dice)
    # So that its answer is no other one's second look.
    simulation.hub.sleep(40)


def _lost_and_short(simulation: Broken, dice: Random) -> None:
    """Only readers remember how long the list was that GitHub now shows short."""
    simulation.lose(None)
    simulation.redis.is_away = True
    simulation.hub.sleep(dice.uniform(0.1, 2))
    _order_short(simulation, dice)
    simulation.redis.is_away = False
    simulation.hub.sleep(40)


def _hooks(name: str, value: float) -> Callable[[Broken, Random], None]:
    def inflict(simulation: Broken, dice: Random) -> None:
        simulation.hooks[name] = value
        simulation.hub.sleep(dice.uniform(10, 50))
        simulation.hooks[name] = 0.0

    return inflict


KINDS: Final[dict[str, Kind]] = {
    "crash": Kind(5, _crash),
    "stop": Kind(3, _stop),
    "redis-away": Kind(2, _redis_away),
    "redis-slow": Kind(2, _redis_slow),
    "clients-late": Kind(1, _clients_late),
    "link-cut": Kind(2, _link_cut),
    "replies-lost": Kind(1, _replies_lost),
    "announcements-lost": Kind(1, _announcements_lost),
    "last-second-lost": Kind(1, _last_second_lost),
    "everything-lost": Kind(1, _everything_lost),
    "lost-and-short": Kind(1, _lost_and_short),
    "clock-jumps": Kind(2, _clock_jumps),
    "redis-clock-jumps": Kind(2, _redis_clock_jumps),
    "github-502": Kind(2, _github("status", status=502)),
    "github-html": Kind(1, _github("html")),
    "github-silent": Kind(1, _github("hang")),
    "github-reset": Kind(1, _github("reset")),
    "github-slow": Kind(1, _github("slow", delay=8.0)),
    "github-truncated": Kind(2, _github("truncate")),
    "github-garbage": Kind(1, _github("garbage")),
    "github-short": Kind(1, _short),
    "github-secondary": Kind(1, _github("secondary", retry_after=10)),
    "github-limited": Kind(1, _github("ratelimited", reset_in=20)),
    "github-saml": Kind(1, _github("saml", credentials=TOKENS[:1])),
    "github-ip-allow-list": Kind(1, _github("ip_allow_list")),
    "github-one-limited": Kind(2, _github("ratelimited", reset_in=20, credentials=TOKENS[1:])),
    "github-absurd-headers": Kind(2, _absurd_headers),
    "github-absurd-pauses": Kind(1, _absurd_pauses),
    "github-hour-pauses": Kind(1, _hour_pauses, share=0.05),
    "github-between-pages": Kind(2, _changes_between_pages),
    "github-wrong-304": Kind(1, _wrong_304, share=0.3),
    "webhooks-lost": Kind(1, _hooks("lost", 0.6)),
    "webhooks-doubled": Kind(1, _hooks("doubled", 0.7)),
    "webhooks-late": Kind(1, _hooks("late", 25.0)),
}
