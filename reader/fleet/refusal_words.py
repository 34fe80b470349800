"""Why requests for content that is not held are refused, in words."""

from collections.abc import Mapping

from shared.outcomes import Refusal

# The status of the response, and why.
REFUSALS: Mapping[Refusal, tuple[int, str]] = {
    Refusal.CLIENT_WAITS: (429, "one client waits for CLIENT_MAX_WAITING resources"),
    Refusal.CLIENT_THREADS: (429, "one client takes most of a reader's READER_THREADS"),
    Refusal.THREADS: (503, "all READER_THREADS of a reader wait"),
    Refusal.TIMED_OUT: (503, "the content did not come within MISS_WAIT"),
    Refusal.TOO_LATE: (503, "the turn would come after MISS_WAIT"),
    Refusal.QUEUE_FULL: (503, "QUEUE_MAX refreshes are queued"),
    Refusal.SUSPENDED: (503, "an operator has paused refreshing"),
    Refusal.FAILING: (503, "GitHub failed, and the next try comes after MISS_WAIT"),
    Refusal.BUDGET_SPENT: (429, "GitHub's rate limit is spent, and resets after MISS_WAIT"),
    Refusal.STORE_AWAY: (503, "Redis did not respond"),
    Refusal.STORE_REFUSES: (503, "Redis took no writes, or a value in it is damaged"),
}
