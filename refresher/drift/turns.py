"""One check at a time in the fleet, and so many seconds between two: by Redis's clock."""

from redis import Redis

from shared.redis import keys
from shared.redis.scripts import Script

_LONGEST_S = 120  # of a check; another process may begin one after that

# Takes the turn. KEYS: turn. ARGV: id, milliseconds. Returns 0, or the milliseconds until the next.
_TAKE = Script("""
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
return math.max(1, redis.call('PTTL', KEYS[1]))
""")

# Ends the turn, unless it was another one's by then. KEYS: turn. ARGV: id, milliseconds.
_END = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
""")


def take(redis: Redis, mine: str) -> float:
    """Take the turn; may raise `redis.RedisError`.

    Args:
        redis: the fleet's Redis.
        mine: id of the check.

    Returns:
        0 if it was taken, else the seconds until the next turn.
    """
    return int(_TAKE(redis, [keys.DRIFT_TURN], [mine, 1000 * _LONGEST_S])) / 1000


def end(redis: Redis, mine: str, *, pause: float) -> None:
    """End the turn: the next one comes after so many seconds; may raise `redis.RedisError`."""
    _END(redis, [keys.DRIFT_TURN], [mine, max(1, int(1000 * pause))])
