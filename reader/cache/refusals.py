"""The responses to misses that are not served: why, and when another try is useful."""

from math import ceil

from redis import RedisError

from reader.errors import ApiError, TooMany, Unavailable
from shared.outcomes import Refusal
from shared.redis.trouble import trouble_of

_LONGEST = 3600  # seconds; no pause is believed for longer
_TOO_MANY = frozenset({Refusal.CLIENT_WAITS, Refusal.CLIENT_THREADS, Refusal.BUDGET_SPENT})

# The message of each refusal, and its `Retry-After` in seconds if nothing better is known.
_MESSAGES = {
    Refusal.THREADS: ("Too many requests are waiting for content.", 1),
    Refusal.CLIENT_THREADS: ("Too many requests of this address are waiting for content.", 1),
    Refusal.CLIENT_WAITS: (
        "This address waits for as much content as one client may (CLIENT_MAX_WAITING).",
        1,
    ),
    Refusal.TIMED_OUT: ("The content is still being fetched from GitHub.", 1),
    Refusal.TOO_LATE: ("So many clients wait for content that the turn would come too late.", 1),
    Refusal.QUEUE_FULL: ("Too many refreshes are queued.", 5),
    Refusal.SUSPENDED: ("Refreshing is paused by an operator.", 60),
    Refusal.FAILING: ("GitHub could not be read: ", 1),
    # It begins with GitHub's words, by which clients know that a limit was met.
    Refusal.BUDGET_SPENT: ("API rate limit exceeded for this cache: ", 1),
    Refusal.STORE_AWAY: ("The cache's store cannot be reached.", 1),
    Refusal.STORE_REFUSES: ("The cache's store takes no requests for content.", 5),
}


def refused_by_store(error: RedisError) -> ApiError:
    """The error to raise after an error of Redis."""
    is_away = trouble_of(error) is None
    return refused(Refusal.STORE_AWAY if is_away else Refusal.STORE_REFUSES)


def refused(refusal: Refusal, seconds: float = 0.0, reason: str = "") -> ApiError:
    """The error to raise.

    Args:
        refusal: why the request is not served.
        seconds: after which another try is useful; 0 if it is not known.
        reason: of a failure of GitHub's, for people.
    """
    message, usual = _MESSAGES[refusal]
    retry_after = max(ceil(min(seconds, _LONGEST)), usual)
    if refusal in _TOO_MANY:
        return TooMany(message + reason, retry_after=retry_after, refusal=refusal)
    return Unavailable(message + reason, retry_after=retry_after, refusal=refusal)
