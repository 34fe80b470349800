"""The vocabularies of outcomes: how a request was served, how a refresh ended, why it failed.

The log, the `Cache-Status` field and the metrics take their words from here only.
"""

from enum import StrEnum


class Served(StrEnum):
    """How a reader served a request; the first seven are content."""

    LOCAL = "local"  # from this process's memory
    REDIS = "redis"  # read from Redis by this request, or by a concurrent one that it waited for
    WAITED = "waited"  # was not cached; a refresher fetched it while the client waited
    # a negative answer past its lifetime was cached; a refresher asked anew while the client waited
    RENEWED = "renewed"
    # older content was cached than the client takes; a refresher asked anew while the client waited
    BOUNDED = "bounded"
    TOO_OLD = "too-old"  # it is older than the client takes, and GitHub could not be asked
    UNANSWERED = "unanswered"  # the same, and GitHub did not answer in time
    OWN = "own"  # not content: health, metrics, status, an accepted webhook, OPTIONS
    REFUSED = "refused"  # an error of the client: a 4xx; or a 504, for which it asked
    UNAVAILABLE = "unavailable"  # was not cached and did not arrive in time: a 503
    FAILED = "failed"  # an internal error: a 500


class Refusal(StrEnum):
    """Why a request got a 503, or a 429, instead of content."""

    THREADS = "threads"  # all threads that may wait are waiting
    CLIENT_THREADS = "client-threads"  # most of them, for this client: a 429
    CLIENT_WAITS = "client-waits"  # this client waits for CLIENT_MAX_WAITING resources: a 429
    TIMED_OUT = "timed-out"  # the content did not come within MISS_WAIT
    TOO_LATE = "too-late"  # its turn would not come within MISS_WAIT
    QUEUE_FULL = "queue-full"  # QUEUE_MAX refreshes are queued
    SUSPENDED = "suspended"  # an operator has paused refreshing
    FAILING = "failing"  # GitHub failed, and the next try comes after MISS_WAIT
    BUDGET_SPENT = "budget-spent"  # GitHub's limit is spent until after MISS_WAIT: a 429
    STORE_AWAY = "store-away"  # Redis does not respond
    STORE_REFUSES = "store-refuses"  # Redis takes no writes, or a value in it is damaged


class RefreshOutcome(StrEnum):
    """How a refresh ended."""

    UPDATED = "updated"  # new content was stored
    UNCHANGED = "unchanged"  # the origin's content equals ours; only the freshness was extended
    NOT_READY = "not-ready"  # GitHub is still computing it (202); the stored content is unchanged
    FRESH = "fresh"  # another refresh came first; nothing was requested from the origin
    BUSY = "busy"  # another refresher holds the lock
    # it failed, or was doubted, recently; nothing was requested from the origin
    BACKING_OFF = "backing-off"
    DOUBTED = "doubted"  # the list lost much; the stored one stays until a second look
    # a look after an event showed older content than is stored, which stays
    OLDER = "older"
    NO_LOCK = "no-lock"  # too few lock masters respond; nothing was requested from the origin
    # postponed: too many large lists, a shutdown, or no request to GitHub was possible in time
    HELD_BACK = "held-back"
    FAILED = "failed"  # the origin sent nothing usable; the stored content is unchanged
    FENCED = "fenced"  # the lock was lost meanwhile; the result was not stored
    PAUSED = "paused"  # an operator has paused refreshing; nothing was requested from the origin
    BROKEN = "broken"  # an internal error, or Redis went away meanwhile; nothing was stored


# The origin answered: it confirmed the stored content, or new content was stored, or later is.
SUCCESSES = frozenset({RefreshOutcome.UPDATED, RefreshOutcome.UNCHANGED, RefreshOutcome.NOT_READY})


class DriftCheck(StrEnum):
    """What the comparison of a stored page with GitHub's unconditional answer has shown."""

    SAME = "same"
    DIFFERENT = "different"  # it may only be older: it is compared again after a refresh
    OLDER = "older"  # compared again: it was only older
    DRIFT = "drift"  # compared again: GitHub has confirmed what it does not show
    CHANGED = "changed"  # a refresh or an event came meanwhile: nothing is known
    FAILED = "failed"  # GitHub did not show the page


class FailureKind(StrEnum):
    """Why a refresh failed; a fault of the origin unless the comment says otherwise."""

    TIMEOUT = "timeout"  # no response in time
    CONNECTION = "connection"  # no connection, or it broke during the response
    STATUS = "status"  # an error status
    RATE_LIMITED = "rate-limited"  # GitHub's primary or a secondary rate limit
    UNAUTHORIZED = "unauthorized"  # GitHub rejects the token
    NOT_JSON = "not-json"  # HTML, garbage or an empty body instead of JSON
    TOO_LARGE = "too-large"  # larger than the settings allow
    UNEXPECTED = "unexpected"  # valid JSON of the wrong shape, or a link to another host
    UNSETTLED = "unsettled"  # the list kept changing while it was read
    INTERNAL = "internal"  # an internal error of ours
