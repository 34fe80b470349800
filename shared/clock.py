"""Time as a value that is handed in, so that tests and simulations can set it."""

import time
from collections.abc import Callable
from dataclasses import dataclass


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
