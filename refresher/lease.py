"""What one process of the fleet does at a time, with pauses in between: a lease in Redis.

All times are Redis's. A process that died holds a lease until its end.
"""

from redis import Redis

from shared.redis.scripts import Script

# Takes a lease. KEYS: lease. ARGV: holder, milliseconds. Returns 0, or the milliseconds until the
# end of another's.
_TAKE = Script("""
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
return math.max(1, redis.call('PTTL', KEYS[1]))
""")

# Sets how long a lease lasts from now on, unless it is another one's by then.
# KEYS: lease. ARGV: holder, milliseconds, what is noted in it (empty for nothing).
_LAST = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] ~= '' then
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
  return 1
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
""")


class Lease:
    """A lease; methods may raise `redis.RedisError`.

    Args:
        redis: the fleet's Redis.
        key: of the lease.
        holder: who takes it, unique in the fleet.
    """

    def __init__(self, redis: Redis, key: str, holder: str) -> None:
        self._redis = redis
        self._key = key
        self._holder = holder

    def take(self, seconds: float) -> float:
        """Take it for so long; 0 if that succeeded, else the seconds until another's ends."""
        return int(_TAKE(self._redis, [self._key], [self._holder, _milliseconds(seconds)])) / 1000

    def last(self, seconds: float, *, note: str = "") -> bool:
        """Let it end in so many seconds; whether it was still held.

        Args:
            seconds: until its end.
            note: stands in it from now on, for people; then nobody holds it any more.
        """
        arguments = [self._holder, _milliseconds(seconds), note]
        return bool(_LAST(self._redis, [self._key], arguments))


def _milliseconds(seconds: float) -> int:
    return max(1, int(1000 * seconds))
