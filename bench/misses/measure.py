"""The rounds: every scenario at every server in turn, without and with a list being refreshed."""

import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import requests

from bench.misses import load
from bench.misses.figures import AtOrigin, Place, Sample, sample_of
from bench.misses.load import Load
from bench.misses.origin_process import Seen
from bench.misses.servers import LIMIT, Compared, Server, compared
from bench.misses.small_bodies import path_of
from bench.throughput import rotated, say
from bench.workloads import LIST
from tests.waiting import eventually

DELAY = 0.2  # seconds of the origin for each response
QUIET, WITH_LIST, SECURE = "quiet", "list", "TLS"
_FEW = 100  # repositories of the organisation, where no large list is refreshed
_BETWEEN = 1.0  # seconds between two requests for the list's refresh
_SETTLED = 1.5  # seconds without a request for the list, after which its refresh is over
_SETTLING = 60.0  # seconds for that, at most


@dataclass(frozen=True)
class Scenario:
    """What clients request.

    Args:
        name: in tables.
        clients: number of them.
        objects: how many objects, never requested before.
        requests: how many requests are sent.
        seconds: after which no more are sent.
        again: the scenario of the same round whose objects are requested again, and are stale by
            now.
        wide: whether ours has four reader processes.
    """

    name: str
    clients: int
    objects: int
    requests: int
    seconds: float = 12.0
    again: str | None = None
    wide: bool = False


EIGHT = Scenario("8 clients", 8, 80, 80)
THIRTY_TWO = Scenario("32 clients", 32, 200, 200)
HUNDRED = Scenario("100 clients", 100, 400, 400)
ALONE = Scenario("alone", 1, 15, 15)
ONE_PATH = Scenario("one path", 200, 1, 200, wide=True)
STALE = Scenario("stale", 32, 100, 1_000_000, seconds=2.0, again=THIRTY_TWO.name)
COLD = (EIGHT, THIRTY_TWO, HUNDRED)
_FIRST = Scenario("first", 8, 16, 16)
# They need a cache.
_NO_LIMIT = frozenset({ONE_PATH.name, STALE.name})


@dataclass(frozen=True)
class Plan:
    """The extent of a run; the defaults take about eight minutes.

    Args:
        rounds: of all scenarios, at most.
        scenarios: without TLS, in this order.
        secure_rounds: of the scenarios with TLS.
        secure: these scenarios.
        repositories: of the large list.
        seconds: after which no round begins that would end too late.
        addresses: how many addresses the clients have.
    """

    rounds: int = 4
    scenarios: Sequence[Scenario] = (*COLD, ALONE, ONE_PATH, STALE)
    secure_rounds: int = 3
    secure: Sequence[Scenario] = (THIRTY_TWO, ALONE)
    repositories: int = 7000
    seconds: float = 400.0
    addresses: int = 1


QUICK = Plan(
    rounds=1,
    scenarios=(THIRTY_TWO, ALONE, ONE_PATH, STALE),
    secure_rounds=1,
    repositories=2000,
)


@dataclass(frozen=True)
class Results:
    """All samples, and the number of our processes by kind."""

    samples: Sequence[Sample]
    processes: Mapping[str, int]


def measure(plan: Plan, programs: Mapping[str, Path]) -> Results:
    """Measure everything.

    Raises:
        BenchError: a server or the load failed.
    """
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        samples = _secure_rounds(plan, programs, Path(temporary)) if plan.secure_rounds else []
        say("starting the servers without TLS")
        with compared(
            Path(temporary) / "plain", programs, repositories=plan.repositories, secure=False
        ) as servers:
            rounds = Rounds(servers, plan)
            for number in range(plan.rounds):
                round_begun = time.monotonic()
                say(f"round {number + 1} of {plan.rounds}")
                samples += rounds.all_of(QUIET, number, plan.scenarios)
                say(f"round {number + 1}, while the list is refreshed")
                samples += rounds.all_of(WITH_LIST, number, plan.scenarios)
                now = time.monotonic()
                if number + 1 < plan.rounds and now - begun + (now - round_begun) > plan.seconds:
                    say("the time allows no further round")
                    break
            return Results(samples, servers.processes)


def _secure_rounds(plan: Plan, programs: Mapping[str, Path], folder: Path) -> list[Sample]:
    say("starting the servers with TLS to the origin")
    samples = []
    with compared(folder / "tls", programs, repositories=_FEW, secure=True) as servers:
        rounds = Rounds(servers, plan)
        for number in range(plan.secure_rounds):
            say(f"TLS, round {number + 1} of {plan.secure_rounds}")
            samples += rounds.all_of(SECURE, number, plan.secure)
    return samples


class Rounds:
    """Measures servers before one origin; no object is requested twice unless it is to be stale.

    Args:
        servers: what is compared.
        plan: the extent of the run.
    """

    def __init__(self, servers: Compared, plan: Plan) -> None:
        self._compared = servers
        self._plan = plan
        self._free = 0  # number of the first object that was never requested
        self._objects: dict[tuple[str, str, str], int] = {}
        servers.origin.delay(DELAY)
        for server in servers.servers:  # each opens its first connections to the origin
            self._load(server, _FIRST, self._new_objects(_FIRST))

    def all_of(self, phase: str, number: int, scenarios: Sequence[Scenario]) -> list[Sample]:
        """One round of the scenarios."""
        samples = []
        with refreshing(self._compared) if phase == WITH_LIST else nullcontext():
            for scenario in scenarios:
                for server in rotated(self._compared.servers, number):
                    if server.name == LIMIT and scenario.name in _NO_LIMIT:
                        continue
                    place = Place(number, phase, scenario.name, server.name)
                    samples.append(self._sample(place, scenario, server))
        return samples

    def _sample(self, place: Place, scenario: Scenario, server: Server) -> Sample:
        at = (place.phase, scenario.again or scenario.name, server.name)
        if scenario.again is None:
            self._objects[at] = self._new_objects(scenario)
        self._compared.origin.log()
        before = server.cpu()
        loaded = self._load(server, scenario, self._objects[at])
        after = server.cpu()
        seen, log = self._compared.origin.log()
        pages = [one for one in seen if one.target.partition("?")[0].endswith("/repos")]
        # Without what an earlier scenario has left in the queue.
        own = {path_of(self._objects[at] + number) for number in range(scenario.objects)}
        small = [one for one in seen if one.target in own]
        cpu = {kind: used - before[kind] for kind, used in after.items()}
        connections = log.connections - 1  # without the one that read the log before
        at_origin = AtOrigin(small, pages, log.most_at_once, connections, log.handshakes)
        return sample_of(place, loaded, at_origin, cpu=cpu)

    def _load(self, server: Server, scenario: Scenario, first: int) -> load.Loaded:
        clients = min(scenario.clients, server.most_clients or scenario.clients)
        return load.run(
            Load(
                server.wide_port if scenario.wide else server.port,
                clients,
                first,
                scenario.objects,
                scenario.requests,
                scenario.seconds,
                self._plan.addresses,
            )
        )

    def _new_objects(self, scenario: Scenario) -> int:
        first, self._free = self._free, self._free + scenario.objects
        return first


@contextmanager
def refreshing(servers: Compared) -> Iterator[None]:
    """Keep the large list being refreshed during the block; return when its last refresh is over.

    Each time one of its items has changed: all pages are revalidated, and one of them is new.
    """
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            with suppress(requests.RequestException):
                servers.refresh_list(LIST)
            ended.wait(_BETWEEN)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        eventually(lambda: _pages(servers), within=_SETTLING, what="the list is refreshed")
        yield
    finally:
        ended.set()
        thread.join()
    eventually(lambda: _is_settled(servers), within=_SETTLING, every=0.0, what="the list is held")


def _pages(servers: Compared) -> list[Seen]:
    seen, _ = servers.origin.log()
    return [one for one in seen if one.target.partition("?")[0].endswith("/repos")]


def _is_settled(servers: Compared) -> bool:
    servers.origin.log()
    time.sleep(_SETTLED)
    return not _pages(servers)
