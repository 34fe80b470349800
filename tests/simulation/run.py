"""One run: episodes of faults, each followed by a calm in which everything has to become right."""

import hashlib
import logging
import os
import random
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Any
from unittest.mock import patch

from reader.cache.age_bound import ANY_AGE
from reader.cache.wanted import Found
from reader.errors import ApiError
from reader.fleet.suspension import resume
from shared.resources.resource import Resource
from shared.settings import Settings, load
from shared.time_bounds import LONGEST_PAUSE
from tests.simulation import faults
from tests.simulation.deliveries import Deliveries
from tests.simulation.faults import EPISODE_S, KINDS, Fault
from tests.simulation.fleet import LOST_EVERY_S, NO_CACHE, Fleet
from tests.simulation.guards import without
from tests.simulation.hub import Crashed, Hub, SimProcess, Task
from tests.simulation.model_github import (
    HOOK_TOKEN,
    HOOK_URL,
    ORG,
    SECRET,
    TOKENS,
    ModelGitHub,
    Told,
)
from tests.simulation.model_redis import ModelRedis, timed
from tests.simulation.paged_lists import pages_of, size_for
from tests.simulation.primitives import Primitives
from tests.simulation.promises import (
    LOOKED_AT_S,
    WITHDRAWN_S,
    BrokenPromiseError,
    Promises,
    guarded,
)

# Seconds of calm after which every reader is up to date: a failure's longest pause, the life of a
# lock, the lifetime of content of which no webhook told, and the looks.
CALM_S = 150.0
# Seconds more if a 304 is wrong: until a check meets the page, of which there are some twenty, a
# refresh confirms it, and it is checked again.
DRIFT_S = 500.0
PAUSE_S = LONGEST_PAUSE + 5  # seconds from a pause of years to its end by itself
REDELIVERY_S = 20.0  # between two looks for lost deliveries
# Seconds until a delivery that was lost in a calm comes: docs/webhooks.md.
FOUND_S = REDELIVERY_S + 15 + LOST_EVERY_S
_LOST_IN_CALM = 0.2  # share of deliveries in a calm that reach nobody at first
_SPARED = ("reader-2", "refresher-2")  # processes that do not run while a pause passes
_TRACED = 80  # steps that are remembered


@dataclass(frozen=True)
class Options:
    """What a run is made of.

    Args:
        seed: of everything.
        hours: virtual ones.
        kinds: of faults.
        dropped: faults that do not happen, by episode.
        guards: that are taken out.
        episode_s: seconds of faults before each calm.
        told: changes in each calm.
        is_chosen: somebody has chosen the kinds of faults, so that rare ones are not rare.
    """

    seed: str
    hours: float = 1.0
    kinds: frozenset[str] = frozenset(KINDS)
    dropped: frozenset[tuple[int, Fault]] = frozenset()
    guards: frozenset[str] = frozenset()
    episode_s: float = EPISODE_S
    told: int = 3
    is_chosen: bool = False


@dataclass
class Result:
    """How a run ended.

    Args:
        broken: the promise that was broken; None if none was.
        at: virtual seconds.
        trace: the last steps.
        digest: of all steps; the same for the same options.
    """

    broken: str | None = None
    at: float = 0.0
    trace: list[str] = field(default_factory=list)
    digest: str = ""
    events: int = 0
    steps: int = 0
    checks: int = 0
    happened: list[tuple[int, Fault]] = field(default_factory=list)


def _settings() -> Settings:
    return load(
        redis_url="redis://model.invalid",
        orgs=ORG,
        github_api_token=",".join(TOKENS),
        github_webhook_secret=SECRET,
        cache_ttl=60,
        local_ttl=50,
        on_demand_ttl=20,
        on_demand_keep=120,
        lock_ttl=10,
        backoff_max=20,
        origin_read_timeout=8,
        origin_deadline=20,
        github_concurrency=1,
        refresh_concurrency=4,
        reader_threads=40,
        drift_check_interval=2,
        github_hook_token=HOOK_TOKEN,
        github_webhook_url=HOOK_URL,
        redelivery_interval=REDELIVERY_S,
    )


class Simulation:
    """A fleet, what happens to it, and what is checked.

    Args:
        options: of the run.
        hub: virtual time.
        redis: the model.
    """

    def __init__(self, options: Options, hub: Hub, redis: ModelRedis) -> None:
        self.options = options
        self.hub = hub
        self.redis = redis
        lags = Random(f"{options.seed}:lag").choice(((), (0.0, 3.0), (1.0, 6.0, 0.0)))
        self.github = ModelGitHub(hub, options.seed, lags=lags)
        self.fleet = Fleet(hub, self.redis, self.github, _settings(), self._served)
        # Each second seed, because it costs a sixth of the time.
        self.fleet.is_followed = Random(f"{options.seed}:feed").random() < 0.5
        self.fleet.feed_failed = self.broken
        self.deliveries = Deliveries(hub, self.fleet, options.seed, self.note)
        self.github.github.hooks = self.deliveries
        self.github.is_paged = size_for(options.seed) < len(self.github.repo_names())
        self.github.change = self.tell
        self.told = ""  # the id of the last delivery
        self.promises = Promises(hub, self.fleet, self.redis, self.github)
        self.hooks = {"lost": 0.0, "doubled": 0.0, "late": 0.0}
        self.dice = Random(f"{options.seed}:world")
        self.world = SimProcess("world")
        self.result = Result()
        self._trace: deque[str] = deque(maxlen=_TRACED)
        self._digest = hashlib.sha256()
        self._doomed: dict[str, dict[str, Any]] = {}
        self._faults = 0  # under way
        self.is_to_be_resumed = False  # by an operator, in the calm
        self.is_pause_to_pass = False  # in the calm, by itself
        self._visits_apart = 1.0  # seconds, on average
        self._is_calm = False
        self._is_over = False
        hub.after_event = self._after_event
        hub.failed = self._failed
        self.redis.before_step = self._before_step
        self.redis.after_step = self._after_step

    def run(self) -> Result:
        """Run to the end, or to the first broken promise."""
        for name in self.fleet.names:
            self.fleet.start(name)
        self.hub.spawn(self.world, self._episodes, "episodes")
        until = self.hub.now
        while not self._is_over and self.result.broken is None:
            until += 1.0
            self.hub.run(until)
        if self.result.broken is None:
            self.result.at = self.hub.now
        for process in [*self.fleet.processes.values(), self.world]:
            self.fleet.hub.crash(process)
        self.result.trace = list(self._trace)
        self.result.digest = self._digest.hexdigest()[:16]
        self.result.events, self.result.steps = self.hub.events, self.redis.steps
        self.result.checks = self.promises.checks
        return self.result

    def note(self, text: str) -> None:
        """Add a line to the trace."""
        line = f"{self.hub.now:9.3f} {text}"
        self._trace.append(line)
        self._digest.update(line.encode())

    def broken(self, promise: str) -> None:
        """End the run."""
        if self.result.broken is None:
            self.note(f"BROKEN: {promise}")
            self.result.broken, self.result.at = promise, self.hub.now

    def _episodes(self) -> None:
        episode = 0
        self.hub.spawn(self.world, self._change, "changes")
        self.hub.spawn(self.world, self._visit, "clients")
        while self.hub.now < 3600 * self.options.hours:
            began = self.hub.now
            options = self.options
            planned = faults.plan(
                options.seed,
                episode,
                options.kinds,
                seconds=options.episode_s,
                is_chosen=options.is_chosen,
            )
            for fault in planned:
                if (episode, fault) not in self.options.dropped:
                    self.hub.sleep(max(0.0, began + fault.at - self.hub.now))
                    self._inflict(episode, fault)
            self.hub.sleep(max(0.0, began + options.episode_s - self.hub.now))
            self._calm()
            episode += 1
        self._is_over = True

    def _inflict(self, episode: int, fault: Fault) -> None:
        dice = Random(f"{self.options.seed}:{episode}:{fault.kind}:{fault.number}")
        self.result.happened.append((episode, fault))

        def work() -> None:
            if not self._is_calm:
                self.note(f"FAULT {fault.kind}")
                self._faults += 1
                KINDS[fault.kind].inflict(self, dice)
                self._faults -= 1

        self.hub.spawn(self.world, work, fault.kind)

    def _calm(self) -> None:
        """End all faults; wait until everything is right; then try what GitHub tells of."""
        self._is_calm = True
        while self._faults:
            self.hub.sleep(1)
        self._heal()
        self._let_pause_pass()
        self.note("CALM")
        bound = CALM_S + (DRIFT_S if self.github.hide_on() else 0.0)
        until = self.hub.now + bound
        while behind := list(self.promises.behind()):
            if self.hub.now > until:
                self.broken(f"{bound:.0f} s after the last fault: {', '.join(behind)}")
                return
            self.hub.sleep(2)
        self.github.hide_no_more()
        guarded(self.promises.check_drift, self._fail)
        if self.dice.random() < 0.3:
            self.redis.pubsub_lost_share = 1.0
        self.promises.calm(is_calm=True)
        for _ in range(self.options.told):
            self._tell_in_calm()
        self._await_deliveries(self.deliveries.missing())
        for name, follower in self.fleet.followers.items():
            if lost := follower.lost(self.redis.checker):
                self.broken(f"{name} has not told the change {lost[0]}")
        self.promises.calm(is_calm=False)
        self.redis.pubsub_lost_share = 0.0
        self._is_calm = False

    def _heal(self) -> None:
        self.redis.is_away = False
        self.redis.cut_off.clear()
        self.github.changes_between = 0
        self.redis.reply_lost_share = self.redis.pubsub_lost_share = 0.0
        self.github.github.faults.clear()
        if self.is_to_be_resumed and not self.is_pause_to_pass:
            resume(self.redis.checker)
        self.is_to_be_resumed = False
        self._doomed.clear()
        self.hooks = dict.fromkeys(self.hooks, 0.0)
        for name in self.fleet.names:
            if self.fleet.processes[name].is_dead:
                self.fleet.start(name)

    def _let_pause_pass(self) -> None:
        """Let GitHub's pauses of years end as they do without an operator, with fewer processes."""
        asked_at, self.github.paused_at = self.github.paused_at, None
        is_to_pass, self.is_pause_to_pass = self.is_pause_to_pass, False
        if asked_at is None or not is_to_pass:
            return
        until = asked_at + PAUSE_S
        self.note("a pause passes")
        for name in _SPARED:
            self.crash(name)
        self._visits_apart = 60.0
        while self.hub.now < until:
            self.hub.sleep(min(until - self.hub.now, self.dice.uniform(300, 1200)))
            self.tell()
        self._visits_apart = 1.0
        for name in _SPARED:
            self.fleet.start(name)

    def _tell_in_calm(self) -> None:
        """A change whose delivery arrives: every reader shows it within the bound."""
        changed_at = self.hub.now
        is_lost = "webhooks-lost" in self.options.kinds and self.dice.random() < _LOST_IN_CALM
        what, changed = self.tell(is_lost=is_lost)
        if is_lost:
            self._await_deliveries([self.told])
        self.hub.sleep(WITHDRAWN_S)
        kind, _, name = what.partition(" ")
        if kind == "make_private":
            guarded(lambda: self.promises.check_withdrawn(name), self._fail)
        self.hub.sleep(LOOKED_AT_S + self.github.lag - WITHDRAWN_S)
        for path in changed:
            if path.startswith("/orgs"):
                told = Told(path, self.hub.now, changed_at)
                guarded(partial(self.promises.check_told, told), self._fail)

    def _await_deliveries(self, wanted: Collection[str]) -> None:
        """Wait until lost deliveries have come after all, or a refresher has given them up."""
        until = self.hub.now + FOUND_S + len(wanted)
        while True:
            given_up = self.promises.given_up()
            left = [
                one
                for one in wanted
                if one not in self.deliveries.taken
                and one not in given_up
                and not self.promises.is_remembered(one)
            ]
            if not left:
                return
            if self.hub.now > until:
                self.broken(f"{len(left)} lost deliveries have not come, such as {left[0]}")
                return
            self.hub.sleep(1)

    def tell(self, kind: str = "", *, is_lost: bool = False) -> tuple[str, list[str]]:
        """Change GitHub, which delivers that to some reader; return what changed.

        Args:
            kind: of the change; empty for any.
            is_lost: the delivery reaches nobody.
        """
        what, body, headers, changed = self.github.mutate(kind)
        self.note(f"CHANGE {what}")
        dice, hooks = self.dice, self.hooks
        lost, doubled = dice.random(), dice.random()
        delays = [dice.uniform(0.1, 1.0), dice.uniform(0.1, 3.0)]
        late = dice.random() * hooks["late"]
        attempt = self.deliveries.attempt(ORG, body, headers)
        self.told = attempt.guid
        if is_lost or lost < hooks["lost"]:
            self.deliveries.lose(attempt)
            return what, changed
        for at in range(2 if doubled < hooks["doubled"] else 1):
            self.deliveries.send_later(attempt, delays[at] + late, what)
        return what, changed

    def _change(self) -> None:
        while True:
            self.hub.sleep(self.dice.uniform(2, 20))
            if not self._is_calm:
                self.tell()

    def _visit(self) -> None:
        dice = Random(f"{self.options.seed}:clients")
        tracked = list(self.fleet.catalogue.tracked)
        while True:
            self.hub.sleep(dice.expovariate(1.0) * self._visits_apart)
            names = [f"/repos/{ORG}/{dice.choice(self.github.repo_names())}", f"/users/{ORG}"]
            others = [self.fleet.catalogue.named(name) for name in names]
            resource = dice.choice([*tracked, *others])
            assert resource is not None
            bound = NO_CACHE if dice.random() < 0.3 else ANY_AGE
            reader = dice.choice([one for one in self.fleet.names if one.startswith("reader")])
            self.fleet.request(reader, resource, f"192.0.2.{dice.randint(1, 5)}", bound)

    def doom(self, name: str, **fate: Any) -> None:
        """Let a process crash, or be stopped, at one of its next steps."""
        self._doomed[name] = fate

    def crash(self, name: str) -> None:
        """End a process now, if it has not ended."""
        self._doomed.pop(name, None)
        if not self.fleet.processes[name].is_dead:
            self.note(f"{name} is killed")
            self.fleet.crash(name)

    def lose(self, snapshot: Any) -> None:
        """Let Redis restart with what a snapshot holds."""
        self.redis.restore(snapshot)

    def _fate(self, process: SimProcess, step: str, *, is_after: bool) -> None:
        fate = self._doomed.get(process.name)
        if fate is None or fate.get("only", "") not in step:
            return
        if fate.get("is_after", False) is not is_after:
            return
        fate["step"] -= 1
        if fate["step"] > 0:
            return
        del self._doomed[process.name]
        seconds = fate.get("stop_s")
        if seconds is not None:
            self.note(f"{process.name} is stopped for {seconds:.1f} s before {step}")
            process.stopped_until = self.hub.now + seconds
            self.hub.sleep(0)
            return
        self.note(f"{process.name} crashes {'after' if is_after else 'before'} {step}")
        self.fleet.readers.pop(process.name, None)
        self.fleet.followers.pop(process.name, None)
        self.hub.crash(process)

    def _before_step(self, process: SimProcess, step: str) -> None:
        self._fate(process, step, is_after=False)

    def _after_step(self, process: SimProcess, step: str) -> None:
        task = self.hub.task
        self.note(f"{process.name} {task.name if task else ''}: {step}")
        guarded(lambda: self.promises.after_step(process, step), self._fail)
        self._fate(process, step, is_after=True)

    def _after_event(self) -> None:
        guarded(self.promises.after_event, self._fail)

    def _served(self, process: SimProcess, resource: Resource, result: Found | ApiError) -> None:
        guarded(lambda: self.promises.served(process, resource, result), self._fail)

    def _fail(self, broken: BrokenPromiseError) -> None:
        self.broken(str(broken))

    def _failed(self, task: Task, error: BaseException) -> None:
        self.broken(f"{task.process.name} {task.name} ended: {type(error).__name__}: {error}")


class _Errors(logging.Handler):
    """Unexpected errors that the product logs and survives."""

    def __init__(self, simulation: Simulation) -> None:
        super().__init__(logging.ERROR)
        self._simulation = simulation

    def emit(self, record: logging.LogRecord) -> None:
        """Take one."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, Crashed):
            where = []
            trace = error.__traceback__
            while trace is not None:
                code = trace.tb_frame.f_code
                where.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
                trace = trace.tb_next
            self._simulation.broken(
                f"{record.getMessage()}: {type(error).__name__}: {error} at {' '.join(where[-4:])}"
            )


@contextmanager
def _quiet(simulation: Simulation) -> Iterator[None]:
    handler, loggers = _Errors(simulation), [logging.getLogger(n) for n in ("reader", "refresher")]
    before = [(one.propagate, one.level) for one in loggers]
    for one in loggers:
        one.addHandler(handler)
        one.propagate = False
    try:
        yield
    finally:
        for one, (propagates, level) in zip(loggers, before, strict=True):
            one.removeHandler(handler)
            one.propagate = propagates
            one.setLevel(level)


def simulate(options: Options) -> Result:
    """One run; the same options give the same result."""
    hub, entropy = Hub(options.seed), Random(f"{options.seed}:entropy")
    state = random.getstate()
    random.seed(options.seed)
    with ExitStack() as stack:
        stack.callback(random.setstate, state)
        stack.enter_context(patch.object(os, "urandom", entropy.randbytes))
        redis = ModelRedis(hub)
        stack.enter_context(timed(lambda: redis.unix))
        stack.enter_context(without(options.guards))
        stack.enter_context(Primitives(hub).replaced())
        stack.enter_context(pages_of(size_for(options.seed)))
        simulation = Simulation(options, hub, redis)
        stack.enter_context(_quiet(simulation))
        stack.enter_context(simulation.fleet.edges())
        return simulation.run()


def shrink(options: Options, result: Result, told: Callable[[str], None]) -> tuple[Options, Result]:
    """A shorter run with fewer kinds of faults, and fewer faults, that breaks a promise, too."""
    best = replace(options, hours=(result.at - options.episode_s) / 3600)
    found = result
    for kind in sorted({fault.kind for _, fault in result.happened}):
        tried = replace(best, kinds=best.kinds - {kind})
        ended = simulate(tried)
        if ended.broken is not None and ended.at <= found.at + CALM_S:
            best, found = tried, ended
            told(f"also without {kind}: {ended.broken}")
    for one in found.happened[:30]:
        tried = replace(best, dropped=best.dropped | {one})
        ended = simulate(tried)
        if ended.broken is not None and ended.at <= found.at + CALM_S:
            best, found = tried, ended
            told(f"also without {one[1].kind} at {one[1].at:.1f}: {ended.broken}")
    return best, found
