"""Requests for a refresh: the one place where a stale or missing entry's refresh is enqueued."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reader.telemetry.counters import Counters
from shared.measures import Measure
from shared.queue_order import Priority, due_of, priority_of
from shared.queueing import AskResult, RefreshQueue, RefreshRequest
from shared.redis.entry_state import EntryState
from shared.redis.scripts import Batch
from shared.resources.resource import Resource
from shared.suspicion import SECOND_LOOK_S
from shared.time_bounds import is_past

_READ_ANEW_PAUSE = 600.0  # seconds


@dataclass(frozen=True)
class Requester:
    """The client's request that found a refresh due.

    Args:
        client: the client's address.
        request_id: of the request.
        patience: seconds that the client will wait; None for MISS_WAIT.
    """

    client: str
    request_id: str | None = None
    patience: float | None = None


@dataclass(frozen=True)
class Checked:
    """A resource whose state was read from Redis.

    Args:
        resource: the resource.
        state: in Redis.
        is_wanted: this process tracks the resource, has it, or a client waits for it.
        request_id: of the first client's request that found it due.
    """

    resource: Resource
    state: EntryState
    is_wanted: bool
    request_id: str | None = None


@dataclass
class _SecondLook:
    first_at: float
    is_requested: bool = False


class RefreshRequests:
    """Enqueues the refresh of a resource whose state in Redis requires it, and counts requests.

    Args:
        queue: of refreshes.
        counters: of the process.
    """

    def __init__(self, queue: RefreshQueue, counters: Counters) -> None:
        self._queue = queue
        self._counters = counters
        self._read_anew_at: dict[str, float] = {}  # by the id of a tracked resource
        self._second_looks: dict[str, _SecondLook] = {}  # likewise

    def request_all(self, checked: Sequence[Checked], *, now: float) -> None:
        """Enqueue the refreshes that are due, in one round trip; may raise `redis.RedisError`.

        Of all processes of a fleet one requests a refresh, and the others see that it did, although
        each of them finds it due once a second.

        Args:
            checked: resources with their states.
            now: Unix time in seconds.
        """
        self._ask(
            [
                RefreshRequest(
                    one.resource,
                    priority_of(one.state),
                    due=due_of(one.state),
                    request_id=one.request_id,
                )
                for one in checked
                if not one.state.is_asked and is_due(one.state, now=now, is_wanted=one.is_wanted)
            ]
        )

    def read_anew(self, resource: Resource, *, now: float) -> bool:
        """Have a tracked resource read anew that has an entry which cannot be read: it is damaged.

        If that does not help, it is not tried again at once: all its pages are downloaded each
        time.

        Args:
            resource: to mark; the next check finds it invalidated.
            now: Unix time in seconds.

        Returns:
            Whether it was marked.

        Raises:
            redis.RedisError: Redis is unavailable.
        """
        before = self._read_anew_at.get(resource.id)
        if before is not None and is_past(before, now) and now < before + _READ_ANEW_PAUSE:
            return False
        self._queue.mark(resource, anew=True)
        self._read_anew_at[resource.id] = now
        return True

    def look_twice(self, resource: Resource, first_at: float, *, now: float) -> bool:
        """Have GitHub asked again for a list that nothing could be compared with, once it is time.

        Once for each first time, from each process: the look ends what made it necessary.

        Args:
            resource: tracked; the next check finds it invalidated.
            first_at: Unix time in seconds at which GitHub was asked first.
            now: Unix time in seconds.

        Returns:
            Whether this first time is new to this process.

        Raises:
            redis.RedisError: Redis is unavailable.
        """
        look = self._second_looks.get(resource.id)
        is_new = look is None or look.first_at != first_at
        if look is None or is_new:
            look = self._second_looks[resource.id] = _SecondLook(first_at)
        if not look.is_requested and now >= first_at + SECOND_LOOK_S:
            self._queue.mark(resource, anew=True)
            look.is_requested = True
        return is_new

    def request_for(
        self,
        resource: Resource,
        state: EntryState,
        requester: Requester,
        *,
        now: float,
        newer: bool = False,
    ) -> AskResult | None:
        """Enqueue a refresh that a client waits for; None if a failure holds it back.

        Args:
            resource: to refresh.
            state: in Redis.
            requester: the client that waits.
            now: Unix time in seconds.
            newer: also if the content is fresh. A refresher that finds newer content, which another
                refresh has confirmed since, does not ask GitHub.

        Raises:
            redis.RedisError: Redis is unavailable.
        """
        request = _waiting(resource, requester)
        if newer and state.metadata is not None and not state.is_held_back(now):
            request = replace(request, fresh_after=state.metadata.fresh_until)
        elif not is_due(state, now=now, is_wanted=True):
            return None
        (result,) = self._ask([request])
        return result

    def add_first(self, batch: Batch, resource: Resource, requester: Requester) -> None:
        """Add a request to the batch that reads a resource, for the case that nothing is stored.

        Args:
            batch: of commands.
            resource: to refresh.
            requester: the client that waits.
        """
        self._queue.add_if_absent(batch, _waiting(resource, requester))

    def first_result(self, reply: Sequence[bytes]) -> AskResult | None:
        """The result of the request that `add_first` added; None if something is stored."""
        result = self._queue.result_if_absent(reply)
        if result is not None:
            self._counters.count(Measure.ASKED, result.asked)
        return result

    def join(self, resource: Resource, clients: Sequence[str]) -> None:
        """Let more clients wait for a refresh: the best of their turns counts.

        Args:
            resource: whose refresh is requested already.
            clients: their addresses.

        Raises:
            redis.RedisError: Redis is unavailable.
        """
        self._ask([_waiting(resource, Requester(client)) for client in clients])

    def _ask(self, requests: Sequence[RefreshRequest]) -> list[AskResult]:
        results = self._queue.ask_all(requests)
        for result in results:
            self._counters.count(Measure.ASKED, result.asked)
        return results


def _waiting(resource: Resource, requester: Requester) -> RefreshRequest:
    return RefreshRequest(
        resource,
        Priority.WAITING,
        client=requester.client,
        patience=requester.patience,
        request_id=requester.request_id,
    )


def is_due(state: EntryState, *, now: float, is_wanted: bool) -> bool:
    """Whether a resource needs a refresh, and no failure or doubt holds it back.

    A resource that an operator has forgotten is refreshed only if this process wants it: a refresh
    that no process needs would bring it back.
    """
    if state.is_held_back(now):
        return False
    is_gone = bool(state.forgotten) and state.metadata is None
    return not state.is_current(now) and (is_wanted or not is_gone)
