"""Names a process's own clock once if it is far from Redis's.

Nothing that is stored or served depends on it; but times in logs do, and a clock that is wrong
here is often wrong for other programs on the machine.
"""

import logging

from shared.clock import FleetClock

MUCH = 2.0  # seconds


class SkewLog:
    """Logs the skew of the process's clock when it becomes large, not again while it stays so.

    Args:
        clock: Redis's clock as the process knows it.
        log: the process's log.
    """

    def __init__(self, clock: FleetClock, log: logging.Logger) -> None:
        self._clock = clock
        self._log = log
        self._is_skewed = False

    def check(self) -> float:
        """Seconds that the process's own clock is ahead of Redis's; 0 if that is not known."""
        skew = self._clock.skew or 0.0
        if is_much(skew) and not self._is_skewed:
            self._log.warning(
                "the clock of this machine is %s: Redis's clock is used instead", in_words(skew)
            )
        self._is_skewed = is_much(skew)
        return skew


def is_much(skew: float) -> bool:
    """Whether clocks that are so many seconds apart are named to operators."""
    return abs(skew) > MUCH


def in_words(skew: float) -> str:
    """A skew in words: `600 s ahead of Redis's`."""
    return f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} Redis's"
