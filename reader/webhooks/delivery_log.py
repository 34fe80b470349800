"""Which events GitHub has delivered, and when last: for `doctor`.

Only events that the table knows have a name in the log, so it is bounded.
"""

from collections.abc import Mapping
from typing import Any, cast

from redis import Redis
from redis.exceptions import ResponseError

from reader.webhooks.touched_scopes import TABLE
from shared.redis import keys
from shared.redis.scripts import Script, is_of_wrong_type
from shared.time_bounds import time_of

_REMEMBER_S = 30 * 24 * 3600
_OTHER = "other"

# KEYS: the log. ARGV: event, seconds to remember the log without a delivery.
_NOTE = Script("""
local time = redis.call('TIME')
if type(redis.pcall('HSET', KEYS[1], ARGV[1], time[1] + time[2] / 1000000)) ~= 'number' then
  redis.call('DEL', KEYS[1])  -- it was damaged
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
""")


def note_delivery(redis: Redis, event: str) -> None:
    """Note that a delivery with a valid signature has arrived; may raise `redis.RedisError`."""
    _NOTE(redis, [keys.DELIVERIES], [event if event in TABLE else _OTHER, _REMEMBER_S])


def last_deliveries(redis: Redis) -> Mapping[str, float]:
    """Unix time in seconds of the last delivery of each event; may raise `redis.RedisError`."""
    try:
        found = cast(dict[bytes, Any], redis.hgetall(keys.DELIVERIES))
    except ResponseError as error:
        if is_of_wrong_type(error):
            return {}
        raise
    return {event.decode(errors="replace"): time_of(at) for event, at in found.items()}
