"""The order of queued refreshes: lanes that share the refreshers, and priorities inside a lane.

RQ's list `refresh` holds the jobs. Beside it, each lane has one sorted set for each priority
(`shared.redis.keys.order`), from which refreshers take the next job. A plain `rq worker` knows
nothing of them: it takes the jobs of the list in the order in which they came.
"""

from enum import StrEnum

from shared.redis.entry_state import EntryState
from shared.resources.resource import Resource


class Lane(StrEnum):
    """Jobs that share a limit of how many run at the same time."""

    TRACKED = "tracked"
    LARGE = "large"  # tracked lists of many pages
    ON_DEMAND = "on-demand"


class Priority(StrEnum):
    """Why a refresh is requested; the members in the order in which a lane's jobs are served."""

    WAITING = "waiting"  # a client waits for it
    INVALIDATED = "invalidated"  # GitHub or an operator reported a change
    MISSING = "missing"  # nothing is stored, and no client waits
    STALE = "stale"  # the oldest content first
    AHEAD = "ahead"  # fresh, but not for long


PRIORITIES = tuple(Priority)
# Each TURN-th job that a lane gives out comes from the priorities in turn, the others from the
# highest that has jobs. So the lowest priority gets at least one job in `TURN * len(PRIORITIES)`.
TURN = 4


def lane_of(resource: Resource) -> Lane:
    """The lane of a resource, except that the queue moves large lists to `Lane.LARGE`."""
    return Lane.TRACKED if resource.tracked else Lane.ON_DEMAND


def priority_of(state: EntryState) -> Priority:
    """The priority of a refresh for which no client waits."""
    if state.invalidated_by is not None:  # also a look that follows an event
        return Priority.INVALIDATED
    return Priority.MISSING if state.metadata is None else Priority.STALE


def due_of(state: EntryState) -> float | None:
    """The Unix time in seconds that orders a refresh for which no client waits.

    Stale content is ordered by the end of its freshness. None for all other priorities, which are
    ordered by the time of the request: the end of the freshness of invalidated content may lie in
    the future, behind all changes that are reported until then.
    """
    is_stale = priority_of(state) is Priority.STALE
    return state.metadata.fresh_until if is_stale and state.metadata else None
