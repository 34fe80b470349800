"""How much on-demand content Redis holds: bounded in bytes, what was refreshed longest ago first.

Whoever asks for ever new paths would else fill Redis with them, until it refuses tracked content,
too. What nobody asks for goes by itself after ON_DEMAND_KEEP; this is for those who ask faster.

Not exact: an entry and its place in the list are written one after the other. An entry whose writer
died in between is not counted, and expires as all do.
"""

from typing import cast

from redis import Redis

from shared.redis import keys
from shared.resources.resource import Resource

# Keys, and Redis's own books, of one resource.
_OVERHEAD = 1024  # bytes

# Notes a resource, forgets those that have expired, and says which have to go.
# KEYS: kept, sizes. ARGV: id, bytes (empty: as before), milliseconds that it is kept, bytes that
# there is room for. Returns ids.
_NOTE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function drop(id)
  local size = redis.call('HGET', KEYS[2], id)
  if size then redis.call('HINCRBY', KEYS[2], 'total', '-' .. size) end
  redis.call('HDEL', KEYS[2], id)
  redis.call('ZREM', KEYS[1], id)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1000)) do
  drop(id)
end
if ARGV[2] ~= '' then
  drop(ARGV[1])
  if tonumber(ARGV[2]) > tonumber(ARGV[4]) then return {ARGV[1]} end
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
  redis.call('HINCRBY', KEYS[2], 'total', ARGV[2])
elseif not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return {}
end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
local gone = {}
while tonumber(redis.call('HGET', KEYS[2], 'total')) > tonumber(ARGV[4]) do
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0)[1]
  if not oldest then redis.call('DEL', KEYS[2]) break end
  drop(oldest)
  gone[#gone + 1] = oldest
end
return gone
"""


class OnDemandQuota:
    """The room for on-demand content; methods may raise `redis.RedisError`.

    Args:
        redis: where it is.
        max_bytes: of entries and pages together.
        keep_ms: milliseconds that one is kept.
    """

    def __init__(self, redis: Redis, *, max_bytes: int, keep_ms: int) -> None:
        self._redis = redis
        self._max_bytes = max_bytes
        self._keep_ms = keep_ms
        self._note = redis.register_script(_NOTE)

    def take(self, resource: Resource, size: int | None = None) -> None:
        """A resource was written anew, or, without a size, confirmed: others make room for it.

        Args:
            resource: on demand.
            size: of all that was written, in bytes.
        """
        stored = "" if size is None else size + _OVERHEAD
        gone = cast(
            list[bytes],
            self._note(
                keys=[keys.KEPT, keys.KEPT_SIZES],
                args=[resource.id, stored, self._keep_ms, self._max_bytes],
            ),
        )
        if gone:
            self._redis.delete(*(key for one in gone for key in keys.content_of(one.decode())))
