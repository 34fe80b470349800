"""Everything that a Redis holds, for tests that search it for what must not be there."""

from collections.abc import Iterator
from typing import Any

from redis import Redis


def stored(redis: Redis) -> Iterator[tuple[str, bytes]]:
    """Each key with each part of its value: strings, fields, members and stream entries."""
    whole: dict[Any, Any] = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"set": redis.smembers,
        b"zset": lambda key: redis.zrange(key, 0, -1),
        b"stream": redis.xrange,
        b"none": lambda _: None,  # it has just expired
    }
    for key in redis.scan_iter(count=1000):
        value = whole[redis.type(key)](key)
        parts = [*value, *value.values()] if isinstance(value, dict) else value
        for part in parts if isinstance(parts, list | set) else [parts]:
            text = part if isinstance(part, bytes) else repr(part).encode()
            yield key.decode(errors="replace"), text
