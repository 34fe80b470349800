"""The two vocabularies of outcomes: how a request was served, how a refresh ended.

The log, the headers and the metrics take their words from here and nowhere else.
"""

from enum import StrEnum


class Served(StrEnum):
    """How a reader came by what it answered with; the first three are content."""

    LOCAL = "local"  # from this process's memory
    REDIS = "redis"  # read from Redis by this request, or by one that it waited with
    WAITED = "waited"  # was nowhere; a refresher fetched it while the client waited
    OWN = "own"  # the reader's own: health, metrics, status, a webhook taken, OPTIONS
    REFUSED = "refused"  # the client's fault: a 4xx
    UNAVAILABLE = "unavailable"  # nothing is held and nothing came in time: a 503
    FAILED = "failed"  # a fault of our own: a 500


class RefreshOutcome(StrEnum):
    """How a refresh ended."""

    UPDATED = "updated"  # new content was stored
    UNCHANGED = "unchanged"  # the origin's content is what we hold; its freshness moved on
    FRESH = "fresh"  # someone else refreshed it in the meantime; the origin was not asked
    BUSY = "busy"  # another refresher holds the lock
    BACKING_OFF = "backing-off"  # it failed a moment ago; the origin was not asked
    NO_LOCK = "no-lock"  # too few of the lock's masters answer; the origin was not asked
    HELD_BACK = "held-back"  # a large list, left for later: others are at work
    FAILED = "failed"  # the origin gave nothing usable; what we hold stays as it was
    FENCED = "fenced"  # the lock was lost on the way; the result was not stored
    PAUSED = "paused"  # an operator has refreshing paused; the origin was not asked
    BROKEN = "broken"  # an error of our own, or Redis went away on the way; nothing was stored


class FailureKind(StrEnum):
    """Why a refresh failed; the origin's fault unless it says otherwise."""

    TIMEOUT = "timeout"  # no answer in time
    CONNECTION = "connection"  # no connection, or it broke in the middle
    STATUS = "status"  # an answer with an error status
    RATE_LIMITED = "rate-limited"  # GitHub's primary or a secondary rate limit
    UNAUTHORIZED = "unauthorized"  # GitHub refuses the token
    NOT_JSON = "not-json"  # HTML, garbage or nothing where JSON should be
    TOO_LARGE = "too-large"  # beyond the size that the settings allow
    UNEXPECTED = "unexpected"  # valid JSON of the wrong shape, or a link to elsewhere
    UNSETTLED = "unsettled"  # the list kept changing while it was read
    INTERNAL = "internal"  # our own fault
