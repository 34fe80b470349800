"""Time as a value that is handed in, so that tests and simulations can set it.

All times that this project stores are by Redis's clock (`FleetClock`): a process whose own clock is
wrong stamps, orders and judges as all others do.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

from redis import Redis

# A monotonic clock may run faster or slower than Redis's by so much: Linux lets NTP correct a clock
# by up to 500 parts in a million.
_DRIFT = 0.0005


@dataclass(frozen=True)
class Clock:
    """How code reads the time and waits.

    Only the modules that start a process use `SYSTEM`; all other code is given a clock.

    Args:
        now: returns Unix time in seconds. It can jump when the machine's clock is set.
        monotonic: returns seconds since a fixed point. It never goes back: use it for durations.
        sleep: waits for a number of seconds.
    """

    now: Callable[[], float]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]


SYSTEM = Clock(now=time.time, monotonic=time.monotonic, sleep=time.sleep)


class _Offset(NamedTuple):
    """Redis's time minus monotonic time lies between two bounds.

    Args:
        least: seconds.
        most: seconds.
        at: monotonic time of the last measurement.
    """

    least: float
    most: float
    at: float

    @property
    def middle(self) -> float:
        return (self.least + self.most) / 2

    @property
    def error(self) -> float:
        """Seconds by which `middle` may be wrong."""
        return (self.most - self.least) / 2

    def combined(self, measured: "_Offset") -> "_Offset":
        """What both say together; the later one alone if they contradict each other.

        A measurement with a long round trip has wide bounds and so moves little. They contradict
        each other if Redis's clock was set, or if another Redis has become the master.
        """
        drift = _DRIFT * (measured.at - self.at)
        least = max(self.least - drift, measured.least)
        most = min(self.most + drift, measured.most)
        return measured if least > most else _Offset(least, most, measured.at)


class FleetClock:
    """Redis's clock as a process knows it: measured by `TIME`, carried on by the monotonic clock.

    Thread-safe. Until the first measurement it shows the process's own time. A forked process keeps
    what was measured.

    Args:
        own: the process's own clock.
    """

    def __init__(self, own: Clock = SYSTEM) -> None:
        self._own = own
        self._monotonic = own.monotonic
        self._known: _Offset | None = None
        self._offset: float | None = None  # the middle of what is known
        self._lock = Lock()
        self.clock = Clock(self.now, own.monotonic, own.sleep)

    def now(self) -> float:
        """Unix time in seconds by Redis's clock."""
        offset = self._offset
        return self._own.now() if offset is None else self._monotonic() + offset

    def monotonic(self) -> float:
        """Seconds since a fixed point: read it before a request whose response is `heard`."""
        return self._monotonic()

    def heard(self, redis_time: float, *, sent_at: float) -> None:
        """Take Redis's time from a response that has just arrived.

        Redis read its clock at some moment of the round trip, most likely in its middle.

        Args:
            redis_time: Unix time in seconds.
            sent_at: `monotonic()` from before the request was sent.
        """
        arrived_at = self._monotonic()
        measured = _Offset(redis_time - arrived_at, redis_time - sent_at, arrived_at)
        with self._lock:
            self._known = self._known.combined(measured) if self._known else measured
            self._offset = self._known.middle

    def measure(self, redis: Redis) -> None:
        """Ask Redis for its time; may raise `redis.RedisError`."""
        sent_at = self._monotonic()
        self.heard(seconds_of(redis.time()), sent_at=sent_at)

    @property
    def skew(self) -> float | None:
        """Seconds that the process's own clock is ahead of Redis's; None before a measurement.

        What may be an error of the measurement is taken off.
        """
        known = self._known
        if known is None:
            return None
        apart = self._own.now() - self._monotonic() - known.middle
        return math.copysign(max(0.0, abs(apart) - known.error), apart)


# Of this process; like `SYSTEM`, only the modules that start a process use it.
FLEET = FleetClock()


def seconds_of(reply: tuple[int, int]) -> float:
    """The reply of Redis's `TIME` as Unix time in seconds."""
    seconds, microseconds = reply
    return seconds + microseconds / 1e6
