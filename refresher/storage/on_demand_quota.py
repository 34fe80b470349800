"""Keeps on-demand content below ON_DEMAND_MAX_BYTES by evicting the least recently refreshed.

Without a quota, a client that requests ever new paths would fill Redis until Redis refused tracked
content, too. Entries that nobody requests expire after ON_DEMAND_KEEP; the quota is for clients
that request faster than that.

The quota is not exact: an entry and its place in the list are written one after the other. An entry
whose writer died in between is not counted, and expires like any other.
"""

from collections.abc import Sequence

from redis import Redis

from shared.redis import keys
from shared.redis.scripts import Batch, Script
from shared.resources.resource import Resource

_OVERHEAD = 1024  # bytes of Redis's keys and data structures for one resource

# Records a resource, forgets those that have expired, and returns the ids of those to evict.
# KEYS: ids by expiry; sizes by id.
# ARGV: id; size in bytes, or empty if unchanged; milliseconds until it expires; the quota in bytes.
_NOTE = Script("""
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function count_of(text)
  return text and #text < 16 and string.match(text, '^%d+$') and tonumber(text) or nil
end
if not count_of(redis.call('HGET', KEYS[2], 'total') or '0') then  -- it was damaged
  local sizes, total = redis.call('HGETALL', KEYS[2]), 0
  for at = 1, #sizes, 2 do
    if sizes[at] ~= 'total' then total = total + (count_of(sizes[at + 1]) or 0) end
  end
  redis.call('HSET', KEYS[2], 'total', string.format('%.0f', total))
end
local function drop(id)
  local size = count_of(redis.call('HGET', KEYS[2], id))
  if size then redis.call('HINCRBY', KEYS[2], 'total', string.format('%.0f', -size)) end
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
""")


class OnDemandQuota:
    """The quota of on-demand content; methods may raise `redis.RedisError`.

    Args:
        redis: the fleet's Redis.
        max_bytes: of entries and pages together.
    """

    def __init__(self, redis: Redis, *, max_bytes: int) -> None:
        self._redis = redis
        self._max_bytes = max_bytes

    def take(self, resource: Resource, size: int | None = None, *, keep_ms: int) -> None:
        """Record that a resource was written or confirmed, and evict others if necessary."""
        batch = Batch(self._redis)
        self.add(batch, resource, size, keep_ms=keep_ms)
        self.evict(batch.execute()[0])

    def add(self, batch: Batch, resource: Resource, size: int | None, *, keep_ms: int) -> None:
        """Add the record of a resource to a batch; `evict` needs its reply.

        Args:
            batch: of commands.
            resource: an on-demand resource.
            size: bytes that were written; None if it was only confirmed.
            keep_ms: milliseconds until its entry expires.
        """
        stored = "" if size is None else size + _OVERHEAD
        arguments = [resource.id, stored, keep_ms, self._max_bytes]
        batch.run(_NOTE, [keys.KEPT, keys.KEPT_SIZES], arguments)

    def evict(self, gone: Sequence[bytes]) -> None:
        """Delete the resources that the record of another one has pushed out."""
        if gone:
            self._redis.delete(*(key for one in gone for key in keys.content_of(one.decode())))
