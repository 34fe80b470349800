"""The bounds of times that are read: what lies outside is damage, or came from a wrong clock."""

import math

# Seconds by which two processes may read Redis's clock differently. What lies further in the future
# is wrong: Redis's clock was set back, or an older release stored it by a wrong clock.
TOLERANCE = 5.0
# Most seconds for which a failure or a pause holds back refreshes, whatever GitHub or a stored
# value says. GitHub's own windows last an hour.
LONGEST_PAUSE = 3600.0
_LAST = 253402300799.0  # the last second of the year 9999: no library shows a later time


def showable(time: float) -> float:
    """The Unix time in seconds, or the nearest one that every library can show."""
    return min(max(time, 0.0), _LAST)


def is_past(time: float, now: float) -> bool:
    """Whether a Unix time in seconds is not in the future."""
    return time <= now + TOLERANCE


def time_of(value: bytes | None) -> float:
    """A stored Unix time in seconds; 0 if there is none, or if it is damaged."""
    try:
        time = float(value or 0)
    except ValueError:
        return 0.0
    return showable(time) if math.isfinite(time) else 0.0


def end_of_pause(value: bytes | None, now: float) -> float:
    """The stored end of a pause: a Unix time in seconds, at most an hour from now; 0 for none."""
    return min(time_of(value), now + LONGEST_PAUSE)
