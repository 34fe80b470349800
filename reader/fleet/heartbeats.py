"""Heartbeats: each reader process reports its state in Redis, so that any of them can show all."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import cast

from redis import Redis

from shared.redis import keys

INTERVAL = 5.0  # seconds between two reports of a process
_EXPIRES_S = 20  # a process that has not reported for so long counts as gone
# Requests for on-demand resources are counted in time slots; the last slots show what is popular.
POPULAR_SLOT_S = 600
POPULAR_SLOTS = 6
_POPULAR_NAMES = 500  # kept for a slot


@dataclass(frozen=True)
class ReaderReport:
    """The state of a reader process.

    Args:
        node: host and port.
        pid: process id.
        version: of the code that it runs.
        started_at: Unix time in seconds.
        at: Unix time in seconds of the report.
        requests: answered since the process started.
        per_second: requests per second, between the last two reports.
        content: responses with cached content in the last minute.
        hits: those of `content` that came from memory.
        local_entries: entries in memory.
        local_bytes: their approximate size.
        missing: tracked resources that it cannot serve.
        skew: seconds that its machine's clock is ahead of Redis's.
        followers: of the change feed.
        refused: requests that got a 429 or a 503 in the last minute, by `outcomes.Refusal`.
        files: why temporary files cannot be written, by what they are for; empty if they can.
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
    skew: float = 0.0
    followers: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The name of the process in the fleet: node and process id."""
        return f"{self.node}/{self.pid}"


_FIELDS = tuple(one.name for one in fields(ReaderReport))


def report(redis: Redis, own: ReaderReport, names: Mapping[str, int]) -> None:
    """Write a process's report; may raise `redis.RedisError`.

    Args:
        redis: the client.
        own: the report of this process.
        names: requests for each on-demand resource since the last report.
    """
    with redis.pipeline() as pipeline:
        pipeline.set(keys.reader(own.id), json.dumps(asdict(own)), ex=_EXPIRES_S)
        pipeline.zadd(keys.READERS, {own.id: own.at})
        pipeline.zremrangebyscore(keys.READERS, "-inf", own.at - _EXPIRES_S)
        if names:
            popular = keys.popular(_slot_at(own.at))
            for name, times in names.items():
                pipeline.zincrby(popular, times, name)
            pipeline.zremrangebyrank(popular, 0, -1 - _POPULAR_NAMES)
            pipeline.expire(popular, POPULAR_SLOT_S * (POPULAR_SLOTS + 1))
        pipeline.execute()


def leave(redis: Redis, reader_id: str) -> None:
    """Remove a process that ends; may raise `redis.RedisError`."""
    redis.zrem(keys.READERS, reader_id)
    redis.delete(keys.reader(reader_id))


def readers(redis: Redis) -> list[ReaderReport]:
    """The running processes, ordered by node and process id; may raise `redis.RedisError`."""
    ids = [
        one.decode(errors="replace") for one in cast(list[bytes], redis.zrange(keys.READERS, 0, -1))
    ]
    if not ids:
        return []
    texts = cast(list[bytes | None], redis.mget([keys.reader(one) for one in ids]))
    reports = [_parse(text) for text in texts if text is not None]
    return sorted((one for one in reports if one is not None), key=lambda one: (one.node, one.pid))


def popular(redis: Redis, *, now: float, count: int) -> Sequence[tuple[str, int]]:
    """The most requested on-demand resources of the last hour; may raise `redis.RedisError`."""
    slots = [keys.popular(_slot_at(now) - back) for back in range(POPULAR_SLOTS)]
    found = cast(list[tuple[bytes, float]], redis.zunion(slots, withscores=True))
    best = sorted(found, key=lambda pair: (-pair[1], pair[0]))[:count]
    return [(name.decode(errors="replace"), int(times)) for name, times in best]


def _slot_at(now: float) -> int:
    return int(now // POPULAR_SLOT_S)


def _parse(text: bytes) -> ReaderReport | None:
    """The report; without fields that a newer version has added."""
    try:
        known = json.loads(text)
        return ReaderReport(**{name: known[name] for name in _FIELDS if name in known})
    except (ValueError, TypeError):  # written by another version
        return None
