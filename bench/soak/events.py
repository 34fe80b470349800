"""The events of the hour and their times: reload, changes, outages."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import requests

from bench.soak.shape import CHANGES, NO_REDIS, OUTAGE, RELOAD, Shape
from bench.workloads import ORG
from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.fakegithub.webhooks import star

SECRET = os.urandom(16).hex()  # of webhooks
_BETWEEN = 0.5  # seconds between two changes at GitHub


@dataclass(frozen=True)
class Hour:
    """The hour's events, for one fleet."""

    fleet: Fleet
    reader: Reader
    github: FakeGitHubProcess

    def play(self, shape: Shape, begin: float) -> None:
        """Cause all events in time; return when the hour is over.

        Args:
            begin: by the monotonic clock, in seconds.
        """
        for at, happens in sorted(self._timetable(shape), key=lambda one: one[0]):
            time.sleep(max(0.0, begin + at - time.monotonic()))
            happens()
        time.sleep(max(0.0, begin + shape.seconds - time.monotonic()))

    def _timetable(self, shape: Shape) -> list[tuple[float, Callable[[], None]]]:
        phases = shape.phases()
        found = [
            (phases[RELOAD][0], lambda: self.reader.signal(signal.SIGHUP)),
            (phases[OUTAGE][0], self._github_fails),
            (phases[OUTAGE][1], self.github.clear_faults),
            (phases[NO_REDIS][0], self.fleet.redis_server.stop),
            (phases[NO_REDIS][1], self.fleet.redis_server.start),
        ]
        at, end = phases[CHANGES]
        while at < end:
            found.append((at, self._change))
            at += _BETWEEN
        return found

    def _github_fails(self) -> None:
        self.github.fault("status", status=503)

    def _change(self) -> None:
        """Add a star, and deliver its webhook."""
        self.github.mutate("star", repo=time.monotonic_ns() % 200)
        body, headers = star(SECRET, org=ORG)
        # GitHub has a time-out as well.
        with suppress(requests.RequestException):
            url = f"{self.reader.url}/webhooks/github"
            requests.post(url, data=body, headers=headers, timeout=10)
