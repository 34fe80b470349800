"""Samples of the resources that a fleet's processes use, once a second."""

import re
import resource
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil
from redis import Redis, RedisError

from bench.cores import cpu_seconds

_EVERY = 1.0  # seconds


@dataclass(frozen=True)
class Held:
    """Resources of one reader process: bytes of memory (RSS), open files, threads."""

    rss: int
    files: int
    threads: int


@dataclass(frozen=True)
class Sample:
    """One sample.

    Args:
        at: seconds since the run's begin.
        readers: resources of each reader process, by pid.
        redis: bytes that Redis uses; None while it is down.
        kernel: bytes in the buffers of all TCP connections of this machine, both ends.
        shares: of a core, used by each group of processes since the last sample.
    """

    at: float
    readers: Mapping[str, Held]
    redis: int | None
    kernel: int
    shares: Mapping[str, float]


@dataclass
class Sampler:
    """Takes samples inside the block, in a thread.

    Args:
        begin: of the run, by the monotonic clock in seconds.
        readers: returns the reader processes.
        groups: returns the first process of each group, by name.
    """

    begin: float
    readers: Callable[[], list[psutil.Process]]
    redis: Redis
    groups: Callable[[], Mapping[str, int]]
    samples: list[Sample] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._ends = threading.Event()
        self._taken: dict[int, float] = {}
        self._sampled_at = time.monotonic()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        self._shares()
        while not self._ends.wait(_EVERY):
            readers = {}
            for process in self.readers():
                with suppress(psutil.Error):
                    readers[str(process.pid)] = Held(
                        process.memory_info().rss, process.num_fds(), process.num_threads()
                    )
            at = time.monotonic() - self.begin
            self.samples.append(Sample(at, readers, self._used(), _kernel(), self._shares()))

    def _used(self) -> int | None:
        try:
            return int(self.redis.info("memory")["used_memory"])
        except RedisError:
            return None

    def _shares(self) -> dict[str, float]:
        now, taken, shares = time.monotonic(), {}, {}
        for name, pid in self.groups().items():
            with suppress(psutil.Error):
                taken[pid] = cpu_seconds(pid)
                before = self._taken.get(pid, taken[pid])
                shares[name] = max(0.0, taken[pid] - before) / max(0.001, now - self._sampled_at)
        self._taken, self._sampled_at = taken, now
        return shares


def _kernel() -> int:
    found = re.search(r"^TCP:.* mem (\d+)", Path("/proc/net/sockstat").read_text(), re.MULTILINE)
    return int(found[1]) * resource.getpagesize() if found else 0
