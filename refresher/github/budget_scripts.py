"""The Lua scripts of the budget: each is one step that no other refresher can interrupt.

Redis runs a script as a whole, so what a script reads is still true when it writes.
"""

from refresher.github.rate_limit_headers import WINDOW

_WINDOW = f"local window = {int(WINDOW)}  -- seconds\n"

# Reserves one request.
# KEYS: pause; requests in flight; points of this minute; then for each credential: its budget, and
#       the time until which it is set aside.
# ARGV: now; request id; share to keep; maximum in flight; seconds that a request may take; maximum
#       points per minute; then the assumed limit of each credential.
# Returns {"taken", number of the credential}, {"busy"}, or one of "paused", "crowded", "spent" and
#       "refused" with the time of the next try.
RESERVE = (
    _WINDOW
    + """
local now, share = tonumber(ARGV[1]), tonumber(ARGV[3])
local paused = tonumber(redis.call('GET', KEYS[1]) or '0')
if paused > now then return {'paused', tostring(paused)} end

local best, most, limit_of_best, again, refused = nil, 0, 0, nil, true
for number = 1, #ARGV - 6 do
  local at = 2 + 2 * number
  local known = redis.call('HMGET', KEYS[at], 'limit', 'remaining', 'reset')
  local limit = tonumber(known[1] or ARGV[number + 6])
  local left, reset = tonumber(known[2] or limit), tonumber(known[3] or '0')
  local aside = tonumber(redis.call('GET', KEYS[at + 1]) or '0')
  if aside > now then
    if not again or aside < again then again = aside end
  else
    refused = false
    if reset <= now then left = limit end
    left = left - math.floor(limit * share)
    if left > most then best, most, limit_of_best = at, left, limit
    elseif not again or reset < again then again = reset end
  end
end
if not best then return {refused and 'refused' or 'spent', tostring(again)} end

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[4]) then return {'busy'} end
if tonumber(redis.call('GET', KEYS[3]) or '0') >= tonumber(ARGV[6]) then
  return {'crowded', tostring((math.floor(now / 60) + 1) * 60)}
end
redis.call('INCR', KEYS[3])
redis.call('EXPIRE', KEYS[3], 120)
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[5]), ARGV[2])
redis.call('PEXPIRE', KEYS[2], 1000 * window)

local reset = tonumber(redis.call('HGET', KEYS[best], 'reset') or '0')
if reset <= now then
  -- A new window; GitHub has not said yet when it ends.
  redis.call('HSET', KEYS[best], 'limit', limit_of_best, 'remaining', limit_of_best,
             'reset', now + window, 'guessed', 1)
end
redis.call('HINCRBY', KEYS[best], 'remaining', -1)
redis.call('PEXPIRE', KEYS[best], 2000 * window)
return {'taken', tostring(best / 2 - 1)}
"""
)

# Replaces a reservation by what the request really cost, and frees its place in flight.
# KEYS: requests in flight; budget of the reservation; number of pauses in a row; budget that the
#       response reports; set of all budgets; history of the reported budget.
# ARGV: request id; limit, remaining and reset as the response reports them, or empty; whether the
#       response ends a row of pauses; now; name of the reported budget; slot of its history; number
#       of that slot since 1970.
SETTLE = (
    _WINDOW
    + """
redis.call('ZREM', KEYS[1], ARGV[1])
if ARGV[5] == '1' then redis.call('DEL', KEYS[3]) end
if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('HINCRBY', KEYS[2], 'remaining', 1) end
if ARGV[3] == '' then return end
local known = redis.call('HMGET', KEYS[4], 'reset', 'guessed', 'remaining')
local said, reset = tonumber(ARGV[3]), tonumber(ARGV[4])
local apart = reset - tonumber(known[1] or '0')
if known[2] == '1' then
  -- The other requests in flight stay reserved.
  local beside = redis.call('ZCARD', KEYS[1])
  redis.call('HSET', KEYS[4], 'remaining', math.max(0, said - beside), 'reset', reset, 'guessed', 0)
elseif apart > 5 then
  redis.call('HSET', KEYS[4], 'remaining', said, 'reset', reset)
elseif apart >= -5 and said < tonumber(known[3] or said) then
  redis.call('HSET', KEYS[4], 'remaining', said)
end
redis.call('HSET', KEYS[4], 'limit', ARGV[2])
redis.call('PEXPIRE', KEYS[4], 2000 * window)
redis.call('ZADD', KEYS[5], ARGV[6], ARGV[7])
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', ARGV[6] - 7 * window)
local left = redis.call('HGET', KEYS[4], 'remaining') or '0'
redis.call('HSET', KEYS[6], ARGV[8], ARGV[9] .. ' ' .. left)
redis.call('PEXPIRE', KEYS[6], 7000 * window)
"""
)

# Pauses every refresher.
# KEYS: pause; number of pauses in a row.
# ARGV: now; seconds that GitHub asks for, or empty; first and longest pause of our own choice.
# Returns the time at which the pause ends.
PAUSE = (
    _WINDOW
    + """
local count = redis.call('INCR', KEYS[2])
redis.call('EXPIRE', KEYS[2], window)
local pause = tonumber(ARGV[2]) or math.min(tonumber(ARGV[3]) * 2 ^ (count - 1), tonumber(ARGV[4]))
local until_when = tonumber(ARGV[1]) + pause
if until_when > tonumber(redis.call('GET', KEYS[1]) or '0') then
  redis.call('SET', KEYS[1], until_when, 'PX', math.ceil(pause * 1000) + 1000)
end
return tostring(until_when)
"""
)
