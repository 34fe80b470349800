"""The record of what is tracked, so that what is no longer tracked leaves nothing in Redis.

Tracked entries never expire, and a refresher knows only the names in its own settings. So every
refresher notes what it tracks, and removes what none has noted for a day:

    TRACK=/a,/b: both are noted | TRACK=/a: /a is noted, /b is not | a day later: /b is removed

A refresher that was away for longer notes its own resources before it removes any.
"""

from typing import cast

from redis import Redis

from shared.redis import keys
from shared.redis.scripts import Script
from shared.resources.catalogue import Catalogue

EVERY_S = 600.0  # seconds between two notes of a refresher
KEEP_S = 24 * 3600  # seconds for which what nobody notes is kept
_AT_ONCE = 100  # resources that are removed

# Notes resources, and returns those that nobody has noted for long.
# KEYS: the record. ARGV: seconds to keep, most to return, then ids.
_NOTE = Script("""
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
if type(redis.pcall('ZREMRANGEBYSCORE', KEYS[1], 'inf', 'inf')) == 'table' then
  redis.call('DEL', KEYS[1])  -- it was damaged
end
-- Redis's clock was set back since: what was noted before is noted anew.
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], now + 60, '+inf', 'BYSCORE')) do
  redis.call('ZADD', KEYS[1], now, id)
end
for at = 3, #ARGV do redis.call('ZADD', KEYS[1], now, ARGV[at]) end
return redis.call('ZRANGE', KEYS[1], '-inf', now - ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[2])
""")


class TrackedRecord:
    """Notes what a refresher tracks; methods may raise `redis.RedisError`.

    Args:
        redis: the fleet's Redis.
        catalogue: what is tracked.
        keep: seconds for which what nobody notes is kept.
    """

    def __init__(self, redis: Redis, catalogue: Catalogue, *, keep: float = KEEP_S) -> None:
        self._redis = redis
        self._ids = [resource.id for resource in catalogue.tracked]
        self._keep = keep
        self._next_at = 0.0

    def keep_up(self, now: float) -> None:
        """Note what is tracked, if that is due.

        Args:
            now: monotonic, in seconds.
        """
        if now >= self._next_at:
            self.note()
            self._next_at = now + EVERY_S

    def note(self) -> None:
        """Note what is tracked, and remove what nobody has noted for long."""
        arguments = [self._keep, _AT_ONCE, *self._ids]
        gone = cast(list[bytes], _NOTE(self._redis, [keys.TRACKED], arguments))
        if not gone:
            return
        with self._redis.pipeline(transaction=False) as pipeline:
            for one in gone:
                pipeline.delete(*keys.everything_of(one.decode(errors="replace")))
            pipeline.srem(keys.LARGE, *gone)
            # Last: what was not removed is found again.
            pipeline.zrem(keys.TRACKED, *gone)
            pipeline.execute()
