"""Requests for a refresh: the one place where a stale or missing entry's refresh is enqueued."""

from reader.telemetry.counters import Counters
from shared.measures import Measure
from shared.queueing import Asked, RefreshQueue
from shared.redis.store import EntryState
from shared.resources.resource import Resource


class RefreshRequests:
    """Enqueues the refresh of a resource whose state in Redis calls for it, and counts that.

    Args:
        queue: of refreshes.
        counters: of the process.
    """

    def __init__(self, queue: RefreshQueue, counters: Counters) -> None:
        self._queue = queue
        self._counters = counters

    def request(
        self,
        resource: Resource,
        state: EntryState,
        *,
        now: float,
        is_wanted: bool,
        request_id: str | None = None,
    ) -> Asked | None:
        """Enqueue a refresh if it is due; None if it is not. May raise `redis.RedisError`.

        Args:
            resource: to refresh.
            state: of the resource in Redis.
            now: Unix time in seconds.
            is_wanted: this process tracks the resource, has it, or a client waits for it.
            request_id: of the first client's request that found it due.
        """
        if not is_due(state, now=now, is_wanted=is_wanted):
            return None
        is_missing = state.metadata is None
        asked = self._queue.ask(resource, urgent=is_missing, request_id=request_id)
        self._counters.count(Measure.ASKED, asked)
        return asked


def is_due(state: EntryState, *, now: float, is_wanted: bool) -> bool:
    """Whether a resource needs a refresh and no failure holds it back.

    A resource that an operator has forgotten is refreshed only if this process wants it: a refresh
    that nobody needs would bring it back.
    """
    if state.failure is not None and state.failure.holds_back(now):
        return False
    is_gone = bool(state.forgotten) and state.metadata is None
    return not state.is_current(now) and (is_wanted or not is_gone)
