"""What inflicts each kind of fault, and heals it."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from threading import Lock
from typing import Any, Final, Protocol, cast

import psutil

from tests.chaos.relay import Mode, Relay
from tests.chaos.schedule import Fault
from tests.end_to_end.fleet import Fleet, Reader, Running
from tests.fakegithub.client import Controls

# What a fault of the stand-in is ordered with, where its own defaults would outlast the run.
GITHUB: Final[dict[str, dict[str, Any]]] = {
    "ratelimited": {"reset_in": 2},
    "secondary": {"retry_after": 2},
    "slow": {"delay": 1},
    "drip": {"piece": 100, "interval": 0.1},
    "huge": {"size": 5_000_000},
    "unframed": {"after_bytes": 1000},
}
# What visitors request takes so long at GitHub that many refreshes are at work at any time.
VISITED: Final = {"path": "^/users/visitor-", "delay": 1.0}
_AT_WORK_WITHIN: Final = 1.0  # seconds
_ENDS_WITHIN: Final = 10.0  # seconds after SIGTERM: a request has its deadline
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
    """

    def __init__(self, fleet: Fleet, github: Controls, links: dict[str, Relay]) -> None:
        self.fleet, self.github, self.links = fleet, github, links
        self.readers: list[Reader] = []
        self.refreshers: list[Running] = []
        self.clients: list[Stoppable] = []  # all load
        self._starting = Lock()
        self.slowest_start = 0.0  # seconds that a reader took to answer

    def start_reader(self, number: int) -> None:
        """Start a reader, at the port of its predecessor if it had one."""
        settings: dict[str, object] = {"REDIS_URL": self._redis_url(f"reader-{number} link")}
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
            self.github.fault(kind, **GITHUB.get(kind, {}))
        self.github.fault("slow", **VISITED)  # the first fault that matches counts

    def _redis_url(self, link: str) -> str:
        return f"redis://127.0.0.1:{self.links[link].port}/0"


def inflict(fault: Fault, parts: Components) -> Heal:
    """Do what the fault says; gives what heals it."""
    if fault.kind.startswith("github "):
        return _github(fault.kind.removeprefix("github "), parts)
    if fault.subject in parts.links:
        return _link(cast(Mode, fault.kind), parts.links[fault.subject])
    if fault.subject == "redis":
        return _REDIS[fault.kind](parts)
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
