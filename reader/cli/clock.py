"""The clocks of a command, in one object that tests replace."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """The time, and how to let it pass.

    Args:
        now: returns Unix time in seconds.
        monotonic: returns seconds of a clock that is never set back.
        sleep: waits for a number of seconds.
    """

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
