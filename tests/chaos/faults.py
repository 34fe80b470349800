"""What inflicts each kind of fault, and heals it."""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from threading import Lock
from typing import Any, Final, Protocol, cast

import psutil

from reader.fleet import suspension
from tests.chaos import damages
from tests.chaos.relay import Mode, Relay
from tests.chaos.schedule import PAUSING, READERS, REFRESHERS, Fault
from tests.end_to_end.fleet import Fleet, Reader, Running
from tests.end_to_end.wrong_clocks import WrongClock
from tests.fakegithub.client import Controls

_HOUR: Final = 3600.0
# What a fault of the stand-in is ordered with, where its own defaults would outlast the run.
GITHUB: Final[dict[str, dict[str, Any]]] = {
    "ratelimited": {"reset_in": 2},
    "secondary": {"retry_after": 2},
    "slow": {"delay": 1},
    "drip": {"piece": 100, "interval": 0.1},
    "huge": {"size": 5_000_000},
    "unframed": {"after_bytes": 1000},
}
# What is ordered before it, for a part of all requests.
BEFORE: Final[dict[str, list[dict[str, Any]]]] = {
    PAUSING: [
        {"kind": "secondary", "path": "^/orgs/Netflix$", "retry_after": 10**12},
        {"kind": "status", "path": "page=2", "status": 503, "headers": {"Retry-After": "9" * 20}},
        {"kind": "ratelimited", "path": "^/users/visitor-[0-9]*1-", "reset_in": 1e9},
    ],
    "github absurd_headers": [
        {"kind": "status", "path": "^/repos/", "status": 500, "headers": {"Retry-After": "-1"}},
        {"kind": "status", "path": "^/users/visitor-[0-9]*1-", "status": 429,
         "headers": {"Retry-After": "2", "X-RateLimit-Remaining": "-1", "Date": "now"}},
    ],
}  # fmt: skip
# What visitors request takes so long at GitHub that many refreshes are at work at any time.
VISITED: Final = {"path": "^/users/visitor-", "delay": 1.0}
_AT_WORK_WITHIN: Final = 1.0  # seconds
_ENDS_WITHIN: Final = 30.0  # seconds after SIGTERM: a request has its deadline
Heal = Callable[[], None]


class Stoppable(Protocol):
    """What sends requests until it is stopped."""

    def stop(self) -> None:
        """Send no more requests."""


class Components:
    """The processes of a run, and the relays between them; a killed one is put in its place.

    Args:
        fleet: starts them.
        github: the stand-in.
        links: by subject.
        clocks: of readers and refreshers, by subject; empty if none of them is ever wrong.
    """

    def __init__(
        self,
        fleet: Fleet,
        github: Controls,
        links: dict[str, Relay],
        clocks: dict[str, WrongClock],
    ) -> None:
        self.fleet, self.github, self.links, self.clocks = fleet, github, links, clocks
        self.readers: list[Reader] = []
        self.refreshers: list[Running] = []
        self.clients: list[Stoppable] = []  # all load
        self.is_paused = False  # for an hour, if no operator ends it
        self._starting = Lock()
        self.slowest_start = 0.0  # seconds that a reader took to answer

    def start_reader(self, number: int) -> None:
        """Start a reader, at the port of its predecessor if it had one."""
        settings = self._settings_of(READERS[number])
        settings["REDIS_URL"] = self._redis_url(f"reader-{number} link")
        if number < len(self.readers):
            settings["PORT"] = self.readers[number].url.rpartition(":")[2]
        with self._starting:
            began = time.monotonic()
            reader = self.fleet.reader(**settings)
            self.slowest_start = max(self.slowest_start, time.monotonic() - began)
        self.readers[number : number + 1] = [reader]

    def start_refresher(self, number: int) -> None:
        """Start a refresher."""
        with self._starting:
            worker = self.fleet.worker(
                **self._settings_of(REFRESHERS[number]),
                # Without it glibc keeps memory for each of many threads, which looks like a leak.
                MALLOC_ARENA_MAX=2,
                REDIS_URL=self._redis_url("refreshers link"),
                GITHUB_API_URL=f"http://127.0.0.1:{self.links['github link'].port}",
            )
        self.refreshers[number : number + 1] = [worker]

    def order_github_fault(self, kind: str | None) -> None:
        """Let the stand-in have one kind of fault, or none."""
        self.github.clear_faults()
        if kind is not None:
            for order in BEFORE.get(f"github {kind}", []):
                self.github.fault(**order)
            self.github.fault(kind, **GITHUB.get(kind, {}))
        self.github.fault("slow", **VISITED)  # the first fault that matches counts

    def resume(self) -> None:
        """End all pauses, as an operator does."""
        with self.fleet.redis() as redis:
            suspension.resume(redis)
        self.is_paused = False

    def _settings_of(self, subject: str) -> dict[str, object]:
        return dict(self.clocks[subject].settings) if self.clocks else {}

    def _redis_url(self, link: str) -> str:
        return f"redis://127.0.0.1:{self.links[link].port}/0"


def inflict(fault: Fault, parts: Components) -> Heal:
    """Do what the fault says; gives what heals it."""
    if fault.kind.startswith("github "):
        parts.is_paused = parts.is_paused or fault.kind == PAUSING
        return _github(fault.kind.removeprefix("github "), parts)
    if fault.subject in parts.links:
        return _link(cast(Mode, fault.kind), parts.links[fault.subject])
    if fault.subject == "redis":
        damage = _DAMAGES.get(fault.kind)
        return damage(parts, random.Random(repr(fault))) if damage else _REDIS[fault.kind](parts)
    if fault.subject in parts.clocks and fault.kind in _CLOCKS:
        return _CLOCKS[fault.kind](fault.subject, parts)
    if fault.subject == "refreshers":
        inflict_one = _ALL_REFRESHERS[fault.kind]
        healers = [inflict_one(number, parts) for number in range(len(parts.refreshers))]
        return lambda: _all(healers)
    role, _, number = fault.subject.rpartition("-")
    return (_READER if role == "reader" else _REFRESHER)[fault.kind](int(number), parts)


def _all(healers: list[Heal]) -> None:
    for heal in healers:
        heal()


def _github(kind: str, parts: Components) -> Heal:
    parts.order_github_fault(kind)
    return lambda: parts.order_github_fault(None)


def _link(mode: Mode, relay: Relay) -> Heal:
    relay.set(mode)
    return lambda: relay.set("pass")


def _stop_redis(parts: Components) -> Heal:
    parts.fleet.redis_server.stop()
    return parts.fleet.redis_server.start


def _crash_redis(parts: Components) -> Heal:
    server = parts.fleet.redis_server
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    return server.start


def _empty_redis(parts: Components) -> Heal:
    server = parts.fleet.redis_server
    server.stop()
    parts.fleet.forget_data()
    return server.start


def _hang_redis(parts: Components) -> Heal:
    stack = ExitStack()
    stack.enter_context(parts.fleet.redis_server.suspended())
    return stack.close


def _fill_redis(parts: Components) -> Heal:
    return _configured(parts, "maxmemory", 1, 0)


def _configured(parts: Components, name: str, value: int, usual: int) -> Heal:
    def set_to(value: int) -> None:
        with parts.fleet.redis() as redis:
            redis.config_set(name, value)

    set_to(value)
    return lambda: set_to(usual)


def _make_replica(parts: Components) -> Heal:
    """Of a master that is not there: it keeps its data, and takes no writes."""
    with parts.fleet.redis() as redis:
        redis.replicaof("127.0.0.1", 1)

    def heal() -> None:
        with parts.fleet.redis() as redis:
            redis.replicaof("NO", "ONE")

    return heal


def _damage_types(parts: Components, dice: random.Random) -> Heal:
    with parts.fleet.redis() as redis:
        damages.damage_types(redis, dice)
    return lambda: None  # it is mended


def _damage_values(parts: Components, dice: random.Random) -> Heal:
    with parts.fleet.redis() as redis:
        clean = damages.damage_values(redis, dice)

    def heal() -> None:
        with parts.fleet.redis() as redis:
            clean(redis)

    return heal


def _lose_expiries(parts: Components, dice: random.Random) -> Heal:
    with parts.fleet.redis() as redis:
        damages.lose_expiries(redis, dice)
    return lambda: None  # it is mended


def _set_clock(error: float) -> Callable[[str, Components], Heal]:
    def jump(subject: str, parts: Components) -> Heal:
        parts.clocks[subject].set(error)
        return lambda: parts.clocks[subject].set(0)

    return jump


def _start_with_wrong_clock(subject: str, parts: Components) -> Heal:
    """It is wrong until the next fault of this clock: it has to do no harm."""
    role, _, digits = subject.rpartition("-")
    number = int(digits)
    running = parts.readers if role == "reader" else parts.refreshers
    running[number].kill()
    parts.clocks[subject].set(_HOUR if number % 2 else -_HOUR)
    start = parts.start_reader if role == "reader" else parts.start_refresher
    return lambda: start(number)


def _kill_reader(number: int, parts: Components) -> Heal:
    parts.readers[number].kill()
    return lambda: parts.start_reader(number)


def _kill_reader_process(number: int, parts: Components) -> Heal:
    processes = parts.readers[number].processes()
    if processes:
        _signal(processes[:1], signal.SIGKILL)
    return lambda: None  # gunicorn starts another one


def _stop_reader_process(number: int, parts: Components) -> Heal:
    stopped = parts.readers[number].processes()[:1]
    _signal(stopped, signal.SIGSTOP)
    return lambda: _signal(stopped, signal.SIGCONT)


def _kill_refresher(number: int, parts: Components) -> Heal:
    _await_work(parts)
    parts.refreshers[number].kill()
    return lambda: parts.start_refresher(number)


def _end_refresher(number: int, parts: Components) -> Heal:
    _await_work(parts)
    ending = parts.refreshers[number]
    ending.signal(signal.SIGTERM)

    def heal() -> None:
        parts.start_refresher(number)
        status = ending.process.wait(_ENDS_WITHIN)
        assert status == 0, f"a refresher ended with status {status} after SIGTERM"

    return heal


def _stop_refresher(number: int, parts: Components) -> Heal:
    _await_work(parts)
    stopped = parts.refreshers[number].family()
    _signal(stopped, signal.SIGSTOP)
    return lambda: _signal(stopped, signal.SIGCONT)


def _await_work(parts: Components) -> None:
    """Wait a moment until refreshers are at work, if they are not: then a fault hurts most."""
    deadline = time.monotonic() + _AT_WORK_WITHIN
    while time.monotonic() < deadline and not parts.github.counters()["in_flight"]:
        time.sleep(0.05)


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


_REDIS: Final[dict[str, Callable[[Components], Heal]]] = {
    "restart redis": _stop_redis,
    "crash redis": _crash_redis,
    "empty redis": _empty_redis,
    "hang redis": _hang_redis,
    "redis out of memory": _fill_redis,
    "read-only redis": _make_replica,
}
_DAMAGES: Final[dict[str, Callable[[Components, random.Random], Heal]]] = {
    "damage types": _damage_types,
    "damage values": _damage_values,
    "lose expiries": _lose_expiries,
}
_CLOCKS: Final[dict[str, Callable[[str, Components], Heal]]] = {
    "clock jumps ahead": _set_clock(_HOUR),
    "clock jumps back": _set_clock(-_HOUR),
    "restart with wrong clock": _start_with_wrong_clock,
}
_READER: Final[dict[str, Callable[[int, Components], Heal]]] = {
    "kill reader process": _kill_reader_process,
    "stop reader process": _stop_reader_process,
    "kill reader": _kill_reader,
}
_REFRESHER: Final[dict[str, Callable[[int, Components], Heal]]] = {
    "kill refresher": _kill_refresher,
    "end refresher": _end_refresher,
    "stop refresher": _stop_refresher,
}
_ALL_REFRESHERS: Final[dict[str, Callable[[int, Components], Heal]]] = {
    "kill all refreshers": _kill_refresher,
    "stop all refreshers": _stop_refresher,
}
