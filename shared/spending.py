"""Who uses the budget: requests to GitHub in the last hour, by path and by client.

Each request costs a point of the minute, whatever GitHub responds. Refreshers add them up in two
sorted sets for each slot of ten minutes (`keys.spent`). A client's address is kept only for
refreshes that the client waited for; all others belong to `TRACKED` or `RENEWALS`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis import Redis
from redis.client import Pipeline

from shared.redis import keys
from shared.resources.resource import Resource

# In the place of a client's address.
TRACKED = "tracked content"
RENEWALS = "renewals"  # on-demand content for which no client waited

PATHS, CLIENTS = "paths", "clients"
_SLOT_S = 600  # seconds of a slot
_SLOTS = 6  # slots that are shown
_KEEP_S = _SLOT_S * (_SLOTS + 1)
_MOST_NAMES = 500  # in a slot
LONGEST_NAME = 200  # characters


@dataclass(frozen=True)
class Spent:
    """The largest users of the budget.

    Args:
        paths: names of resources with their requests to GitHub, the largest first.
        clients: the same by client address, `TRACKED` or `RENEWALS`.
        total: all requests of the hour.
    """

    paths: Sequence[tuple[str, int]] = ()
    clients: Sequence[tuple[str, int]] = ()
    total: int = 0


def spenders(resource: Resource, client: str | None) -> tuple[tuple[str, str], tuple[str, str]]:
    """To whom the requests of a refresh belong: path and client, each with its kind.

    Args:
        resource: that was refreshed.
        client: address of the client that waited for it; None or empty if no client did.
    """
    by = TRACKED if resource.tracked else client or RENEWALS
    return (PATHS, resource.name[:LONGEST_NAME]), (CLIENTS, by[:LONGEST_NAME])


def add(pipeline: Pipeline, spent: Mapping[tuple[str, str], int], *, now: float) -> None:
    """Add requests to the present slot, in a pipeline.

    Args:
        pipeline: collects the commands.
        spent: requests by `spenders`.
        now: Unix time in seconds.
    """
    for kind in {kind for kind, _ in spent}:
        key = keys.spent(kind, _slot_at(now))
        for (its, name), requests in spent.items():
            if its == kind:
                pipeline.zincrby(key, requests, name)
        pipeline.zremrangebyrank(key, 0, -1 - _MOST_NAMES)
        pipeline.expire(key, _KEEP_S)


def read(redis: Redis, *, now: float, count: int) -> Spent:
    """The largest users of the last hour; may raise `redis.RedisError`.

    Args:
        redis: the client.
        now: Unix time in seconds.
        count: of each kind.
    """
    slots = [_slot_at(now) - back for back in range(_SLOTS)]
    with redis.pipeline(transaction=False) as pipeline:
        for kind in (PATHS, CLIENTS):
            pipeline.zunion([keys.spent(kind, slot) for slot in slots], withscores=True)
        paths, clients = map(_in_order, pipeline.execute())
    total = sum(requests for _, requests in clients)
    return Spent(tuple(paths[:count]), tuple(clients[:count]), total)


def _in_order(rows: Sequence[tuple[bytes, float]]) -> list[tuple[str, int]]:
    """The largest first; those with equally many by name."""
    named = [(name.decode(errors="replace"), int(score)) for name, score in rows]
    return sorted(named, key=lambda row: (-row[1], row[0]))


def _slot_at(now: float) -> int:
    return int(now // _SLOT_S)
