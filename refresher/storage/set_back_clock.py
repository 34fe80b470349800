"""Shortens the lives of our keys by as much as Redis's clock was set back.

Redis keeps the time at which a key expires, by its own clock. If that is set back by an hour, or if
a replica whose clock is an hour behind becomes the master, every lock, lease and mark lives an hour
longer than it was to live, and holds its resource back for as long. So refreshers note Redis's time
once a second. One that finds it far behind what was noted takes the difference from the lives of
all keys, and then notes the new time: if it dies before, another one does all of it again.

A key that was written since may live for less than it was to. No harm: so it does after a jump
ahead, and a refresh whose lock has expired writes nothing without the newest token.
"""

import logging
from itertools import islice
from typing import cast

from redis import Redis

from shared.key_table import PATTERNS, form_of
from shared.redis import keys
from shared.redis.scripts import Script

log = logging.getLogger("refresher")

_TURN_S = 10.0  # seconds after which another process may take over
_LEAST_S = 1.0  # seconds that are no jump: a replica's clock may be behind by a little
_AT_ONCE = 500  # keys

# Notes Redis's time, unless it was set back.
# KEYS: the time that was noted last, the turn. ARGV: least seconds of a jump, milliseconds of the
#       turn. Returns the time that was noted, and the seconds by which it is ahead, if this process
#       has the turn; else nothing.
_WATCH = Script("""
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local kind = redis.call('TYPE', KEYS[1]).ok
local noted = kind == 'string' and tonumber(redis.call('GET', KEYS[1])) or 0
if noted ~= noted or noted == math.huge or noted <= now + tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], string.format('%.3f', now))
  return {}
end
local turn = tonumber(ARGV[2])
local left = redis.call('PTTL', KEYS[2])
if left >= 0 and left <= turn then return {} end
redis.call('SET', KEYS[2], 1, 'PX', turn)
return {string.format('%.3f', noted), string.format('%.3f', noted - now)}
""")

# Shortens the lives of keys that were there when the time was noted: they expire after it. Some
# seconds may have passed since then.
# KEYS: any. ARGV: the time that was noted, seconds. Returns the number of keys that it changed.
_SHORTEN = Script("""
local time = redis.call('TIME')
local since = 1000 * (tonumber(ARGV[1]) - tonumber(time[1])) - tonumber(time[2]) / 1000
local number, by = 0, 1000 * tonumber(ARGV[2])
for _, key in ipairs(KEYS) do
  local left = redis.call('PTTL', key)
  if left > 0 and left > since then
    redis.call('PEXPIRE', key, string.format('%.0f', math.max(1, left - by)))
    number = number + 1
  end
end
return number
""")

# Notes Redis's time, and ends the turn. Whoever reads that an operator has resumed in the future
# would take every pause of now for one from before.
# KEYS: the time that was noted last, the turn, the time of the last "resume".
_DONE = Script("""
local time = redis.call('TIME')
if redis.call('TYPE', KEYS[3]).ok == 'string' then
  local resumed = tonumber(redis.call('GET', KEYS[3]))
  if resumed and resumed > tonumber(time[1]) + 1 then redis.call('DEL', KEYS[3]) end
end
redis.call('SET', KEYS[1], time[1])
return redis.call('DEL', KEYS[2])
""")


def watch_clock(redis: Redis) -> float:
    """Note Redis's time; shorten all lives if it was set back, and no other process does.

    Raises:
        redis.RedisError: Redis is unavailable.

    Returns:
        The seconds by which this call has shortened lives; 0 if it has not.
    """
    names = [keys.CLOCK, keys.CLOCK_TURN]
    found = _WATCH(redis, names, [_LEAST_S, int(1000 * _TURN_S)])
    if not found:
        return 0.0
    noted, back = map(float, found)
    number = 0
    for pattern in PATTERNS:
        there = redis.scan_iter(match=pattern, count=_AT_ONCE)
        while some := list(islice(there, _AT_ONCE)):
            ours = [one for one in some if form_of(cast(bytes, one).decode(errors="replace"))]
            number += int(_SHORTEN(redis, ours, [noted, back]))
    _DONE(redis, [*names, keys.RESUMED], [])
    log.warning(
        "Redis's clock was set back by %.1f s: %d keys live for so much less, so that nothing is "
        "held back for longer than it was to be",
        back,
        number,
    )
    return back
