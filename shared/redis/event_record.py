"""The record of GitHub's events: which scopes were touched, and when, by Redis's clock.

On-demand names are unbounded, so an event marks no entries. It is recorded for its scopes
(`shared.resources.event_scopes`), and whoever reads the state of an entry reads the last event of
the entry's scopes in the same round trip (`shared.event_bound`).

The record holds `MOST` scopes. If there are more, the oldest are replaced by one scope of
everything, which errs on the side of fetching too much.
"""

from collections.abc import Sequence

from redis import Redis

from shared.event_bound import SETTLE_S
from shared.redis import keys
from shared.redis.scripts import Script
from shared.resources.event_scopes import EVERYTHING, digest_of
from shared.time_bounds import TOLERANCE

MOST = 20_000  # scopes, of about 100 bytes in Redis

# Records that scopes are touched now, and announces it.
# KEYS: the record, the counter of announcements. ARGV: channel, seconds to remember, most scopes,
#       tolerance in seconds, the scope of everything, then the scopes.
_RECORD = Script("""
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
if type(redis.pcall('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])) == 'table' then
  redis.call('DEL', KEYS[1])  -- it was damaged
end
-- Redis's clock was set back since: what was recorded before is recorded anew.
for _, scope in ipairs(redis.call('ZRANGE', KEYS[1], now + ARGV[4], '+inf', 'BYSCORE')) do
  redis.call('ZADD', KEYS[1], now, scope)
end
local text = string.format('%.6f', now)
for at = 6, #ARGV do redis.call('ZADD', KEYS[1], text, ARGV[at]) end
local surplus = redis.call('ZCARD', KEYS[1]) - ARGV[3]
if surplus > 0 then
  surplus = surplus + 1  -- for the scope of everything
  local last = redis.call('ZRANGE', KEYS[1], surplus - 1, surplus - 1, 'WITHSCORES')
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, surplus - 1)
  redis.call('ZADD', KEYS[1], 'GT', last[2], ARGV[5])
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
local number = redis.pcall('INCR', KEYS[2])
if type(number) ~= 'number' then  -- it was damaged; readers see that it went back
  number = 1
  redis.call('SET', KEYS[2], number)
end
local scopes = {}
for at = 6, #ARGV do scopes[at - 5] = ARGV[at] end
redis.call('PUBLISH', ARGV[1],
           cjson.encode({name = '', number = number, at = text, scopes = scopes}))
return text
""")


def record(redis: Redis, scopes: Sequence[str], *, remember: float, most: int = MOST) -> float:
    """Record an event that touches scopes, and announce it.

    Args:
        redis: the client.
        scopes: that it touches.
        remember: seconds for which entries from before the event may be held.
        most: scopes that the record holds.

    Returns:
        The Unix time in seconds that is recorded.

    Raises:
        redis.RedisError: Redis is unavailable.
    """
    if not scopes:
        return 0.0
    arguments = [keys.ANNOUNCE, int(remember + SETTLE_S) + 1, most, TOLERANCE, EVERYTHING]
    digests = [digest_of(scope) for scope in scopes]
    return float(_RECORD(redis, [keys.EVENTS, keys.CHANGES], [*arguments, *digests]))
