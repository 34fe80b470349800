"""The page's rows about the queue, refused requests, and who uses the budget."""

from collections.abc import Iterator, Mapping, Sequence

from reader.fleet.queue_view import QueueView
from reader.fleet.refusal_words import REFUSALS
from reader.fleet.view import Fleet
from reader.status.formatting import about, count, plural, share
from reader.status.page_input import JsonObject
from reader.status.statement import Level
from shared.outcomes import Refusal
from shared.point_buckets import Points
from shared.queue_order import Lane, Priority

_LANES = {
    Lane.TRACKED: "tracked",
    Lane.LARGE: "large tracked lists",
    Lane.ON_DEMAND: "on demand",
}
_PRIORITIES = {
    Priority.WAITING: "a client waits",
    Priority.INVALIDATED: "GitHub or an operator reported a change",
    Priority.MISSING: "missing",
    Priority.STALE: "stale",
    Priority.AHEAD: "soon stale",
}


def queue_rows(queue: QueueView) -> list[JsonObject]:
    """A row for each lane and priority that has queued refreshes."""
    return [
        {
            "key": f"{lane} {priority}",
            "lane": lane,
            "priority": priority,
            "name": _LANES[lane],
            "why": _PRIORITIES[priority],
            "jobs": queued.jobs,
            "queued": plural(queued.jobs, "refresh", "refreshes"),
            "longest_seconds": round(queued.longest, 1),
            "longest": about(queued.longest),
        }
        for (lane, priority), queued in queue.items()
    ]


def refusal_rows(refused: Mapping[str, int]) -> list[JsonObject]:
    """A row for each cause, the most frequent first."""
    return list(_refusals(sorted(refused.items(), key=lambda pair: (-pair[1], pair[0]))))


def _refusals(refused: Sequence[tuple[str, int]]) -> Iterator[JsonObject]:
    known = set(Refusal)
    for cause, number in refused:
        if cause in known:  # others are those of a newer release
            status, words = REFUSALS[Refusal(cause)]
            yield {
                "key": cause,
                "cause": cause,
                "status": status,
                "name": words,
                "requests": number,
                "times": count(number),
            }


def minute_rows(points: Points | None, sizes: Points | None) -> list[JsonObject]:
    """What is left of the minute's points, for each party; nothing while all are left."""
    if points is None or sizes is None:
        return []
    parties = (
        ("tracked", "tracked content", points.tracked, sizes.tracked),
        ("on-demand", "on-demand content", points.on_demand, sizes.on_demand),
    )
    return [
        {
            "key": party,
            "party": party,
            "name": name,
            "level": Level.WARN if left < 1 else Level.GOOD,
            "remaining": int(left),
            "limit": int(size),
            "bar": round(100 * min(max(left / size, 0), 1)),
            "left": f"{count(int(left))} of {count(int(size))}",
        }
        for party, name, left, size in parties
        if size > 0
    ]


def spender_rows(spenders: Sequence[tuple[str, int]], total: int) -> list[JsonObject]:
    """The largest users of the budget, with their share of all requests of the hour."""
    return [
        {
            "key": name,
            "name": name,
            "requests": requests,
            "times": count(requests),
            "part": share(requests, total),
        }
        for name, requests in spenders
    ]


def longest_wait(fleet: Fleet) -> float:
    """Seconds for which the oldest queued refresh has been waiting; 0 if none is queued."""
    return max((queued.longest for queued in fleet.queue.values()), default=0.0)
