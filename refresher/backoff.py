"""Retries after failures: exponential backoff with jitter."""

from refresher.errors import OriginError
from shared.failure import Failure
from shared.time_bounds import LONGEST_PAUSE

FIRST_PAUSE = 1.0  # seconds


def next_failure(
    previous: Failure | None, error: OriginError, *, now: float, longest: float, chance: float
) -> Failure:
    """The record of a failure, with the time of the next try.

    The pause doubles from one second up to `longest`. A random part of up to a half is subtracted,
    so that resources that failed together are not retried together ("equal jitter": Brooker,
    Exponential Backoff And Jitter, AWS 2015). A pause that GitHub asks for is kept in full, up to
    an hour: what asks for more is tried again after an hour.

    Args:
        previous: the record of the failure before, if it failed before.
        error: why it failed now.
        now: Unix time in seconds.
        longest: seconds of the longest pause of our own choice.
        chance: a random number from 0 up to 1.
    """
    attempts = (previous.attempts if previous else 0) + 1
    pause = min(FIRST_PAUSE * 2.0 ** min(attempts - 1, 30), longest)
    pause *= 1 - chance / 2
    return Failure(
        kind=error.kind,
        reason=error.reason,
        status=error.status,
        attempts=attempts,
        since=previous.since if previous else now,
        at=now,
        retry_at=now + min(max(pause, error.retry_after or 0.0), LONGEST_PAUSE),
    )
