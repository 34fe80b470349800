"""Reader processes in Redis: each reports how it is, so that any of them can tell of all."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import cast

from redis import Redis

from shared.redis import keys

INTERVAL = 5.0  # seconds between two reports of a process
_EXPIRES_S = 20  # a process that was not heard of for so long is gone
# On-demand names are counted in slots of time; the last ones are what is popular now.
POPULAR_SLOT_S = 600
POPULAR_SLOTS = 6
_POPULAR_NAMES = 500  # in a slot


@dataclass(frozen=True)
class ReaderReport:
    """What a reader process says of itself.

    Args:
        node: host and port.
        pid: of the process.
        version: of its code.
        started_at: Unix time in seconds.
        at: Unix time in seconds of the report.
        requests: answered since it began.
        per_second: requests a second, lately.
        content: answers of content, lately.
        hits: of these, from memory.
        local_entries: in memory.
        local_bytes: that they take, about.
        missing: tracked resources that it cannot serve.
    """

    node: str
    pid: int
    version: str
    started_at: float
    at: float
    requests: int
    per_second: float
    content: int
    hits: int
    local_entries: int
    local_bytes: int
    missing: int

    @property
    def id(self) -> str:
        """What the process is called among all others."""
        return f"{self.node}/{self.pid}"


def report(redis: Redis, known: ReaderReport, names: Mapping[str, int]) -> None:
    """Say how a process is; may raise `redis.RedisError`.

    Args:
        redis: where it is said.
        known: the report.
        names: how often on-demand resources were asked for since the last report.
    """
    with redis.pipeline() as pipeline:
        pipeline.set(keys.reader(known.id), json.dumps(asdict(known)), ex=_EXPIRES_S)
        pipeline.zadd(keys.READERS, {known.id: known.at})
        pipeline.zremrangebyscore(keys.READERS, "-inf", known.at - _EXPIRES_S)
        if names:
            popular = keys.popular(_slot_at(known.at))
            for name, times in names.items():
                pipeline.zincrby(popular, times, name)
            pipeline.zremrangebyrank(popular, 0, -1 - _POPULAR_NAMES)
            pipeline.expire(popular, POPULAR_SLOT_S * (POPULAR_SLOTS + 1))
        pipeline.execute()


def leave(redis: Redis, reader_id: str) -> None:
    """Have a process that ends seen no more; may raise `redis.RedisError`."""
    redis.zrem(keys.READERS, reader_id)
    redis.delete(keys.reader(reader_id))


def readers(redis: Redis) -> list[ReaderReport]:
    """The processes that are alive, by node; may raise `redis.RedisError`."""
    ids = [one.decode() for one in cast(list[bytes], redis.zrange(keys.READERS, 0, -1))]
    if not ids:
        return []
    texts = cast(list[bytes | None], redis.mget([keys.reader(one) for one in ids]))
    reports = [_parse(text) for text in texts if text is not None]
    return sorted((one for one in reports if one is not None), key=lambda one: (one.node, one.pid))


def popular(redis: Redis, *, now: float, count: int) -> Sequence[tuple[str, int]]:
    """The on-demand names asked for most in the last hour; may raise `redis.RedisError`."""
    slots = [keys.popular(_slot_at(now) - back) for back in range(POPULAR_SLOTS)]
    found = cast(list[tuple[bytes, float]], redis.zunion(slots, withscores=True))
    best = sorted(found, key=lambda pair: (-pair[1], pair[0]))[:count]
    return [(name.decode(errors="replace"), int(times)) for name, times in best]


def _slot_at(now: float) -> int:
    return int(now // POPULAR_SLOT_S)


def _parse(text: bytes) -> ReaderReport | None:
    try:
        return ReaderReport(**json.loads(text))
    except (ValueError, TypeError):  # of another version
        return None
