"""The Lua scripts of the budget: each is one step that no other refresher can interrupt.

Redis runs a script as a whole, so what a script reads is still true when it writes. The time is
that of Redis's clock. What is stored for longer than GitHub's rules explain is cut where it is
read: a pause, a credential that is set aside and a spent limit hold back requests for an hour at
most, and not at all if they were recorded before an operator resumed (`keys.RESUMED`).
"""

from refresher.github.rate_limit_headers import WINDOW
from shared import point_buckets
from shared.budgets import SLOT_SECONDS, SLOTS

# Seconds between two requests of the fleet during a pause for which GitHub asked for more than an
# hour.
PROBE_EVERY = 600.0

_COMMON = (
    point_buckets.LUA
    + f"local window, probe_every = {WINDOW:.0f}, {PROBE_EVERY:.0f}  -- seconds\n"
    + """
local now = now_by_redis()

local function resumed_at(key)
  return math.min(tonumber(redis.call('GET', key) or '0') or 0, now)
end

-- The time until which no request is sent, and the time until which GitHub asked us to wait; both 0
-- without a pause.
local function pause_at(key, resumed)
  local known = redis.call('HMGET', key, 'at', 'hold', 'until')
  local at, hold = tonumber(known[1] or ''), tonumber(known[2] or '')
  local till = tonumber(known[3] or '')
  if not (at and hold and till) then return 0, 0 end
  if at <= resumed then
    redis.call('DEL', key)
    return 0, 0
  end
  local bound = math.min(at, now) + window
  if at > now or hold > bound then
    hold = math.min(hold, bound)
    redis.call('HSET', key, 'at', string.format('%.6f', math.min(at, now)), 'hold', hold)
  end
  return hold, till
end
"""
)

# Reserves one request.
# KEYS: pause; requests in flight; points; time of the last "resume"; then for each credential: its
#       budget, until when it is set aside, and where it is refused.
# ARGV: request id; first letters of the ids of its party; share of the hour to keep; maximum in
#       flight; maximum in flight of the party; seconds that a request may take; points per minute;
#       reserve; which share of the points is used ("tracked", "pages" or "on-demand"); the two
#       names of the request's place, see `REFUSE`; then the assumed limit of each credential.
# Returns {"taken", number of the credential}; {"busy"} if there is no place in flight; or one of
#       "crowded" (no points), "paused", "spent" and "refused" with the seconds until the next try.
RESERVE = (
    _COMMON
    + """
local request, party, share = ARGV[1], ARGV[2], tonumber(ARGV[3])
local resumed = resumed_at(KEYS[4])
local hold, till = pause_at(KEYS[1], resumed)
if hold > now then return {'paused', tostring(hold - now)} end

local function aside_until(key)
  local known = redis.call('HMGET', key, 'at', 'until')
  local at = math.min(tonumber(known[1] or '') or 0, now)
  if at <= resumed then return 0 end
  return math.min(tonumber(known[2] or '') or 0, at + window)
end

local function refused_until(key)
  local last = 0
  for _, text in ipairs(redis.call('HMGET', key, ARGV[10], ARGV[11])) do
    local at, till = string.match(text or '', '^(%d+%.?%d*) (%d+%.?%d*)')
    at = math.min(tonumber(at or '') or 0, now)
    if at > resumed then last = math.max(last, math.min(tonumber(till) or 0, at + window)) end
  end
  return last
end

local function count_of(text)
  local count = tonumber(text or '')
  return count and math.abs(count) < 1e9 and count or nil  -- else it is absent or damaged
end

local function budget_of(key, assumed)
  local known = redis.call('HMGET', key, 'limit', 'remaining', 'reset', 'at')
  local limit = count_of(known[1])
  if not limit or limit < 1 then limit = tonumber(assumed) end
  local left, reset = count_of(known[2]) or limit, tonumber(known[3] or '') or 0
  if reset > now + window then
    reset = now + window
    redis.call('HSET', key, 'reset', reset)
  end
  if resumed > 0 and (tonumber(known[4] or '') or 0) <= resumed then reset = 0 end
  if reset <= now then left = limit end
  return limit, left, reset
end

local best, most, limit_of_best, reset_of_best, again, refused = nil, 0, 0, 0, nil, true
for number = 1, #ARGV - 11 do
  local at = 2 + 3 * number
  local aside = math.max(aside_until(KEYS[at + 1]), refused_until(KEYS[at + 2]))
  local limit, left, reset = budget_of(KEYS[at], ARGV[number + 11])
  if aside > now then
    if not again or aside < again then again = aside end
  else
    refused = false
    left = left - math.floor(limit * share)
    if left > most then best, most, limit_of_best, reset_of_best = at, left, limit, reset
    elseif not again or reset < again then again = reset end
  end
end
if not best then return {refused and 'refused' or 'spent', tostring(again - now)} end

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
-- Later ones are damaged, or Redis's clock was set back.
redis.call('ZREMRANGEBYSCORE', KEYS[2], now + window, '+inf')
local in_flight, of_party = redis.call('ZRANGE', KEYS[2], 0, -1), 0
for _, id in ipairs(in_flight) do
  if string.sub(id, 1, #party) == party then of_party = of_party + 1 end
end
if #in_flight >= tonumber(ARGV[4]) or of_party >= tonumber(ARGV[5]) then return {'busy'} end

local points, reserve, from = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]
local tracked, on_demand = bucket_levels(KEYS[3], points, reserve, now)
local tracked_size, on_demand_size = bucket_sizes(points, reserve)
local per_second = points / 60
local kept = from == 'pages' and math.max(0, math.min(tracked_size / 4, tracked_size - 1)) or 0
local lendable = from == 'on-demand' and 0 or on_demand_size / 4
if reserve == 0 and from == 'tracked' then lendable = 0 end
if from ~= 'on-demand' and reserve > 0 and tracked >= 1 + kept then
  tracked = tracked - 1
elseif on_demand >= 1 and on_demand > lendable then
  on_demand = on_demand - 1
else
  local wait = (math.max(1, lendable) - on_demand) / (per_second * (1 - reserve))
  if from ~= 'on-demand' and reserve > 0 then
    wait = math.min(wait, (1 + kept - tracked) / (per_second * reserve))
  end
  return {'crowded', tostring(math.max(wait, 0.001))}
end
set_bucket_levels(KEYS[3], points, reserve, now, tracked, on_demand)

redis.call('ZADD', KEYS[2], now + tonumber(ARGV[6]), request)
redis.call('PEXPIRE', KEYS[2], 1000 * window)
if till > now then
  redis.call('HSET', KEYS[1], 'at', string.format('%.6f', now), 'hold', now + probe_every,
             'probe', request)
end
if reset_of_best <= now then
  -- A new window; GitHub has not said yet when it ends.
  redis.call('HSET', KEYS[best], 'limit', limit_of_best, 'remaining', limit_of_best,
             'reset', now + window, 'guessed', 1, 'at', string.format('%.6f', now))
end
if type(redis.pcall('HINCRBY', KEYS[best], 'remaining', -1)) == 'table' then
  redis.call('HSET', KEYS[best], 'remaining', limit_of_best - 1)  -- it was damaged
end
redis.call('PEXPIRE', KEYS[best], 2000 * window)
return {'taken', tostring((best - 2) / 3)}
"""
)

# Keeps the places in flight of requests that are still under way.
# KEYS: requests in flight. ARGV: seconds until the places expire; then the ids of the requests.
RENEW = (
    _COMMON
    + """
for at = 2, #ARGV do
  redis.call('ZADD', KEYS[1], 'XX', now + tonumber(ARGV[1]), ARGV[at])
end
"""
)

# Replaces a reservation by what the request really cost, and frees its place in flight.
# KEYS: requests in flight; budget of the reservation; number of pauses in a row; budget that the
#       response reports; set of all budgets; history of the reported budget; pause.
# ARGV: request id; limit, remaining and reset as the response reports them, or empty; whether the
#       response shows that no limit was met; name of the reported budget; whether the request cost
#       nothing.
SETTLE = (
    _COMMON
    + f"local slots, slot_seconds = {SLOTS}, {SLOT_SECONDS}\n"
    + """
redis.call('ZREM', KEYS[1], ARGV[1])
if ARGV[5] == '1' then
  redis.call('DEL', KEYS[3])
  if redis.call('HGET', KEYS[7], 'probe') == ARGV[1] then redis.call('DEL', KEYS[7]) end
end
-- The reservation is given back if the request was free, or counts elsewhere, or if the response
-- does not report what is left. Otherwise it is spent: the report of a response lags behind the
-- other requests under way.
local is_given_back = ARGV[7] == '1' or ARGV[3] == '' or KEYS[2] ~= KEYS[4]
if is_given_back and redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('HINCRBY', KEYS[2], 'remaining', 1)
end
if ARGV[3] == '' then return end
local known = redis.call('HMGET', KEYS[4], 'reset', 'guessed', 'remaining')
local said, reset = tonumber(ARGV[3]), math.min(tonumber(ARGV[4]), now + window)
local apart = reset - tonumber(known[1] or '0')
local beside = redis.call('ZCARD', KEYS[1])
if known[2] == '1' then
  -- The other requests in flight stay reserved.
  redis.call('HSET', KEYS[4], 'remaining', math.max(0, said - beside), 'reset', reset, 'guessed', 0)
elseif apart > 5 then
  redis.call('HSET', KEYS[4], 'remaining', said, 'reset', reset)
elseif apart >= -5 then
  -- With no other request under way, the response may say that this one cost nothing.
  local most = tonumber(known[3] or said) + (not is_given_back and beside == 0 and 1 or 0)
  redis.call('HSET', KEYS[4], 'remaining', math.min(said, most))
end
redis.call('HSET', KEYS[4], 'limit', ARGV[2], 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[4], 2000 * window)
redis.call('ZADD', KEYS[5], now, ARGV[6])
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now - 7 * window)
local left = redis.call('HGET', KEYS[4], 'remaining') or '0'
local slot = math.floor(now / slot_seconds)
redis.call('HSET', KEYS[6], slot % slots, string.format('%d %s', slot, left))
redis.call('PEXPIRE', KEYS[6], 7000 * window)
"""
)

# Pauses every refresher. A pause of more than an hour is cut to an hour; afterwards one request is
# let through every ten minutes, until one succeeds or the time is over.
# KEYS: pause; number of pauses in a row; time of the last "resume".
# ARGV: seconds that GitHub asks for, or empty; first and longest pause of our own choice.
# Returns the seconds until the next request.
PAUSE = (
    _COMMON
    + """
local count = redis.pcall('INCR', KEYS[2])
if type(count) ~= 'number' then  -- it was damaged
  count = 1
  redis.call('SET', KEYS[2], count)
end
redis.call('EXPIRE', KEYS[2], window)
local asked = tonumber(ARGV[1])
  or math.min(tonumber(ARGV[2]) * 2 ^ (count - 1), tonumber(ARGV[3]))
local hold, till = pause_at(KEYS[1], resumed_at(KEYS[3]))
local longest = window
if till > now and redis.call('HEXISTS', KEYS[1], 'probe') == 1 then longest = probe_every end
hold = math.max(hold, now + (asked > window and longest or asked))
till = math.max(till, now + asked)
redis.call('HSET', KEYS[1], 'at', string.format('%.6f', now), 'hold', hold, 'until', till)
redis.call('PEXPIRE', KEYS[1], math.ceil(1000 * (math.max(hold, till) - now)) + 1000)
return tostring(hold - now)
"""
)

# Sets a credential aside.
# KEYS: until when it is set aside; set of all budgets.
# ARGV: seconds; name of its budget, which is listed so that the status page shows it although
#       GitHub does not report its limit; why, in one line.
SET_ASIDE = (
    _COMMON
    + """
local seconds = math.min(tonumber(ARGV[1]), window)
redis.call('HSET', KEYS[1], 'at', string.format('%.6f', now), 'until', now + seconds,
           'reason', ARGV[3])
redis.call('PEXPIRE', KEYS[1], math.ceil(1000 * seconds) + 1000)
redis.call('ZADD', KEYS[2], now, ARGV[2])
"""
)

# Remembers that GitHub refuses a credential in one place: for an owner, or for an operation on what
# belongs to the owner. What was refused is kept for longer than it counts, so that it is logged
# once; of more places than may be kept, those that were noted first are forgotten.
# KEYS: where the credential is refused: a hash from the place to "at until message".
# ARGV: the place; seconds; message; most places; seconds to keep them.
# Returns 1 if the place was not known, else 0.
REFUSE = (
    _COMMON
    + """
local seconds = math.min(tonumber(ARGV[2]), window)
local is_new = redis.call('HSET', KEYS[1], ARGV[1],
                          string.format('%.6f %.6f ', now, now + seconds) .. ARGV[3])
while redis.call('HLEN', KEYS[1]) > tonumber(ARGV[4]) do
  local places, first, first_at = redis.call('HGETALL', KEYS[1]), nil, math.huge
  for number = 1, #places, 2 do
    local at = tonumber(string.match(places[number + 1], '^(%d+%.?%d*) ') or '') or 0
    if at < first_at and places[number] ~= ARGV[1] then first, first_at = places[number], at end
  end
  if not first then break end
  redis.call('HDEL', KEYS[1], first)
end
redis.call('EXPIRE', KEYS[1], ARGV[5])
return is_new
"""
)
