"""When to try again after failures: exponential backoff with jitter."""

from shared.failure import Failure
from shared.outcomes import FailureKind

FIRST_PAUSE = 1.0  # seconds


def next_failure(
    previous: Failure | None,
    *,
    kind: FailureKind,
    reason: str,
    status: int | None,
    retry_after: float | None,
    now: float,
    longest: float,
    chance: float,
) -> Failure:
    """The record of a failure, with the time of the next try.

    The pause doubles from a second up to `longest`, less up to a half by chance, so that what
    failed together is not tried together ("equal jitter": Brooker, Exponential Backoff And
    Jitter, AWS 2015). What the origin asks for is waited for in full.

    Args:
        previous: the record before, of the same row of failures.
        kind: the sort of failure.
        reason: one line for a person.
        status: the origin's HTTP status, where there was one.
        retry_after: seconds that the origin asks us to wait, where it does.
        now: Unix time in seconds.
        longest: seconds that a pause of our own choice lasts at the most.
        chance: a random number from 0 up to 1.
    """
    attempts = (previous.attempts if previous else 0) + 1
    pause = min(FIRST_PAUSE * 2.0 ** min(attempts - 1, 30), longest)
    pause *= 1 - chance / 2
    return Failure(
        kind=kind,
        reason=reason,
        status=status,
        attempts=attempts,
        since=previous.since if previous else now,
        at=now,
        retry_at=now + max(pause, retry_after or 0.0),
    )
