"""What inflicts each kind of fault, and heals it."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from threading import Lock
from typing import Any, Final, cast

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
_HORSE_WITHIN: Final = 1.0  # seconds
_INTO_WORK: Final = 0.2  # seconds until a work horse has asked GitHub, which answers in as many
Heal = Callable[[], None]


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
                REDIS_URL=self._redis_url("refreshers link"),
                GITHUB_API_URL=f"http://127.0.0.1:{self.links['github link'].port}",
            )
        self.refreshers[number : number + 1] = [worker]

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
        healers = [_kill_refresher(number, parts) for number in range(len(parts.refreshers))]
        return lambda: _all(healers)
    role, _, number = fault.subject.rpartition("-")
    return (_READER if role == "reader" else _REFRESHER)[fault.kind](int(number), parts)


def _all(healers: list[Heal]) -> None:
    for heal in healers:
        heal()


def _github(kind: str, parts: Components) -> Heal:
    parts.github.fault(kind, **GITHUB.get(kind, {}))
    return parts.github.clear_faults


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
    _await_horse(parts.refreshers[number])
    parts.refreshers[number].kill()
    return lambda: parts.start_refresher(number)


def _kill_worker(number: int, parts: Components) -> Heal:
    _await_horse(parts.refreshers[number])
    parts.refreshers[number].process.kill()  # its work horse is left, and has to notice
    parts.refreshers[number].process.wait()
    return lambda: parts.start_refresher(number)


def _kill_work_horse(number: int, parts: Components) -> Heal:
    _signal(_await_horse(parts.refreshers[number]), signal.SIGKILL)
    return lambda: None


def _stop_refresher(number: int, parts: Components) -> Heal:
    _await_horse(parts.refreshers[number])
    stopped = parts.refreshers[number].family()
    _signal(stopped, signal.SIGSTOP)
    return lambda: _signal(stopped, signal.SIGCONT)


def _await_horse(refresher: Running) -> list[psutil.Process]:
    """The work horses of a refresher, as soon as it is at work: then a fault hurts most."""
    deadline = time.monotonic() + _HORSE_WITHIN
    while time.monotonic() < deadline:
        if horses := refresher.family()[1:]:
            time.sleep(_INTO_WORK)
            return horses
        time.sleep(0.005)
    return []


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
    "kill worker": _kill_worker,
    "kill work horse": _kill_work_horse,
    "stop refresher": _stop_refresher,
}
